#include "consumer/yield.h"

#include "tests/support/claims.h"

CLAIM(yield__nobody_waits_while_nothing_of_realtime_is_in_hand)
{
    struct con_yield yield = { 0 };
    con_yield_begun(&yield, 1000);
    CU_ASSERT_EQUAL(con_yield_wait_ms(&yield, false, 1000), 0);
}

CLAIM(yield__in_a_rush_one_transaction_is_a_while_after_the_other_and_none_waits_for_ever)
{
    struct con_yield yield = { 0 };
    CU_ASSERT_EQUAL(con_yield_wait_ms(&yield, true, 1), 0);
    con_yield_begun(&yield, 1000);
    CU_ASSERT_EQUAL(con_yield_wait_ms(&yield, true, 1000), CON_YIELD_MS);
    CU_ASSERT_EQUAL(con_yield_wait_ms(&yield, true, 1000 + CON_YIELD_MS - 1), 1);
    CU_ASSERT_EQUAL(con_yield_wait_ms(&yield, true, 1000 + CON_YIELD_MS), 0);
}
