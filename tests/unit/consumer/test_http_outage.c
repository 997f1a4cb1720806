#include "consumer/handlers/http_outage.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/claims.h"

/*
 * A story is rounds separated by spaces; in a round a letter is an event that failed at a target that was reached, an upper-case one at a target
 * that was not, '+' one that passed. Told: for each round 'e' when events are to blame, 't' the target, and '-' when nothing failed; behind it
 * '!' while the target is away.
 */
static const char *tell(const char *story)
{
    static char told[128];
    struct con_outage outage = { 0 };
    size_t used = 0;
    memset(told, 0, sizeof told);
    for (const char *at = story; *at != '\0';) {
        bool has_passed = false;
        bool has_failed = false;
        for (; *at != ' ' && *at != '\0'; at++) {
            if (*at == '+') {
                has_passed = true;
                con_outage_passed(&outage);
            } else {
                has_failed = true;
                bool is_reached = *at >= 'a';
                con_outage_failed(&outage, (uint64_t)(*at | 0x20), is_reached);
            }
        }
        bool is_target = con_outage_ended(&outage, has_passed);
        told[used++] = is_target ? 't' : has_failed ? 'e' : '-';
        if (outage.is_away) {
            told[used++] = '!';
        }
        at += *at == ' ' ? 1 : 0;
    }
    return told;
}

CLAIM(http_outage__a_few_failures_are_the_events_own)
{
    CU_ASSERT_STRING_EQUAL(tell("+ a b + c d"), "-ee-ee");
    CU_ASSERT_STRING_EQUAL(tell("a a a a a a a"), "eeeeeee");
}

CLAIM(http_outage__five_different_events_in_a_row_are_the_targets)
{
    CU_ASSERT_STRING_EQUAL(tell("a b c d e"), "eeeet!");
    CU_ASSERT_STRING_EQUAL(tell("abcde"), "t!");
    CU_ASSERT_STRING_EQUAL(tell("abcdefghijkl"), "t!");
}

CLAIM(http_outage__one_that_passes_clears_the_target)
{
    CU_ASSERT_STRING_EQUAL(tell("abcd+e"), "e");
    CU_ASSERT_STRING_EQUAL(tell("abcdefg+"), "e");
    CU_ASSERT_STRING_EQUAL(tell("abcde a + abc"), "t!t!-e");
}

CLAIM(http_outage__a_target_that_cannot_be_reached_is_away_at_once)
{
    CU_ASSERT_STRING_EQUAL(tell("A A A A A A A A A A A A A A +"), "t!t!t!t!t!t!t!t!t!t!t!t!t!t!-");
    CU_ASSERT_STRING_EQUAL(tell("A+"), "e");
}

CLAIM(http_outage__poison_alone_with_a_well_target_is_found_in_the_end)
{
    CU_ASSERT_STRING_EQUAL(tell("abcde a b c d e a b c d e a b"), "t!t!t!t!t!t!t!t!t!t!t!e!e!");
    /* and while it cannot be reached no patience is spent */
    CU_ASSERT_STRING_EQUAL(tell("abcde A B C D E A B C D E A B"), "t!t!t!t!t!t!t!t!t!t!t!t!t!");
}

CLAIM(http_outage__a_target_that_needs_a_person_is_asked_with_one_event)
{
    struct con_outage outage = { 0 };
    con_outage_halted(&outage);
    CU_ASSERT_TRUE(outage.is_away);
    con_outage_passed(&outage);
    CU_ASSERT_FALSE(outage.is_away);
}
