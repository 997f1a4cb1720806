#include "consumer/breaker.h"

#include <stdio.h>

#include "tests/support/claims.h"

#define SECOND 1000

static const struct con_breaker_policy usual = {
    .ratio = 10, .samples = 20, .consecutive = 5, .window_ms = 60 * SECOND, .probe_ms = 60 * SECOND
};

/*
 * A story: each letter is one moment, and the trace says what came of it.
 *   p an event passed, f one failed in its first try, r one failed in its second, a one asks to be tried, + ten seconds go by, T tripped,
 *   1, 2 another process's has opened at that time,
 *   o forced open, c forced closed, e the force ends
 *   . nothing changed, O opened, C closed, y may be tried, ? is the probe, n is held
 */
static void tell(struct con_breakers *breakers, const char *moments, char *trace)
{
    static const char changes[] = { '.', 'O', 'C' };
    static const char admissions[] = { 'y', '?', 'n' };
    struct sl_span type = SL_SPAN_LITERAL("invoice.paid");
    int64_t now_ms = 1000 * SECOND;
    size_t at = 0;
    for (const char *moment = moments; *moment != '\0'; moment++) {
        switch (*moment) {
        case 'p':
            trace[at++] = changes[con_breakers_passed(breakers, type, now_ms)];
            break;
        case 'f':
            trace[at++] = changes[con_breakers_failed(breakers, type, 1, now_ms)];
            break;
        case 'r':
            trace[at++] = changes[con_breakers_failed(breakers, type, 2, now_ms)];
            break;
        case '1':
        case '2':
            trace[at++] = changes[con_breakers_heard(breakers, type, *moment - '0', now_ms)];
            break;
        case 'T':
            trace[at++] = changes[con_breakers_trip(breakers, type, now_ms)];
            break;
        case 'o':
            trace[at++] = changes[con_breakers_force(breakers, type, CON_FORCE_OPEN, now_ms)];
            break;
        case 'c':
            trace[at++] = changes[con_breakers_force(breakers, type, CON_FORCE_CLOSED, now_ms)];
            break;
        case 'e':
            trace[at++] = changes[con_breakers_force(breakers, type, CON_FORCE_NONE, now_ms)];
            break;
        case 'a':
            trace[at++] = admissions[con_breakers_admit(breakers, type, now_ms)];
            break;
        default:
            now_ms += 10 * SECOND;
        }
    }
    trace[at] = '\0';
}

static void expect(const struct con_breaker_policy *policy, const char *moments, const char *wanted)
{
    char trace[128];
    struct con_breakers *breakers = con_breakers_new(policy);
    CU_ASSERT_PTR_NOT_NULL_FATAL(breakers);
    tell(breakers, moments, trace);
    if (strcmp(trace, wanted) != 0) {
        fprintf(stderr, "%s\n  gave   %s\n  wanted %s\n", moments, trace, wanted);
    }
    CU_ASSERT_STRING_EQUAL(trace, wanted);
    con_breakers_free(breakers);
}

CLAIM(breaker__five_failures_in_a_row_open_it_although_nothing_ever_passed)
{
    expect(&usual, "afffffa", "y....On");
}

CLAIM(breaker__a_success_in_between_begins_the_row_anew)
{
    expect(&usual, "ffffpffffpa", "..........y");
}

CLAIM(breaker__one_event_that_is_tried_again_and_again_opens_nothing)
{
    expect(&usual, "frrrrrrrrrrrra", ".............y");
}

CLAIM(breaker__a_tenth_of_twenty_opens_it_and_of_nineteen_does_not)
{
    expect(&usual, "fpppppppppppppppppfa", "...................y");
    expect(&usual, "fppppppppppppppppppfa", "...................On");
}

CLAIM(breaker__what_is_older_than_the_window_is_forgotten)
{
    expect(&usual, "f++++++ppppppppppppppppppfa", "....................y");
    expect(&usual, "f++++fppppppppppppppppppfa", "....................On");
}

