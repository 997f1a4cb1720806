#include "ops/stripe/reconcile_tell.h"

#include "ops/stripe/forgetting.h"
#include "shared/scope.h"
#include "tests/support/claims.h"

#define DAY_S  86400
#define NOW_S  (INT64_C(20000) * DAY_S)
#define ACTING true

CLAIM(reconcile_tell__a_missing_event_is_counted_by_how_soon_stripe_forgets_it)
{
    struct ops_reconcile_counts counts = { 0 };
    const int64_t days[] = { 1, OPS_FORGETTING_SOON_DAYS + 1, OPS_FORGETTING_LAST_DAYS + 1 };
    for (size_t i = 0; i < SL_COUNT(days); i++) {
        ops_reconcile_count_missing(&counts, NOW_S - days[i] * DAY_S, NOW_S);
    }
    CU_ASSERT_EQUAL(counts.missing, 3);
    CU_ASSERT_EQUAL(counts.soon, 1);
    CU_ASSERT_EQUAL(counts.last, 1);
    CU_ASSERT_EQUAL(counts.oldest_s, NOW_S - days[2] * DAY_S);
}

CLAIM(reconcile_tell__the_exit_status_says_what_is_left_to_do)
{
    static const struct {
        struct ops_reconcile_counts counts;
        bool is_acting;
        int status;
    } rows[] = {
        { { .listed = 5, .applied = 5 }, !ACTING, 0 },
        { { .listed = 5, .missing = 2 }, !ACTING, 1 },
        { { .listed = 5, .missing = 2, .last = 1 }, !ACTING, 4 },
        { { .listed = 5, .missing = 2, .last = 1, .published = 2 }, ACTING, 0 },
        { { .listed = 5, .missing = 2, .published = 1 }, ACTING, 3 },
        { { .listed = 5, .dead = 2 }, !ACTING, 0 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(ops_reconcile_tell(&rows[i].counts, rows[i].is_acting), rows[i].status);
    }
}
