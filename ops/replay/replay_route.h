/*
 * replay_route - where a dead letter's copy is published so that its own subsystem gets it, and no other.
 *
 * Decides only. A subsystem's letter goes through sluice.due with a delay of nothing (twenty words, the name and `replay`: schemas/topology.md), which only its
 * queue of replays is bound to. A letter that no queue was bound to has no subsystem: it goes where it went first, to all that are bound to its key by now.
 * Threads: no state.
 */
#ifndef OPS_REPLAY_ROUTE_H
#define OPS_REPLAY_ROUTE_H

#include "shared/err.h"
#include "shared/span.h"

#define OPS_REPLAY_KEY_BYTES 256u
#define OPS_UNROUTED_NAME    "unrouted" /* in place of a subsystem */

struct ops_replay_route {
    const char *exchange;
    char key[OPS_REPLAY_KEY_BYTES];
};

/* routing_key: the letter's original one, may be absent. False for a letter of no subsystem whose key is not known. */
bool ops_replay_route(struct sl_span subsystem, struct sl_span routing_key,
                      struct ops_replay_route *out_route, struct sl_err *err) SL_MUST;

#endif
