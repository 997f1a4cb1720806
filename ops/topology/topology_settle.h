/*
 * topology_settle - compares one planned object with the broker, and creates it when asked to.
 *
 * A passive declaration tells whether it is there; an active one of something that is there changes nothing and tells whether its
 * arguments are equal. Every difference is found, not only the first: what the broker reports is conceded and asked again.
 * Refuses: deleting, and creating anything unless may_create.
 * Threads: one.
 */
#ifndef OPS_TOPOLOGY_SETTLE_H
#define OPS_TOPOLOGY_SETTLE_H

#include "ops/broker.h"
#include "ops/topology/bindings.h"
#include "ops/topology/topology_drift.h"
#include "ops/topology/topology_plan.h"

enum ops_topology_state {
    OPS_TOPOLOGY_SAME,
    OPS_TOPOLOGY_CREATED, /* now, by us */
    OPS_TOPOLOGY_ENSURED, /* a binding that is there now; whether it was before is not known */
    OPS_TOPOLOGY_MISSING,
    OPS_TOPOLOGY_DIFFERS,
    OPS_TOPOLOGY_UNKNOWN, /* a binding nobody can ask for */
};
#define OPS_TOPOLOGY_STATES 6u
const char *ops_topology_state_name(enum ops_topology_state state);

struct ops_topology_seen {
    enum ops_topology_state state;
    struct ops_drift *drifts; /* DIFFERS: in the arena */
    size_t drift_count;
    const char
        *refusal; /* DIFFERS: the broker's last words when not all could be compared, else NULL */
    struct sl_amqp_declared counts;
};

struct ops_topology_settling {
    struct ops_broker *broker;
    const struct ops_topology_plan *plan;
    const struct ops_bindings *bindings; /* NULL: nobody could be asked */
    bool may_create;
    struct sl_arena *arena;
};

/* Fills seen[0…plan->count - 1] in the plan's order. */
bool ops_topology_settle(const struct ops_topology_settling *settling,
                         struct ops_topology_seen *seen, struct sl_err *err) SL_MUST;

#endif