CLAIM(breaker__while_it_is_open_one_probe_a_minute_is_let_through)
{
    expect(&usual, "Ta+++++a+aa", "Onn?n");
}

CLAIM(breaker__a_probe_that_passes_closes_it_and_what_was_counted_before_is_forgotten)
{
    expect(&usual, "fffff++++++apaffffa", "....O?Cy....y");
}

CLAIM(breaker__a_probe_that_fails_keeps_it_open_for_another_minute_whichever_try_it_was)
{
    expect(&usual, "T++++++afa+++++a+arap", "O?.nn?.n.");
    expect(&usual, "T++++++ar+++++a+ap", "O?.n?C");
}

CLAIM(breaker__a_probe_that_is_never_heard_of_is_followed_by_another)
{
    expect(&usual, "T++++++a+++++a+ap", "O?n?C");
}

CLAIM(breaker__what_was_begun_before_it_opened_neither_closes_it_nor_opens_it_twice)
{
    expect(&usual, "fffffpfpfTa", "....O.....n");
}

CLAIM(breaker__thresholds_are_those_of_the_policy)
{
    const struct con_breaker_policy strict = { 50, 2, 1000, 10 * SECOND, 10 * SECOND };
    expect(&strict, "pfa+a", ".On?");
    const struct con_breaker_policy touchy = { 100, 1000, 1, 10 * SECOND, 10 * SECOND };
    expect(&touchy, "fa", "On");
}

CLAIM(breaker__one_that_an_operator_holds_open_lets_no_probe_through_until_that_ends)
{
    expect(&usual, "ooa++++++++aeap", "O.nn.?C");
    expect(&usual, "T++++++aopfa", "O?...n");
}

CLAIM(breaker__one_that_an_operator_closes_is_opened_by_nothing_until_that_ends)
{
    expect(&usual, "TccafffffTaeffffa", "OC.y......y.O...n");
    expect(&usual, "oca", "OCy");
}

CLAIM(breaker__other_types_flow)
{
    struct con_breakers *breakers = con_breakers_new(&usual);
    CU_ASSERT_PTR_NOT_NULL_FATAL(breakers);
    struct sl_span broken = SL_SPAN_LITERAL("a.b");
    CU_ASSERT_FALSE(con_breakers_is_any_open(breakers));
    CU_ASSERT_EQUAL(con_breakers_trip(breakers, broken, 1), CON_BREAKER_OPENED);
    CU_ASSERT_TRUE(con_breakers_is_any_open(breakers));
    CU_ASSERT_EQUAL(con_breakers_admit(breakers, broken, 2), CON_ADMIT_NOT);
    CU_ASSERT_EQUAL(con_breakers_admit(breakers, SL_SPAN_LITERAL("a.c"), 2), CON_ADMIT);
    CU_ASSERT_EQUAL(con_breakers_count(breakers, CON_BREAKER_OPEN), 1);
    CU_ASSERT_EQUAL(con_breakers_admit(breakers, broken, 60001), CON_ADMIT_PROBE);
    CU_ASSERT_EQUAL(con_breakers_count(breakers, CON_BREAKER_OPEN), 0);
    CU_ASSERT_EQUAL(con_breakers_count(breakers, CON_BREAKER_HALF_OPEN), 1);
    CU_ASSERT_EQUAL(con_breakers_passed(breakers, broken, 60002), CON_BREAKER_CLOSES);
    CU_ASSERT_FALSE(con_breakers_is_any_open(breakers));
    con_breakers_free(breakers);
}

static struct sl_span numbered(unsigned number)
{
    static char text[32];
    snprintf(text, sizeof text, "type.%u", number);
    return sl_span_of(text);
}

