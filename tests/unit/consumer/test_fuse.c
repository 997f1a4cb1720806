#include "consumer/fuse.h"

#include <stdio.h>

#include "tests/support/claims.h"

#define SECOND 1000

static const struct con_fuse_policy usual = { .consecutive = 3,
                                              .probe_ms = SECOND,
                                              .probe_ms_max = 30 * SECOND };
static const char worker_a;
static const char worker_b;

/*
 * A story: each letter is one moment, and the trace says what came of it.
 *   T an operator trips it, S shuts it, N wants nothing any more,
 *   w the program wrote something of its own, f somebody failed, g somebody failed for a grave reason, p something was committed, a worker A asks, b worker B asks, r a connection was made, + a second goes by
 *   . nothing changed, O opened, C closed, y may try, ? is the probe, n has to wait
 */
static void expect(const char *moments, const char *wanted)
{
    static const char changes[] = { '.', 'O', 'C' };
    static const char admissions[] = { 'y', '?', 'n' };
    char trace[128];
    size_t at = 0;
    int64_t now_ms = 1000 * SECOND;
    struct con_fuse fuse;
    con_fuse_init(&fuse, &usual);
    for (const char *moment = moments; *moment != '\0'; moment++) {
        switch (*moment) {
        case 'T':
            trace[at++] = changes[con_fuse_force(&fuse, CON_FORCE_OPEN, now_ms)];
            break;
        case 'S':
            trace[at++] = changes[con_fuse_force(&fuse, CON_FORCE_CLOSED, now_ms)];
            break;
        case 'N':
            trace[at++] = changes[con_fuse_force(&fuse, CON_FORCE_NONE, now_ms)];
            break;
        case 'f':
            trace[at++] = changes[con_fuse_failed(&fuse, "53300", now_ms, 0)];
            break;
        case 'g':
            trace[at++] = changes[con_fuse_failed(&fuse, "53100", now_ms, 0)];
            break;
        case 'p':
            trace[at++] = changes[con_fuse_passed(&fuse)];
            break;
        case 'a':
            trace[at++] = admissions[con_fuse_admit(&fuse, &worker_a, now_ms)];
            break;
        case 'b':
            trace[at++] = admissions[con_fuse_admit(&fuse, &worker_b, now_ms)];
            break;
        case 'w':
            trace[at++] = changes[con_fuse_wrote(&fuse, now_ms)];
            break;
        case 'r':
            con_fuse_reached(&fuse, now_ms);
            break;
        default:
            now_ms += SECOND;
        }
    }
    trace[at] = '\0';
    if (strcmp(trace, wanted) != 0) {
        fprintf(stderr, "%s\n  gave   %s\n  wanted %s\n", moments, trace, wanted);
    }
    CU_ASSERT_STRING_EQUAL(trace, wanted);
}

CLAIM(fuse__three_failures_in_a_row_open_it_and_two_do_not)
{
    expect("affafa", "y..yOn");
    expect("ffpffa", ".....y");
}

CLAIM(fuse__one_grave_failure_is_enough)
{
    expect("aga", "yOn");
}

CLAIM(fuse__one_at_a_time_finds_out_and_may_take_several_steps)
{
    expect("fff+ababa", "..O?n?n?");
}

CLAIM(fuse__a_commit_of_the_probe_lets_everybody_go_on)
{
    expect("fff+apab", "..O?Cyy");
}

CLAIM(fuse__what_began_before_it_opened_says_nothing)
{
    expect("fffpfa", "..O..n");
}

CLAIM(fuse__the_wait_doubles_with_each_probe_that_fails)
{
    expect("fff+af+b+bf+++b+b", "..O?.n?.n?");
}

CLAIM(fuse__a_probe_that_is_never_heard_of_again_is_followed_by_another)
{
    expect("fff+ab+b", "..O?n?");
}

CLAIM(fuse__a_new_connection_is_tried_at_once)
{
    expect("fffara", "..On?");
}

CLAIM(fuse__when_nobody_has_anything_to_try_a_small_write_closes_it)
{
    expect("wfff+w+wa", "...O.Cy");
    expect("fffrw+wa", "..O.Cy");
}

CLAIM(fuse__who_has_something_to_try_goes_before_a_small_write)
{
    expect("ggg+awfww++w+w", "O..?.....C");
    expect("fff+aw+wp", "..O?..C");
}

CLAIM(fuse__closed_again_it_has_forgotten_what_it_counted)
{
    expect("fff+apffa", "..O?C..y");
}

CLAIM(fuse__no_wait_is_longer_than_the_longest_and_a_quarter_or_shorter_than_the_first)
{
    struct con_fuse fuse;
    int64_t now_ms = 1;
    con_fuse_init(&fuse, &usual);
    CU_ASSERT_EQUAL(con_fuse_wait_ms(&fuse, now_ms), 0);
    CU_ASSERT_EQUAL(con_fuse_failed(&fuse, "25006", now_ms, UINT64_MAX), CON_BREAKER_OPENED);
    for (int64_t shortest = SECOND, n = 0; n < 12; n++) {
        int64_t wait_ms = con_fuse_wait_ms(&fuse, now_ms);
        CU_ASSERT_TRUE(wait_ms >= shortest);
        CU_ASSERT_TRUE(wait_ms <= shortest + shortest / 4);
        now_ms += wait_ms;
        CU_ASSERT_EQUAL(con_fuse_wait_ms(&fuse, now_ms), 1);
        CU_ASSERT_EQUAL(con_fuse_admit(&fuse, &worker_a, now_ms), CON_ADMIT_PROBE);
        CU_ASSERT_EQUAL(con_fuse_failed(&fuse, "", now_ms, UINT64_MAX - (uint64_t)n),
                        CON_BREAKER_SAME);
        shortest = 2 * shortest < 30 * SECOND ? 2 * shortest : 30 * SECOND;
    }
}

CLAIM(fuse__counts_what_concerns_everybody_and_nothing_else)
{
    static const char *const counted[] = { "",      "08006", "25006", "40003", "53100",
                                           "53300", "57P01", "57P03", "58030", "XX001" };
    static const char *const not_counted[] = {
        "23505", "22003", "40001", "55P03", "57014", "42P01",
        "P0001", "SLOUT", "SLHLT", "XX000", "28P01", "HV000"
    };
    for (size_t i = 0; i < SL_COUNT(counted); i++) {
        CU_ASSERT_TRUE(con_fuse_counts(counted[i]));
    }
    for (size_t i = 0; i < SL_COUNT(not_counted); i++) {
        CU_ASSERT_FALSE(con_fuse_counts(not_counted[i]));
    }
}

CLAIM(fuse__tripped_by_an_operator_nobody_finds_out_anything_until_it_is_shut)
{
    expect("aTa++++a", "yOnn"); /* it would have let a probe through long ago */
    expect("Tpwrafg+a", "O..n..n");
    expect("TTS", "O.C");
    expect("TSa", "OCy");
}

CLAIM(fuse__when_a_trip_ends_by_itself_one_finds_out_first)
{
    expect("TNab", "O.?n");
    expect("TNapb", "O.?Cy");
    expect("TNaf+a", "O.?.n");
}

CLAIM(fuse__one_that_is_open_by_itself_can_be_tripped_and_shut)
{
    expect("gT++a", "OOn");
    expect("gSa", "OCy");
    expect("Sfffga", ".....y"); /* held shut nothing opens it */
    expect("SNfffa", "....On");
}
