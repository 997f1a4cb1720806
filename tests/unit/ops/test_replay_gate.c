#include "ops/replay/replay_gate.h"

#include "tests/support/claims.h"

static char why[OPS_REPLAY_WHY_BYTES];

CLAIM(replay_gate__all_applied_passes)
{
    const struct ops_replay_canary canary = { .letters = 20 };
    CU_ASSERT_EQUAL(ops_replay_gate(&canary, false, why), OPS_GATE_PASS);
    CU_ASSERT_STRING_EQUAL(why, "canary: 20 of 20 were applied");
}

CLAIM(replay_gate__one_of_twenty_may_fail_as_before_two_may_not)
{
    const struct ops_replay_canary one = { .letters = 20, .failed = 1 };
    const struct ops_replay_canary two = { .letters = 20, .failed = 2 };
    CU_ASSERT_EQUAL(ops_replay_gate(&one, false, why), OPS_GATE_PASS);
    CU_ASSERT_EQUAL(ops_replay_gate(&two, false, why), OPS_GATE_STOP);
    CU_ASSERT_STRING_EQUAL(why, "canary: 2 of 20 failed again");
}

CLAIM(replay_gate__a_new_cause_stops_it_however_few)
{
    const struct ops_replay_canary canary = { .letters = 50, .failed = 1, .new_causes = 1 };
    CU_ASSERT_EQUAL(ops_replay_gate(&canary, false, why), OPS_GATE_STOP);
    CU_ASSERT_STRING_EQUAL(why, "canary: 1 of 50 failed for a cause they did not have before");
}

CLAIM(replay_gate__it_stops_before_the_others_are_decided)
{
    const struct ops_replay_canary canary = { .letters = 20, .failed = 2, .undecided = 18 };
    CU_ASSERT_EQUAL(ops_replay_gate(&canary, false, why), OPS_GATE_STOP);
}

CLAIM(replay_gate__the_undecided_are_waited_for_not_for_ever)
{
    const struct ops_replay_canary canary = { .letters = 20, .undecided = 1 };
    CU_ASSERT_EQUAL(ops_replay_gate(&canary, false, why), OPS_GATE_WAIT);
    CU_ASSERT_EQUAL(ops_replay_gate(&canary, true, why), OPS_GATE_UNDECIDED);
    CU_ASSERT_STRING_EQUAL(why, "canary: 1 of 20 are not decided yet");
}
