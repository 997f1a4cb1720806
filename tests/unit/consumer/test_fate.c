#include "consumer/fate.h"

#include <stdio.h>

#include "shared/event/delay_route.h"
#include "tests/support/claims.h"

static const struct con_fate_policy usual = { .attempts = 6, .backoff_ms = 5000 };

/* wait_s 0: parked. Without lengthening. */
static const struct {
    struct con_try failed;
    int64_t wait_s;
    const char *error_class;
} table[] = {
    { { SL_E_PG_ITEM, "23503", true, 1, 0 }, 5, "item" },
    { { SL_E_PG_ITEM, "23503", true, 2, 0 }, 10, "item" },
    { { SL_E_PG_ITEM, "23503", true, 3, 0 }, 20, "item" },
    { { SL_E_PG_ITEM, "23503", true, 4, 0 }, 40, "item" },
    { { SL_E_PG_ITEM, "23503", true, 5, 0 }, 80, "item" },
    { { SL_E_PG_ITEM, "23503", true, 6, 0 }, 0, "item" },
    { { SL_E_PG_ITEM, "23503", true, 7, 0 }, 0, "item" },
    { { SL_E_PG_ITEM, "23503", true, 1, 90 }, 90, "item" },
    { { SL_E_PG_ITEM, "23503", true, 1, 3 }, 5, "item" },
    { { SL_E_PG_ITEM, "23503", true, 1, INT64_MAX }, SL_DELAY_S_MAX, "item" },
    { { SL_E_PG_ITEM, "23505", true, 1, 0 }, 5, "item" },
    { { SL_E_PG_ITEM, "23505", true, 2, 0 }, 0, "permanent" },
    { { SL_E_PG_ITEM, "54000", true, 1, 0 }, 0, "permanent" },
    { { SL_E_PG_ITEM, "54011", true, 1, 0 }, 0, "permanent" },
    { { SL_E_PG_SYSTEMIC, "53200", true, 1, 0 }, 5, "item" }, /* its neighbours passed */
    { { SL_E_PG_PERMANENT, "22003", true, 1, 0 }, 0, "permanent" },
    { { SL_E_PG_PERMANENT, "23514", true, 3, 0 }, 0, "permanent" },
    { { SL_E_EVENT_MALFORMED, "", false, 1, 0 }, 0, "decode" },
    { { SL_E_EVENT_MALFORMED, "", true, 1, 0 }, 0, "permanent" },
    { { SL_E_EVENT_VERSION, "", false, 1, 0 }, 0, "version" },
    { { SL_E_LIMIT, "", true, 1, 0 }, 0, "permanent" },
};

CLAIM(fate__every_kind_of_failure_has_its_way)
{
    for (size_t i = 0; i < SL_COUNT(table); i++) {
        struct con_fate fate = con_fate_decide(&table[i].failed, &usual, 0);
        if (fate.wait_s != table[i].wait_s || strcmp(fate.error_class, table[i].error_class) != 0) {
            fprintf(stderr, "row %zu: %lld s, %s\n", i, (long long)fate.wait_s, fate.error_class);
        }
        CU_ASSERT_EQUAL(fate.wait_s, table[i].wait_s);
        CU_ASSERT_STRING_EQUAL(fate.error_class, table[i].error_class);
    }
}

CLAIM(fate__the_wait_is_only_ever_lengthened_and_by_a_quarter_at_most)
{
    const struct con_try failed = { SL_E_PG_ITEM, "23503", true, 3, 0 };
    int64_t least = INT64_MAX;
    int64_t most = 0;
    for (uint64_t random = 0; random < 20000; random++) {
        int64_t wait_s =
            con_fate_decide(&failed, &usual, random * UINT64_C(0x9E3779B97F4A7C15)).wait_s;
        least = wait_s < least ? wait_s : least;
        most = wait_s > most ? wait_s : most;
    }
    CU_ASSERT_EQUAL(least, 20);
    CU_ASSERT_EQUAL(most, 25);
}

CLAIM(fate__parts_of_a_second_are_rounded_up)
{
    const struct con_try failed = { SL_E_PG_ITEM, "23503", true, 1, 0 };
    const struct con_fate_policy short_policy = { .attempts = 2, .backoff_ms = 1 };
    const struct con_fate_policy odd_policy = { .attempts = 2, .backoff_ms = 1001 };
    CU_ASSERT_EQUAL(con_fate_decide(&failed, &short_policy, 0).wait_s, 1);
    CU_ASSERT_EQUAL(con_fate_decide(&failed, &odd_policy, 0).wait_s, 2);
}

CLAIM(fate__no_wait_is_longer_than_the_delay_levels)
{
    const struct con_fate_policy patient = { .attempts = INT64_MAX, .backoff_ms = 86400000 };
    for (int64_t attempt = 1; attempt < 200; attempt++) {
        const struct con_try failed = { SL_E_PG_ITEM, "23503", true, attempt, 0 };
        int64_t wait_s = con_fate_decide(&failed, &patient, UINT64_MAX).wait_s;
        CU_ASSERT_TRUE(wait_s > 0 && wait_s <= SL_DELAY_S_MAX);
    }
}

CLAIM(fate__one_attempt_means_no_second)
{
    const struct con_try failed = { SL_E_PG_ITEM, "23503", true, 1, 0 };
    const struct con_fate_policy once = { .attempts = 1, .backoff_ms = 5000 };
    CU_ASSERT_EQUAL(con_fate_decide(&failed, &once, 0).wait_s, 0);
}

CLAIM(fate__what_an_operator_parks_is_parked_at_its_first_try)
{
    const struct con_fate_policy policy = { .attempts = 6, .backoff_ms = 1000 };
    const struct con_try failed = {
        .code = SL_E_EVENT_PARKED, .sqlstate = "", .has_event = true, .attempt = 1
    };
    struct con_fate fate = con_fate_decide(&failed, &policy, 0);
    CU_ASSERT_EQUAL(fate.wait_s, 0);
    CU_ASSERT_STRING_EQUAL(fate.error_class, "parked by operator");
}
