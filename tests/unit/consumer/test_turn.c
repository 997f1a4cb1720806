#include "consumer/turn.h"

#include "tests/support/claims.h"

#define T0 100000

static int64_t next(const struct con_turns *turns, int64_t now_ms, int64_t live_us,
                    int64_t replay_us, int64_t rehearsal_us, enum con_turn *out_turn)
{
    const struct con_turn_look look = { .now_ms = now_ms,
                                        .wait_us = { live_us, replay_us, rehearsal_us } };
    return con_turn_next(turns, &look, out_turn);
}

CLAIM(turn__while_nothing_is_live_nobody_waits)
{
    struct con_turns turns = { 0 };
    enum con_turn turn = CON_TURN_LIVE;
    CU_ASSERT_EQUAL(next(&turns, T0, -1, -1, -1, &turn), -1);
    con_turn_ended(&turns, CON_TURN_REPLAY, T0 - 9000, T0);
    CU_ASSERT_EQUAL(next(&turns, T0, -1, 0, -1, &turn), 0);
    CU_ASSERT_EQUAL(turn, CON_TURN_REPLAY);
}

CLAIM(turn__live_events_have_the_worker_to_themselves_for_a_while_and_copies_never_stand_still)
{
    struct con_turns turns = { 0 };
    enum con_turn turn = CON_TURN_REPLAY;
    con_turn_ended(&turns, CON_TURN_REPLAY, T0 - 10, T0);
    CU_ASSERT_EQUAL(next(&turns, T0, 0, 0, -1, &turn), 0);
    CU_ASSERT_EQUAL(turn, CON_TURN_LIVE);
    CU_ASSERT_EQUAL(next(&turns, T0 + CON_TURN_PAUSE_MS - 1, 1500, 0, -1, &turn), 1500);
    CU_ASSERT_EQUAL(turn, CON_TURN_LIVE);
    CU_ASSERT_EQUAL(next(&turns, T0 + CON_TURN_PAUSE_MS, 0, 0, -1, &turn), 0);
    CU_ASSERT_EQUAL(turn, CON_TURN_REPLAY);
    con_turn_ended(&turns, CON_TURN_LIVE, T0, T0 + 400); /* says nothing of copies */
    CU_ASSERT_EQUAL(next(&turns, T0 + CON_TURN_PAUSE_MS, 0, 0, -1, &turn), 0);
    CU_ASSERT_EQUAL(turn, CON_TURN_REPLAY);
}

CLAIM(turn__copies_that_take_long_leave_live_events_four_times_as_long_and_no_more_than_ten_seconds)
{
    struct con_turns turns = { 0 };
    enum con_turn turn = CON_TURN_REPLAY;
    con_turn_ended(&turns, CON_TURN_REPLAY, T0 - 1000, T0);
    CU_ASSERT_EQUAL(next(&turns, T0 + 3999, 0, 0, -1, &turn), 0);
    CU_ASSERT_EQUAL(turn, CON_TURN_LIVE);
    CU_ASSERT_EQUAL(next(&turns, T0 + 4000, 0, 0, -1, &turn), 0);
    CU_ASSERT_EQUAL(turn, CON_TURN_REPLAY);
    con_turn_ended(&turns, CON_TURN_REPLAY, T0 - 60000, T0);
    CU_ASSERT_EQUAL(next(&turns, T0 + CON_TURN_PAUSE_MS_MAX, 0, 0, -1, &turn), 0);
    CU_ASSERT_EQUAL(turn, CON_TURN_REPLAY);
}

CLAIM(turn__a_rehearsal_goes_before_a_copy)
{
    struct con_turns turns = { 0 };
    enum con_turn turn = CON_TURN_LIVE;
    CU_ASSERT_EQUAL(next(&turns, T0, -1, 0, 0, &turn), 0);
    CU_ASSERT_EQUAL(turn, CON_TURN_REHEARSAL);
}

CLAIM(turn__what_is_suspected_has_its_turn_whatever_it_is)
{
    struct con_turns turns = { .ended_ms = T0, .took_ms = 1000 };
    const struct con_turn_look look = { .now_ms = T0,
                                        .wait_us = { 0, 0, -1 },
                                        .is_isolating = true };
    enum con_turn turn = CON_TURN_LIVE;
    CU_ASSERT_EQUAL(con_turn_next(&turns, &look, &turn), 0);
    CU_ASSERT_EQUAL(turn, CON_TURN_REPLAY);
}