CLAIM(breaker__the_types_are_bounded_and_an_open_one_is_never_forgotten)
{
    struct con_breakers *breakers = con_breakers_new(&usual);
    CU_ASSERT_PTR_NOT_NULL_FATAL(breakers);
    CU_ASSERT_EQUAL(con_breakers_trip(breakers, numbered(0), 1), CON_BREAKER_OPENED);
    for (unsigned i = 1; i < 10 * CON_BREAKER_TYPES_MAX; i++) {
        CU_ASSERT_EQUAL(con_breakers_passed(breakers, numbered(i), 1), CON_BREAKER_SAME);
    }
    CU_ASSERT_EQUAL(con_breakers_state(breakers, numbered(0)), CON_BREAKER_OPEN);
    for (unsigned i = 1; i < CON_BREAKER_TYPES_MAX; i++) {
        CU_ASSERT_EQUAL(con_breakers_trip(breakers, numbered(i), 1), CON_BREAKER_OPENED);
    }
    CU_ASSERT_EQUAL(con_breakers_trip(breakers, numbered(9999), 1), CON_BREAKER_SAME);
    CU_ASSERT_EQUAL(con_breakers_admit(breakers, numbered(9999), 1), CON_ADMIT);
    CU_ASSERT_EQUAL(con_breakers_count(breakers, CON_BREAKER_OPEN), CON_BREAKER_TYPES_MAX);
    con_breakers_free(breakers);
}

CLAIM(breaker__the_type_used_least_recently_leaves)
{
    struct con_breakers *breakers = con_breakers_new(&usual);
    CU_ASSERT_PTR_NOT_NULL_FATAL(breakers);
    for (unsigned i = 0; i < CON_BREAKER_TYPES_MAX; i++) {
        for (int failed = 0; failed < 4; failed++) {
            CU_ASSERT_EQUAL(con_breakers_failed(breakers, numbered(i), 1, 1), CON_BREAKER_SAME);
        }
    }
    CU_ASSERT_EQUAL(con_breakers_passed(breakers, SL_SPAN_LITERAL("one.more"), 1),
                    CON_BREAKER_SAME);
    CU_ASSERT_EQUAL(con_breakers_failed(breakers, numbered(1), 1, 1), CON_BREAKER_OPENED);
    CU_ASSERT_EQUAL(con_breakers_failed(breakers, numbered(0), 1, 1), CON_BREAKER_SAME);
    con_breakers_free(breakers);
}

CLAIM(breaker__the_stay_of_what_is_held_grows_with_the_probes_that_failed_and_has_an_end)
{
    struct con_breakers *breakers = con_breakers_new(&usual);
    struct sl_span type = SL_SPAN_LITERAL("a.b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(breakers);
    CU_ASSERT_EQUAL(con_breakers_trip(breakers, type, 0), CON_BREAKER_OPENED);
    int64_t now_ms = 0;
    for (int64_t failed = 0; failed < 10; failed++) {
        int64_t intervals = failed + 1 < CON_BREAKER_HOLD_MAX ? failed + 1 : CON_BREAKER_HOLD_MAX;
        CU_ASSERT_EQUAL(con_breakers_hold_s(breakers, type, 0), 60 * intervals);
        for (uint64_t random = 1; random < UINT64_MAX / 5; random *= 5) {
            int64_t wait_s = con_breakers_hold_s(breakers, type, random);
            CU_ASSERT_TRUE(wait_s >= 60 * intervals);
            CU_ASSERT_TRUE(wait_s <= 75 * intervals);
        }
        now_ms += usual.probe_ms;
        CU_ASSERT_EQUAL(con_breakers_admit(breakers, type, now_ms), CON_ADMIT_PROBE);
        CU_ASSERT_EQUAL(con_breakers_failed(breakers, type, 1, now_ms), CON_BREAKER_SAME);
    }
    con_breakers_free(breakers);
}

CLAIM(breaker__what_opened_elsewhere_opens_it_once_and_its_own_probe_closes_it)
{
    expect(&usual, "1a11++++++apa1a", "On..?Cy.y");
}

CLAIM(breaker__what_opens_anew_elsewhere_is_heard_anew_and_what_is_older_is_not)
{
    expect(&usual, "2++++++ap1a2a", "O?C.y.y");
    expect(&usual, "1++++++ap2a", "O?COn");
}

CLAIM(breaker__what_was_closed_by_an_operator_does_not_listen)
{
    expect(&usual, "c1ae1a", "..y..y");
}
