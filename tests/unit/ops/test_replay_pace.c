#include "ops/replay/replay_pace.h"

#include "shared/scope.h"
#include "tests/support/claims.h"

static char why[OPS_REPLAY_WHY_BYTES];

/* Past the ramp, at the wished rate. */
static struct ops_replay_pace at_full(int64_t rate)
{
    struct ops_replay_pace pace;
    ops_replay_pace_init(&pace, rate, 0);
    pace.rate = rate;
    return pace;
}

static enum ops_replay_step step(struct ops_replay_pace *pace, struct ops_replay_look look)
{
    look.now_ms = look.now_ms == 0 ? 10 * OPS_REPLAY_RAMP_MS : look.now_ms;
    return ops_replay_pace_step(pace, &look, why);
}

CLAIM(replay_pace__it_begins_in_steps)
{
    struct ops_replay_pace pace;
    ops_replay_pace_init(&pace, 100, 0);
    CU_ASSERT_EQUAL(pace.rate, 5);
    const struct ops_replay_look looks[] = { { .now_ms = 1000 },
                                             { .now_ms = OPS_REPLAY_RAMP_MS },
                                             { .now_ms = OPS_REPLAY_RAMP_MS + 1000 },
                                             { .now_ms = OPS_REPLAY_RAMP_MS + 2000 },
                                             { .now_ms = 2 * OPS_REPLAY_RAMP_MS } };
    const int64_t rates[] = { 5, 15, 25, 25, 35 };
    for (size_t i = 0; i < SL_COUNT(looks); i++) {
        CU_ASSERT_EQUAL(ops_replay_pace_step(&pace, &looks[i], why), OPS_PACE_GO);
        CU_ASSERT_EQUAL(pace.rate, rates[i]);
    }
}

CLAIM(replay_pace__a_slow_wish_is_never_less_than_one)
{
    struct ops_replay_pace pace;
    ops_replay_pace_init(&pace, 1, 0);
    CU_ASSERT_EQUAL(pace.rate, 1);
    CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .waiting = 100000 }), OPS_PACE_GO);
    CU_ASSERT_EQUAL(pace.rate, 1);
}

CLAIM(replay_pace__failures_slow_it_down_and_more_of_them_pause_the_run)
{
    struct ops_replay_pace pace = at_full(100);
    CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .applied = 90, .failed = 10 }),
                    OPS_PACE_GO);
    CU_ASSERT_EQUAL(pace.rate, 50);
    CU_ASSERT_STRING_EQUAL(why, "10 of the last 100 failed again");
    CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .applied = 79, .failed = 21 }),
                    OPS_PACE_PAUSE);
}

CLAIM(replay_pace__a_few_failures_say_nothing)
{
    struct ops_replay_pace pace = at_full(100);
    CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .failed = 19 }), OPS_PACE_GO);
    CU_ASSERT_EQUAL(pace.rate, 100);
}

CLAIM(replay_pace__a_growing_queue_slows_it_down_until_it_grows_no_more)
{
    struct ops_replay_pace pace = at_full(100);
    const int64_t depths[] = { 200, 300, 400, 350, 350 };
    const int64_t rates[] = { 100, 50, 25, 35, 45 };
    for (size_t i = 0; i < SL_COUNT(depths); i++) {
        CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .depth = depths[i] }), OPS_PACE_GO);
        CU_ASSERT_EQUAL(pace.rate, rates[i]);
    }
}

CLAIM(replay_pace__a_short_queue_may_grow_and_one_that_is_not_known_is_no_reason)
{
    struct ops_replay_pace pace = at_full(100);
    const int64_t depths[] = { 10, 90, -1, 500 };
    for (size_t i = 0; i < SL_COUNT(depths); i++) {
        CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .depth = depths[i] }), OPS_PACE_GO);
        CU_ASSERT_EQUAL(pace.rate, 100);
    }
}

CLAIM(replay_pace__what_waits_for_its_outcome_bounds_it)
{
    struct ops_replay_pace pace = at_full(100);
    CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .waiting = 1100 }), OPS_PACE_GO);
    CU_ASSERT_EQUAL(pace.rate, 100);
    CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .waiting = 1101 }), OPS_PACE_GO);
    CU_ASSERT_EQUAL(pace.rate, 50);
}

CLAIM(replay_pace__an_open_breaker_holds_it_and_pauses_the_run_after_a_while)
{
    struct ops_replay_pace pace = at_full(100);
    const struct ops_replay_look first = { .now_ms = 100000, .is_held = true };
    const struct ops_replay_look later = { .now_ms = 100000 + OPS_REPLAY_HOLD_MS_MAX - 1,
                                           .is_held = true };
    const struct ops_replay_look last = { .now_ms = 100000 + OPS_REPLAY_HOLD_MS_MAX,
                                          .is_held = true };
    CU_ASSERT_EQUAL(step(&pace, first), OPS_PACE_HOLD);
    CU_ASSERT_EQUAL(step(&pace, later), OPS_PACE_HOLD);
    CU_ASSERT_EQUAL(step(&pace, last), OPS_PACE_PAUSE);
    CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .now_ms = 900000 }), OPS_PACE_GO);
    CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .now_ms = 950000, .is_held = true }),
                    OPS_PACE_HOLD);
}

CLAIM(replay_pace__live_events_that_get_older_slow_it_down)
{
    struct ops_replay_pace pace = at_full(100);
    const int64_t ages_ms[] = { 4000, 4900, 6000, 7000, 7000, 0 };
    const int64_t rates[] = { 100, 100, 50, 25, 35, 45 };
    for (size_t i = 0; i < SL_COUNT(ages_ms); i++) {
        CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .age_ms = ages_ms[i] }), OPS_PACE_GO);
        CU_ASSERT_EQUAL(pace.rate, rates[i]);
        CU_ASSERT_TRUE(i != 3 || strcmp(why, "live events get older: the oldest in hand 7 s") == 0);
    }
}

CLAIM(replay_pace__transactions_that_take_much_longer_than_they_did_slow_it_down)
{
    struct ops_replay_pace pace = at_full(100);
    const int64_t takes_us[] = { 30000, 20000, 60000, 60001, 0, 49000 };
    const int64_t rates[] = { 100, 100, 100, 50, 60, 70 };
    for (size_t i = 0; i < SL_COUNT(takes_us); i++) {
        CU_ASSERT_EQUAL(step(&pace, (struct ops_replay_look){ .apply_us = takes_us[i] }),
                        OPS_PACE_GO);
        CU_ASSERT_EQUAL(pace.rate, rates[i]);
        CU_ASSERT_TRUE(i != 3 || strcmp(why, "transactions take 60 ms, 20 ms at best") == 0);
    }
}
