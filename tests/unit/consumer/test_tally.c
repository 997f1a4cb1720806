#include "consumer/tally.h"

#include <stdio.h>

#include "tests/support/claims.h"

static const char *kind(size_t number)
{
    static char text[CON_FINGERPRINT_BYTES];
    snprintf(text, sizeof text, "%016zx", number);
    return text;
}

/* How many failures it takes; 0: never within the batch. */
static size_t count_until(size_t events, size_t kinds, bool is_item)
{
    struct con_tally tally;
    con_tally_init(&tally, events);
    for (size_t i = 0; i < events; i++) {
        if (con_tally_add(&tally, kind(i % kinds), is_item)) {
            return i + 1;
        }
    }
    return 0;
}

CLAIM(tally__more_than_a_quarter_of_one_kind_is_too_many)
{
    CU_ASSERT_EQUAL(count_until(1000, 1, false), 251);
    CU_ASSERT_EQUAL(count_until(100, 1, true), 26);
}

CLAIM(tally__of_few_events_nothing_is_concluded)
{
    CU_ASSERT_EQUAL(count_until(1, 1, true), 0);
    CU_ASSERT_EQUAL(count_until(7, 1, true), 0);
    CU_ASSERT_EQUAL(count_until(8, 1, true), 8);
}

CLAIM(tally__different_permanent_failures_are_their_own_fault)
{
    CU_ASSERT_EQUAL(count_until(1000, 4, false), 0); /* exactly a quarter each */
    CU_ASSERT_EQUAL(count_until(1000, 1000, false), 0);
}

CLAIM(tally__item_errors_on_most_events_are_not_theirs_whatever_they_say)
{
    CU_ASSERT_EQUAL(count_until(1000, 1000, true), 501);
}

/* Held as a whole for it, the batch would be held for ever: only what may heal by itself is let go after a while. */
CLAIM(tally__one_that_can_never_pass_is_not_among_too_many_that_may_pass_later)
{
    struct con_tally tally;
    con_tally_init(&tally, 15);
    for (size_t i = 0; i < 12; i++) {
        con_tally_add(&tally, kind(i), true);
    }
    CU_ASSERT_EQUAL(con_tally_add(&tally, kind(12), false), CON_TALLY_FEW);
    CU_ASSERT_EQUAL(con_tally_add(&tally, kind(13), true), CON_TALLY_MANY);
}
