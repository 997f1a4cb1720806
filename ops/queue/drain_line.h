/*
 * drain_line - what a drain says of itself in one line: how far it is, when it will be over, what sets the pace, or why it does not get less.
 *
 * Decides only. Threads: no state.
 */
#ifndef OPS_DRAIN_LINE_H
#define OPS_DRAIN_LINE_H

#include "ops/queue/queue_look.h"
#include "ops/queue/queue_pace.h"
#include "ops/queue/scale.h"

#define OPS_DRAIN_LINE_BYTES 320u

struct ops_drain_view {
    const struct ops_queue_facts *facts;
    const struct sl_err *broker_err; /* code SL_E_NONE: it answered */
    struct ops_pace_outlook outlook;
    struct ops_scale_advice advice;
    struct ops_flow flow;
    int64_t most; /* the largest backlog of this drain */
    int64_t stuck_s;
    bool has_bar;
};

void ops_drain_line(const struct ops_drain_view *view, char out_line[OPS_DRAIN_LINE_BYTES]);

#endif
