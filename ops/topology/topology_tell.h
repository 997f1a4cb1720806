/*
 * topology_tell - what apply and diff found, for people and for programs.
 *
 * People see what is not as it was or should be, the delay levels as one line, and for each difference what is, what should be, and
 * how to get there. Programs see every object.
 * Threads: one.
 */
#ifndef OPS_TOPOLOGY_TELL_H
#define OPS_TOPOLOGY_TELL_H

#include "ops/flags.h"
#include "ops/topology/topology_settle.h"

struct ops_topology_report {
    const struct ops_topology_plan *plan;
    const struct ops_topology_seen *seen; /* plan->count of them */
    const struct ops_bindings *bindings;  /* NULL: not known */
    const struct sl_amqp_url *url;
    bool is_apply;
    bool all; /* also what is as it should be */
};

bool ops_topology_tell(const struct ops_topology_report *report, enum ops_output output,
                       struct sl_err *err) SL_MUST;

/* How many objects are in a state. */
size_t ops_topology_count(const struct ops_topology_report *report, enum ops_topology_state state);

#endif
