/*
 * scale_look - the figures for advice on workers, from a look at a queue and a glance at the sessions.
 *
 * Threads: no state.
 */
#ifndef OPS_SCALE_LOOK_H
#define OPS_SCALE_LOOK_H

#include "ops/queue/queue_look.h"
#include "ops/queue/scale.h"

/* What a person said; 0: the usual. */
struct ops_scale_wish {
    int64_t budget; /* sessions; without it what the server takes */
    int64_t headroom;
    int64_t target_s;
};

/* wish may be NULL. */
struct ops_scale_figures ops_scale_figures_of(const struct ops_queue_facts *facts,
                                              const struct ops_flow *flow,
                                              const struct ops_cause_figures *sessions,
                                              const struct ops_scale_wish *wish);

#endif
