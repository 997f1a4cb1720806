/*
 * delay_route - how a message reaches one subsystem, or all that are bound to an event, after any number of seconds: where to publish it, and with which key.
 *
 * Decides only. The key is the seconds in binary, one word a digit from the highest, and then a subsystem's name, or the word `events` and the event's own key; the
 * exchange is that of the highest digit that is 1, which saves the hops above it. 0 seconds go to where every delay ends.
 * Law: schemas/topology.md, "Waiting any number of seconds".
 * Threads: no state.
 */
#ifndef SHARED_DELAY_ROUTE_H
#define SHARED_DELAY_ROUTE_H

#include <stdint.h>

#include "shared/span.h"

#define SL_DELAY_LEVELS       20u
#define SL_DELAY_S_MAX        ((INT64_C(1) << SL_DELAY_LEVELS) - 1) /* 12.1 days */
#define SL_DELAY_TARGET_BYTES 200u     /* what stands behind the digits */
#define SL_DELAY_EVENTS       "events" /* no subsystem has this name */
#define SL_DELAY_REPLAY       "replay" /* behind a subsystem's name: its queue of replays */
#define SL_DUE_EXCHANGE       "sluice.due"

struct sl_delay_route {
    char exchange[24];
    char key[2 * SL_DELAY_LEVELS + SL_DELAY_TARGET_BYTES + 1];
};

/* seconds from 0 to SL_DELAY_S_MAX; a name of at most SL_DELAY_TARGET_BYTES, or <subsystem>.replay. */
void sl_delay_route(int64_t seconds, const char *target, struct sl_delay_route *out);
/* The same for an event on its way to everybody who is bound to its key, <source>.<type>. */
void sl_delay_event_route(int64_t seconds, struct sl_span event_key, struct sl_delay_route *out);

/* Whether a routing key is one of these, so not the one that the event was published with. */
bool sl_delay_is_key(struct sl_span routing_key);
/* Whether it is one that leads to a subsystem's queue of replays. */
bool sl_delay_is_replay_key(struct sl_span routing_key);

#endif
