#include "ops/dead/dead_filter.h"

#include "tests/support/claims.h"

#define NOW_US INT64_C(1790000000000000) /* 2026-09-21T14:13:20Z */

static bool finish(struct ops_dead_filter *filter, const char *word)
{
    struct sl_err err;
    return ops_dead_filter_finish(filter, word, NOW_US, &err);
}

CLAIM(dead_filter__a_word_is_a_letter_or_an_event)
{
    struct ops_dead_filter filter = { 0 };
    CU_ASSERT_TRUE(finish(&filter, "4711"));
    CU_ASSERT_STRING_EQUAL(filter.id, "4711");
    CU_ASSERT_PTR_NULL(filter.event);
    filter = (struct ops_dead_filter){ 0 };
    CU_ASSERT_TRUE(finish(&filter, "evt_4711"));
    CU_ASSERT_STRING_EQUAL(filter.event, "evt_4711");
    CU_ASSERT_PTR_NULL(filter.id);
}

CLAIM(dead_filter__a_duration_counts_back_and_a_date_stays)
{
    struct ops_dead_filter filter = { .since = "2h", .until = "2026-09-21 14:00" };
    CU_ASSERT_TRUE(finish(&filter, NULL));
    CU_ASSERT_STRING_EQUAL(filter.since, "2026-09-21T12:13:20.000000Z");
    CU_ASSERT_STRING_EQUAL(filter.until, "2026-09-21 14:00");
}

CLAIM(dead_filter__what_is_neither_is_refused)
{
    static const char *const wrong[] = { "yesterday", "2", "2026", "2026-9-1", "h" };
    for (size_t i = 0; i < SL_COUNT(wrong); i++) {
        struct ops_dead_filter filter = { .since = wrong[i] };
        CU_ASSERT_FALSE(finish(&filter, NULL));
    }
    struct ops_dead_filter letter = { .id = "12a" };
    CU_ASSERT_FALSE(finish(&letter, NULL));
}

CLAIM(dead_filter__all_is_every_status_and_an_unknown_one_is_refused)
{
    struct ops_dead_filter filter = { .status = "open,discarded" };
    CU_ASSERT_TRUE(finish(&filter, NULL));
    CU_ASSERT_STRING_EQUAL(filter.status, "open,discarded");
    filter.status = "all";
    CU_ASSERT_TRUE(finish(&filter, NULL));
    CU_ASSERT_PTR_NULL(filter.status);
    filter.status = "open,gone";
    CU_ASSERT_FALSE(finish(&filter, NULL));
}

CLAIM(dead_filter__a_status_alone_is_not_narrow)
{
    CU_ASSERT_FALSE(ops_dead_filter_is_narrow(&(struct ops_dead_filter){ .status = "open" }));
    CU_ASSERT_TRUE(ops_dead_filter_is_narrow(&(struct ops_dead_filter){ .type = "x" }));
    CU_ASSERT_TRUE(ops_dead_filter_is_narrow(&(struct ops_dead_filter){ .run = "x" }));
}

CLAIM(dead_filter__an_absent_condition_is_null_and_each_has_its_place)
{
    const struct ops_dead_filter filter = { .subsystem = "billing", .run = "r" };
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS];
    ops_dead_filter_params(&filter, params);
    CU_ASSERT_TRUE(sl_span_is(params[0].value, "billing"));
    CU_ASSERT_TRUE(sl_span_is(params[11].value, "r"));
    for (size_t i = 1; i < 11; i++) {
        CU_ASSERT_PTR_NULL(params[i].value.data);
    }
}
