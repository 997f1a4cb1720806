#include "ops/when.h"

#include "tests/support/claims.h"

#define NOW_S INT64_C(1800000000) /* 2027-01-15T08:00:00Z */

static int64_t when(const char *text)
{
    struct sl_err err;
    int64_t at_s = -1;
    return ops_when("since", text, NOW_S, &at_s, &err) ? at_s : -1;
}

CLAIM(when__a_duration_counts_back_from_now)
{
    CU_ASSERT_EQUAL(when("2h"), NOW_S - 7200);
    CU_ASSERT_EQUAL(when("90s"), NOW_S - 90);
    CU_ASSERT_EQUAL(when("30d"), NOW_S - INT64_C(30) * 86400);
}

CLAIM(when__dates_are_utc_whatever_the_machine_s_zone)
{
    CU_ASSERT_EQUAL(when("2027-01-15T08:00:00Z"), NOW_S);
    CU_ASSERT_EQUAL(when("2027-01-15T08:00Z"), NOW_S);
    CU_ASSERT_EQUAL(when("2027-01-15"), NOW_S - 8 * 3600);
}

CLAIM(when__anything_else_is_a_mistake_that_names_its_flag)
{
    static const char *const wrong[] = {
        "", "2", "yesterday", "2027-01-15T08:00:00", "2027-13-01", "2027-01-15T08:00:00Zz", "-2h"
    };
    for (size_t i = 0; i < SL_COUNT(wrong); i++) {
        struct sl_err err = { 0 };
        int64_t at_s = 7;
        CU_ASSERT_FALSE(ops_when("since", wrong[i], NOW_S, &at_s, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_USAGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--since"));
        CU_ASSERT_EQUAL(at_s, 7);
    }
}
