#include "ops/queue/queue_pace.h"

#include "tests/support/claims.h"

/* A sample a second. */
static struct ops_pace_outlook after(const int64_t *backlogs, size_t count)
{
    struct ops_pace pace = { 0 };
    for (size_t i = 0; i < count; i++) {
        ops_pace_note(&pace, (int64_t)i * 1000, backlogs[i]);
    }
    return ops_pace_look(&pace);
}

CLAIM(queue_pace__too_few_looks_say_nothing)
{
    const int64_t backlogs[] = { 100, 90, 80 };
    CU_ASSERT_EQUAL(after(backlogs, 3).verdict, OPS_PACE_UNKNOWN);
}

CLAIM(queue_pace__a_steady_pace_has_one_end)
{
    const int64_t backlogs[] = { 100, 90, 80, 70, 60 };
    struct ops_pace_outlook outlook = after(backlogs, 5);
    CU_ASSERT_EQUAL(outlook.verdict, OPS_PACE_DRAINING);
    CU_ASSERT_EQUAL(outlook.soonest_s, 6);
    CU_ASSERT_EQUAL(outlook.latest_s, 6);
}

CLAIM(queue_pace__an_uneven_pace_has_a_range)
{
    const int64_t backlogs[] = { 1000, 980, 880, 870, 770, 750, 650 };
    struct ops_pace_outlook outlook = after(backlogs, 7);
    CU_ASSERT_EQUAL(outlook.verdict, OPS_PACE_DRAINING);
    CU_ASSERT_EQUAL(outlook.soonest_s, 7);
    CU_ASSERT_EQUAL(outlook.latest_s, 33);
}

CLAIM(queue_pace__standing_still_or_growing_is_not_draining)
{
    const int64_t still[] = { 5, 5, 5, 5, 5 };
    const int64_t growing[] = { 5, 6, 7, 6, 9 };
    CU_ASSERT_EQUAL(after(still, 5).verdict, OPS_PACE_NOT_DRAINING);
    CU_ASSERT_EQUAL(after(growing, 5).verdict, OPS_PACE_NOT_DRAINING);
}

CLAIM(queue_pace__sometimes_standing_still_has_no_end_at_worst)
{
    const int64_t backlogs[] = { 100, 90, 80, 80, 70, 60 };
    struct ops_pace_outlook outlook = after(backlogs, 6);
    CU_ASSERT_EQUAL(outlook.verdict, OPS_PACE_DRAINING);
    CU_ASSERT_EQUAL(outlook.soonest_s, 6);
    CU_ASSERT_TRUE(outlook.latest_s == 6 || outlook.latest_s == -1);
}

CLAIM(queue_pace__only_the_newest_looks_count)
{
    struct ops_pace pace = { 0 };
    for (int64_t i = 0; i < (int64_t)OPS_PACE_WINDOW * 2; i++) {
        ops_pace_note(&pace, i * 1000, i < (int64_t)OPS_PACE_WINDOW ? 500 : 1000 - i * 5);
    }
    CU_ASSERT_EQUAL(ops_pace_look(&pace).verdict, OPS_PACE_DRAINING);
    CU_ASSERT_EQUAL(ops_pace_look(&pace).latest_s, (1000 - 119 * 5 + 4) / 5);
}
