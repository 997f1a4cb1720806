#include "consumer/parting.h"

#include "tests/support/claims.h"

#define START 5000

static struct con_parting begin(unsigned version, int64_t drain_ms)
{
    struct con_parting parting;
    con_parting_begin(&parting, version, drain_ms, START);
    return parting;
}

CLAIM(parting__before_4_3_what_is_in_hand_is_finished_for_most_of_the_time_there_is)
{
    static const struct {
        unsigned version;
        int64_t drain_ms;
        int64_t over_ms;
    } rows[] = { { 3010, 25000, 15000 }, { 4002, 1000, 600 }, { 0, 25000, 15000 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct con_parting parting = begin(rows[i].version, rows[i].drain_ms);
        CU_ASSERT_FALSE(con_parting_is_over(&parting, true, START + rows[i].over_ms - 1));
        CU_ASSERT_TRUE(con_parting_is_over(&parting, true, START + rows[i].over_ms));
    }
}

CLAIM(parting__from_4_3_on_it_is_given_back_at_once)
{
    struct con_parting parting = begin(4003, 25000);
    CU_ASSERT_TRUE(con_parting_is_over(&parting, true, START));
    parting = begin(5000, 25000);
    CU_ASSERT_TRUE(con_parting_is_over(&parting, true, START));
}

CLAIM(parting__what_cannot_be_finished_is_not_waited_for_longer_than_a_moment)
{
    struct con_parting parting = begin(3010, 25000);
    CU_ASSERT_FALSE(con_parting_is_over(&parting, false, START));
    CU_ASSERT_FALSE(con_parting_is_over(&parting, false, START + CON_PARTING_HEAL_MS - 1));
    CU_ASSERT_TRUE(con_parting_is_over(&parting, false, START + CON_PARTING_HEAL_MS));
}

CLAIM(parting__a_session_that_ends_meanwhile_and_is_replaced_costs_no_return)
{
    struct con_parting parting = begin(3010, 25000);
    CU_ASSERT_FALSE(con_parting_is_over(&parting, true, START + 3000));
    CU_ASSERT_FALSE(con_parting_is_over(&parting, false, START + 3500));
    CU_ASSERT_FALSE(con_parting_is_over(&parting, true, START + 3900)); /* replaced */
    CU_ASSERT_FALSE(con_parting_is_over(&parting, false, START + 4800));
    CU_ASSERT_FALSE(con_parting_is_over(&parting, true, START + 4850));
    CU_ASSERT_TRUE(con_parting_is_over(&parting, true, START + 15000));
}

CLAIM(parting__a_moment_is_not_longer_than_the_time_there_is)
{
    struct con_parting parting = begin(3010, 1000);
    CU_ASSERT_TRUE(con_parting_is_over(&parting, false, START + 600));
}
