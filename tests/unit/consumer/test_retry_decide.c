#include "consumer/retry_decide.h"
#include "tests/support/claims.h"

static const struct {
    struct con_failure failure;
    enum con_next next;
} table[] = {
    { { SL_E_PG_CONTENTION, "40001", 0, 500 }, CON_NEXT_AGAIN },
    { { SL_E_PG_CONTENTION, "40P01", 2, 500 }, CON_NEXT_AGAIN },
    { { SL_E_PG_CONTENTION, "40P01", 3, 500 }, CON_NEXT_HOLD },
    { { SL_E_PG_CONTENTION, "57014", 0, 500 }, CON_NEXT_BISECT },
    { { SL_E_PG_CONTENTION, "57014", 0, 1 }, CON_NEXT_HOLD },
    { { SL_E_PG_SYSTEMIC, "53300", 0, 500 }, CON_NEXT_HOLD },
    { { SL_E_PG_SYSTEMIC, "57P01", 0, 1 }, CON_NEXT_HOLD },
    { { SL_E_PG_UNREACHABLE, "", 0, 500 }, CON_NEXT_HOLD },
    { { SL_E_DEADLINE, "", 0, 500 }, CON_NEXT_HOLD },
    { { SL_E_PG_ITEM, "23503", 0, 500 }, CON_NEXT_BISECT },
    { { SL_E_PG_PERMANENT, "22003", 0, 1 }, CON_NEXT_BISECT },
    { { SL_E_LIMIT, "", 0, 1 }, CON_NEXT_BISECT },
    { { SL_E_MEMORY, "", 0, 500 }, CON_NEXT_BISECT },
    { { SL_E_MEMORY, "", 0, 1 }, CON_NEXT_HOLD },
    { { SL_E_PG_HALT, "42P01", 0, 500 }, CON_NEXT_HALT },
    { { SL_E_BUG, "", 0, 1 }, CON_NEXT_HALT },
};

CLAIM(retry_decide__every_class_has_its_next_step)
{
    for (size_t i = 0; i < SL_COUNT(table); i++) {
        if (con_retry_decide(&table[i].failure) != table[i].next) {
            fprintf(stderr, "row %zu: %s\n", i, con_next_name(con_retry_decide(&table[i].failure)));
        }
        CU_ASSERT_EQUAL(con_retry_decide(&table[i].failure), table[i].next);
    }
}

CLAIM(retry_decide__no_code_is_ever_dropped)
{
    for (int code = 0; code < SL_E_COUNT; code++) {
        struct con_failure failure = { (enum sl_code)code, "", 0, 2 };
        enum con_next next = con_retry_decide(&failure);
        CU_ASSERT_TRUE(next == CON_NEXT_AGAIN || next == CON_NEXT_BISECT || next == CON_NEXT_HOLD ||
                       next == CON_NEXT_HALT);
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
