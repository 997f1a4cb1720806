#include "consumer/ramp.h"

#include "shared/scope.h"
#include "tests/support/claims.h"

#define FULL 500u

CLAIM(ramp__is_not_there_until_the_connection_was_lost)
{
    struct con_ramp ramp = { 0 };
    CU_ASSERT_EQUAL(con_ramp_room(&ramp, FULL), FULL);
    con_ramp_passed(&ramp, FULL);
    CU_ASSERT_EQUAL(con_ramp_room(&ramp, FULL), FULL);
}

CLAIM(ramp__goes_up_in_three_steps)
{
    static const size_t steps[] = { 1, 8, 64, FULL, FULL };
    struct con_ramp ramp = { 0 };
    con_ramp_lost(&ramp);
    con_ramp_lost(&ramp); /* every further attempt that fails */
    for (size_t i = 0; i < SL_COUNT(steps); i++) {
        CU_ASSERT_EQUAL(con_ramp_room(&ramp, FULL), steps[i]);
        con_ramp_passed(&ramp, FULL);
    }
}

CLAIM(ramp__begins_again_when_the_database_goes_again)
{
    struct con_ramp ramp = { 0 };
    con_ramp_lost(&ramp);
    con_ramp_passed(&ramp, FULL);
    con_ramp_passed(&ramp, FULL);
    CU_ASSERT_EQUAL(con_ramp_room(&ramp, FULL), 64);
    con_ramp_lost(&ramp);
    CU_ASSERT_EQUAL(con_ramp_room(&ramp, FULL), 1);
}

CLAIM(ramp__is_over_when_a_transaction_fails_with_the_connection_up)
{
    struct con_ramp ramp = { 0 };
    con_ramp_lost(&ramp);
    con_ramp_end(&ramp);
    CU_ASSERT_EQUAL(con_ramp_room(&ramp, FULL), FULL);
}

CLAIM(ramp__never_asks_for_more_than_there_may_be)
{
    struct con_ramp ramp = { 0 };
    con_ramp_lost(&ramp);
    con_ramp_passed(&ramp, FULL);
    CU_ASSERT_EQUAL(con_ramp_room(&ramp, 5), 5); /* an operator has set a smaller batch meanwhile */
    con_ramp_lost(&ramp);
    CU_ASSERT_EQUAL(con_ramp_room(&ramp, 1), 1);
    con_ramp_passed(&ramp, 1);
    CU_ASSERT_EQUAL(con_ramp_room(&ramp, FULL), FULL);
}
