#include "ops/queue/drain_line.h"

#include <string.h>

#include "tests/support/claims.h"

static const struct sl_subsystem billing = { .name = "billing" };
static const struct sl_err no_err;

static struct ops_queue_facts facts(void)
{
    return (struct ops_queue_facts){ .subsystem = &billing,
                                     .waiting = 300,
                                     .unacked = 50,
                                     .delayed = 25,
                                     .consumers = 2,
                                     .workers = 2,
                                     .idle_s = 1 };
}

static const char *line_of(const struct ops_queue_facts *facts, struct ops_drain_view view)
{
    static char line[OPS_DRAIN_LINE_BYTES];
    view.facts = facts;
    view.broker_err = &no_err;
    view.stuck_s = view.stuck_s == 0 ? OPS_STUCK_S : view.stuck_s;
    ops_drain_line(&view, line);
    return line;
}

CLAIM(drain_line__a_range_and_what_sets_the_pace)
{
    struct ops_queue_facts now = facts();
    const struct ops_drain_view view = { .outlook = { OPS_PACE_DRAINING, 12, 40 },
                                         .advice = { .bound = OPS_BOUND_WORKERS } };
    CU_ASSERT_STRING_EQUAL(
        line_of(&now, view),
        "billing: 300 waiting, 50 in hand, 25 delayed; empty in 12 to 40 s; bound by the workers");
}

CLAIM(drain_line__the_bar_is_what_is_done_of_the_most_there_was)
{
    struct ops_queue_facts now = facts();
    const struct ops_drain_view view = { .most = 1500, .has_bar = true };
    CU_ASSERT_PTR_NOT_NULL(
        strstr(line_of(&now, view), "billing: [##################------]  75 %  300 waiting"));
    now.waiting = OPS_UNKNOWN;
    CU_ASSERT_PTR_NULL(strchr(line_of(&now, view), '['));
    CU_ASSERT_PTR_NOT_NULL(strstr(line_of(&now, view), "unknown waiting"));
}

CLAIM(drain_line__not_draining_says_how_many_more_workers)
{
    struct ops_queue_facts now = facts();
    struct ops_drain_view view = { .outlook = { .verdict = OPS_PACE_NOT_DRAINING },
                                   .flow = { .in_milli = 40000, .out_milli = 30500 },
                                   .advice = { .bound = OPS_BOUND_WORKERS, .needed = 5 } };
    CU_ASSERT_PTR_NOT_NULL(
        strstr(line_of(&now, view), "not draining: 40.0/s in, 30.5/s out; needs 3 more workers"));
    view.advice.bound = OPS_BOUND_DATABASE;
    CU_ASSERT_PTR_NOT_NULL(
        strstr(line_of(&now, view), "; bound by the database; sluice queue diagnose billing"));
}

CLAIM(drain_line__stuck_names_the_one_to_restart)
{
    struct ops_queue_facts now = facts();
    now.idle_s = OPS_STUCK_S;
    snprintf(now.wedged, sizeof now.wedged, "sluice-consumer/host/7");
    CU_ASSERT_PTR_NOT_NULL(strstr(
        line_of(&now, (struct ops_drain_view){ 0 }),
        "stuck: nothing was settled for 1800 s; sluice-consumer/host/7 holds deliveries: restart that one"));
    now.waiting = 0;
    CU_ASSERT_PTR_NULL(strstr(line_of(&now, (struct ops_drain_view){ 0 }), "stuck"));
}

CLAIM(drain_line__why_it_cannot_drain_comes_before_its_pace)
{
    struct ops_queue_facts now = facts();
    now.idle_s = OPS_STUCK_S;
    now.consumers = 0;
    CU_ASSERT_PTR_NOT_NULL(
        strstr(line_of(&now, (struct ops_drain_view){ 0 }), "nobody consumes it"));
    snprintf(now.note, sizeof now.note, "paused");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(line_of(&now, (struct ops_drain_view){ 0 }), "paused; sluice queue resume billing"));
}
