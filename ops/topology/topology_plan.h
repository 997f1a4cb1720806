/*
 * topology_plan - which exchanges, queues and bindings the enabled subsystems need, in the order to declare them.
 *
 * Decides only: subsystems in, declarations out. Exchanges come before the queues that dead-letter to them, both before their bindings.
 * Law: schemas/topology.def, explained in schemas/topology.md.
 * Refuses: queues for subsystems that are not enabled (nobody would read them).
 * Threads: no state.
 */
#ifndef OPS_TOPOLOGY_PLAN_H
#define OPS_TOPOLOGY_PLAN_H

#include "shared/amqp/amqp_link.h"
#include "shared/arena.h"
#include "shared/event/delay_route.h"
#include "shared/subsystem/subsystems.h"

#define OPS_TOPOLOGY_STEPS_MAX   2048u
#define OPS_TOPOLOGY_ARENA_BYTES (1024u * 1024u)

struct ops_topology_step {
    struct sl_amqp_declare declare; /* texts live in the plan's arena */
    const char *subsystem;          /* whose it is; NULL: common to all */
    bool is_delay;                  /* belongs to the delay levels */
};

struct ops_topology_plan {
    struct ops_topology_step *steps;
    size_t count;
};

/* out's texts live in the arena. */
bool ops_topology_plan_make(const struct sl_subsystems *subsystems, struct sl_arena *arena,
                            struct ops_topology_plan *out, struct sl_err *err) SL_MUST;

/* "exchange", "queue" or "binding". */
const char *ops_topology_kind(const struct sl_amqp_declare *declare);

#endif
