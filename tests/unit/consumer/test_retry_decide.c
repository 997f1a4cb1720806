#include "consumer/retry_decide.h"
#include "tests/support/claims.h"

/* The database is in reach, nothing was held before. */
static const struct {
    enum sl_code code;
    const char *sqlstate;
    unsigned tries;
    size_t events;
    enum con_next next;
} table[] = {
    { SL_E_PG_CONTENTION, "40001", 0, 500, CON_NEXT_AGAIN },
    { SL_E_PG_CONTENTION, "40P01", 2, 500, CON_NEXT_AGAIN },
    { SL_E_PG_CONTENTION, "40P01", 3, 500, CON_NEXT_HOLD },
    { SL_E_PG_CONTENTION, "57014", 0, 500, CON_NEXT_BISECT },
    { SL_E_PG_CONTENTION, "57014", 0, 1, CON_NEXT_HOLD },
    { SL_E_PG_SYSTEMIC, "53300", 0, 500, CON_NEXT_HOLD },
    { SL_E_PG_SYSTEMIC, "57P01", 0, 1, CON_NEXT_HOLD },
    { SL_E_PG_UNREACHABLE, "", 0, 500, CON_NEXT_HOLD },
    { SL_E_DEADLINE, "", 0, 500, CON_NEXT_HOLD },
    { SL_E_PG_ITEM, "23503", 0, 500, CON_NEXT_BISECT },
    { SL_E_PG_PERMANENT, "22003", 0, 1, CON_NEXT_BISECT },
    { SL_E_LIMIT, "", 0, 1, CON_NEXT_BISECT },
    { SL_E_MEMORY, "", 0, 500, CON_NEXT_BISECT },
    { SL_E_MEMORY, "", 0, 1, CON_NEXT_HOLD },
    { SL_E_PG_HALT, "42501", 0, 500, CON_NEXT_HALT },
    { SL_E_PG_UNREADY, "42P01", 0, 500, CON_NEXT_HOLD },
    { SL_E_PG_UNREADY, "28P01", 0, 1, CON_NEXT_HOLD },
    { SL_E_BUG, "", 0, 1, CON_NEXT_HALT },
};

static enum con_next decide(size_t row)
{
    const struct con_failure failure = { .code = table[row].code,
                                         .sqlstate = table[row].sqlstate,
                                         .tries = table[row].tries,
                                         .events = table[row].events,
                                         .is_reachable = true };
    return con_retry_decide(&failure);
}

CLAIM(retry_decide__every_class_has_its_next_step)
{
    for (size_t i = 0; i < SL_COUNT(table); i++) {
        if (decide(i) != table[i].next) {
            fprintf(stderr, "row %zu: %d\n", i, (int)decide(i));
        }
        CU_ASSERT_EQUAL(decide(i), table[i].next);
    }
}

CLAIM(retry_decide__no_code_is_ever_dropped)
{
    for (int code = 0; code < SL_E_COUNT; code++) {
        const struct con_failure failure = {
            .code = (enum sl_code)code, .sqlstate = "", .events = 2, .is_reachable = true
        };
        enum con_next next = con_retry_decide(&failure);
        CU_ASSERT_TRUE(next == CON_NEXT_AGAIN || next == CON_NEXT_PUT_OFF ||
                       next == CON_NEXT_BISECT || next == CON_NEXT_HOLD || next == CON_NEXT_HALT);
    }
}

CLAIM(retry_decide__contention_waits_between_its_bounds)
{
    for (uint64_t random = 0; random < 1000; random++) {
        int64_t wait_ms = con_retry_wait_ms(random * UINT64_C(0x9E3779B97F4A7C15));
        CU_ASSERT_TRUE(wait_ms >= CON_CONTENTION_WAIT_MS_MIN &&
                       wait_ms <= CON_CONTENTION_WAIT_MS_MAX);
    }
}

/* A systemic failure as the search meets it. */
static enum con_next systemic(const struct con_failure *as)
{
    struct con_failure failure = *as;
    failure.code = SL_E_PG_SYSTEMIC;
    failure.sqlstate = "53200";
    return con_retry_decide(&failure);
}

CLAIM(retry_decide__a_batch_that_was_held_before_is_cut_to_see_who_it_is)
{
    CU_ASSERT_EQUAL(systemic(&(struct con_failure){ .events = 9, .is_reachable = true }),
                    CON_NEXT_HOLD);
    CU_ASSERT_EQUAL(
        systemic(&(struct con_failure){ .events = 9, .is_reachable = true, .holds = 1 }),
        CON_NEXT_BISECT);
    CU_ASSERT_EQUAL(systemic(&(struct con_failure){ .events = 9, .holds = 1 }), CON_NEXT_HOLD);
    CU_ASSERT_EQUAL(
        systemic(&(struct con_failure){
            .events = 9, .is_reachable = true, .holds = 1, .fruitless = CON_FRUITLESS_MAX }),
        CON_NEXT_HOLD);
}

CLAIM(retry_decide__one_event_twice_while_its_neighbours_pass_is_its_own_fault)
{
    CU_ASSERT_EQUAL(
        systemic(&(struct con_failure){ .events = 1, .is_reachable = true, .holds = 1 }),
        CON_NEXT_PUT_OFF);
    CU_ASSERT_EQUAL(systemic(&(struct con_failure){
                        .events = 1, .is_reachable = true, .holds = 1, .strikes = 1 }),
                    CON_NEXT_PUT_OFF);
    CU_ASSERT_EQUAL(
        systemic(&(struct con_failure){
            .events = 1, .is_reachable = true, .strikes = 1, .has_neighbour_passed = true }),
        CON_NEXT_BISECT);
    CU_ASSERT_EQUAL(
        systemic(&(struct con_failure){ .events = 1, .strikes = 1, .has_neighbour_passed = true }),
        CON_NEXT_HOLD);
}
