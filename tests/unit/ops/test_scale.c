#include "ops/queue/scale.h"

#include <string.h>

#include "tests/support/claims.h"

/* Two workers of 50/s each, 200/s come in, 9000 wait: 10/s more in a quarter of an hour. */
static struct ops_scale_figures behind(void)
{
    return (struct ops_scale_figures){ .backlog = 9200,
                                       .waiting = 9000,
                                       .unacked = 200,
                                       .in_milli = 200000,
                                       .out_milli = 100000,
                                       .workers = 2,
                                       .workers_made = 2,
                                       .budget = 90,
                                       .others = 20,
                                       .headroom = 10,
                                       .target_s = 900 };
}

CLAIM(scale__needed_workers_keep_up_and_empty_the_backlog_in_time)
{
    struct ops_scale_figures figures = behind();
    struct ops_scale_advice advice = ops_scale_advise(&figures);
    CU_ASSERT_EQUAL(advice.needed, 5); /* (200 + 10.2) / 50 */
    CU_ASSERT_EQUAL(advice.room, 60);
    CU_ASSERT_EQUAL(advice.bound, OPS_BOUND_WORKERS);
}

CLAIM(scale__a_step_is_two_at_most_and_never_beyond_need_or_room)
{
    struct ops_scale_figures figures = behind();
    CU_ASSERT_EQUAL(ops_scale_advise(&figures).next, 4);
    figures.in_milli = 130000;
    CU_ASSERT_EQUAL(ops_scale_advise(&figures).next, 3);
    figures = behind();
    figures.budget = 33;
    CU_ASSERT_EQUAL(ops_scale_advise(&figures).next, 3);
    figures.budget = 32;
    struct ops_scale_advice advice = ops_scale_advise(&figures);
    CU_ASSERT_EQUAL(advice.next, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(advice.reason, "no room for one more"));
    figures.budget = 20;
    CU_ASSERT_EQUAL(ops_scale_advise(&figures).room, 0);
    CU_ASSERT_EQUAL(ops_scale_advise(&figures).bound, OPS_BOUND_DATABASE);
}

CLAIM(scale__a_database_that_suffers_gets_no_more_workers)
{
    struct ops_scale_figures figures = behind();
    figures.blocked = 1;
    struct ops_scale_advice advice = ops_scale_advise(&figures);
    CU_ASSERT_EQUAL(advice.next, 2);
    CU_ASSERT_EQUAL(advice.bound, OPS_BOUND_DATABASE);
    figures = behind();
    figures.busy_ms = 1500;
    advice = ops_scale_advise(&figures);
    CU_ASSERT_EQUAL(advice.next, 2);
    CU_ASSERT_EQUAL(advice.bound, OPS_BOUND_DATABASE);
}

CLAIM(scale__idle_workers_are_bound_by_the_broker)
{
    struct ops_scale_figures figures = behind();
    figures.unacked = 1;
    struct ops_scale_advice advice = ops_scale_advise(&figures);
    CU_ASSERT_EQUAL(advice.bound, OPS_BOUND_BROKER);
    CU_ASSERT_EQUAL(advice.next, 2);
}

CLAIM(scale__enough_is_left_alone)
{
    struct ops_scale_figures figures = behind();
    figures.in_milli = 10000;
    struct ops_scale_advice advice = ops_scale_advise(&figures);
    CU_ASSERT_EQUAL(advice.needed, 1);
    CU_ASSERT_EQUAL(advice.next, 2);
}

CLAIM(scale__without_a_pace_nothing_is_claimed)
{
    struct ops_scale_figures figures = behind();
    figures.out_milli = 0;
    struct ops_scale_advice advice = ops_scale_advise(&figures);
    CU_ASSERT_EQUAL(advice.needed, OPS_UNKNOWN);
    CU_ASSERT_EQUAL(advice.next, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(advice.reason, "nothing was settled"));
    figures.workers = 0;
    CU_ASSERT_PTR_NOT_NULL(strstr(ops_scale_advise(&figures).reason, "start the consumer"));
    figures.backlog = OPS_UNKNOWN;
    CU_ASSERT_PTR_NOT_NULL(strstr(ops_scale_advise(&figures).reason, "too little is known"));
}
