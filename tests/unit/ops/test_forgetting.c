#include "ops/stripe/forgetting.h"

#include "shared/scope.h"
#include "tests/support/claims.h"

#define DAY_S (INT64_C(24) * 3600)

CLAIM(forgetting__somebody_is_told_five_days_before_each_mark)
{
    static const struct {
        int64_t age_s;
        enum ops_forgetting want;
    } rows[] = {
        { -5, OPS_FORGETTING_NOT_YET },
        { 0, OPS_FORGETTING_NOT_YET },
        { 20 * DAY_S - 1, OPS_FORGETTING_NOT_YET },
        { 20 * DAY_S, OPS_FORGETTING_SOON },
        { 25 * DAY_S - 1, OPS_FORGETTING_SOON },
        { 25 * DAY_S, OPS_FORGETTING_LAST },
        { 30 * DAY_S, OPS_FORGETTING_LAST },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(ops_forgetting_of(rows[i].age_s), rows[i].want);
    }
}
