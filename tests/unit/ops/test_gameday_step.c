#include "ops/gameday/gameday_step.h"

#include "shared/scope.h"
#include "tests/support/claims.h"

CLAIM(gameday__goes_through_its_phases_in_order)
{
    static const enum ops_gameday_event story[] = { OPS_GAMEDAY_DUE, OPS_GAMEDAY_DONE,
                                                    OPS_GAMEDAY_DUE, OPS_GAMEDAY_DONE,
                                                    OPS_GAMEDAY_WELL };
    enum ops_gameday_phase phase = OPS_GAMEDAY_STEADY;
    for (size_t i = 0; i < SL_COUNT(story); i++) {
        enum ops_gameday_phase before = phase;
        phase = ops_gameday_step(phase, story[i]);
        CU_ASSERT_EQUAL(phase, before + 1);
    }
    CU_ASSERT_EQUAL(phase, OPS_GAMEDAY_OVER);
}

/* Whatever comes, in whatever order: from the moment the begin command may have done something, nothing leads out but the end. */
CLAIM(gameday__a_fault_that_was_begun_is_ended_whatever_happens)
{
    for (unsigned event = 0; event < OPS_GAMEDAY_EVENTS; event++) {
        enum ops_gameday_phase from_begin = ops_gameday_step(OPS_GAMEDAY_BEGIN, event);
        enum ops_gameday_phase from_hold = ops_gameday_step(OPS_GAMEDAY_HOLD, event);
        CU_ASSERT(from_begin >= OPS_GAMEDAY_BEGIN && from_begin <= OPS_GAMEDAY_END);
        CU_ASSERT(from_hold == OPS_GAMEDAY_HOLD || from_hold == OPS_GAMEDAY_END);
    }
    CU_ASSERT_EQUAL(ops_gameday_step(OPS_GAMEDAY_BEGIN, OPS_GAMEDAY_FAILED), OPS_GAMEDAY_END);
    CU_ASSERT_EQUAL(ops_gameday_step(OPS_GAMEDAY_HOLD, OPS_GAMEDAY_STOP), OPS_GAMEDAY_END);
    CU_ASSERT_EQUAL(ops_gameday_step(OPS_GAMEDAY_HOLD, OPS_GAMEDAY_FAILED), OPS_GAMEDAY_END);
}

CLAIM(gameday__a_signal_does_not_cut_a_command_short)
{
    CU_ASSERT_EQUAL(ops_gameday_step(OPS_GAMEDAY_BEGIN, OPS_GAMEDAY_STOP), OPS_GAMEDAY_BEGIN);
    CU_ASSERT_EQUAL(ops_gameday_step(OPS_GAMEDAY_END, OPS_GAMEDAY_STOP), OPS_GAMEDAY_END);
}

CLAIM(gameday__a_stop_before_the_fault_begins_none)
{
    CU_ASSERT_EQUAL(ops_gameday_step(OPS_GAMEDAY_STEADY, OPS_GAMEDAY_STOP), OPS_GAMEDAY_OVER);
    for (unsigned event = 0; event < OPS_GAMEDAY_EVENTS; event++) {
        CU_ASSERT_EQUAL(ops_gameday_step(OPS_GAMEDAY_OVER, event), OPS_GAMEDAY_OVER);
    }
}
