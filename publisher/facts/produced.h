/*
 * produced - events that our own programs publish, as POST /api/v1/events takes them.
 *
 * Decides only. One event or a batch, in either of two forms:
 *
 *     simple       {"id","type","data"?,"source"?,"account"?,"object"?,"livemode"?,"occurred_at"?,"deliver_at"?}
 *     CloudEvents  structured JSON, version 1.0; `subject` is the object, `source` the account, so that (source, id) names an event as the
 *                  specification wants it; the extension `deliverat` is deliver_at, `livemode` livemode
 *
 * A batch is an array, or {"events":[…]}. An event that is wrong has a fault and does not spoil its neighbours; what cannot be read at all is one fault.
 * Law: the id makes a retry safe, so it is required. The bytes of each event travel as they came. Nobody can speak for a webhook source.
 * Source: CloudEvents specification 1.0.2, "JSON Event Format".
 * Threads: no shared state.
 */
#ifndef PUBLISHER_PRODUCED_H
#define PUBLISHER_PRODUCED_H

#include "shared/event/envelope.h"
#include "shared/json/json.h"
#include "shared/signature/sources.h"

#define PUB_PRODUCED_MAX 500u

struct pub_produced {
    struct sl_envelope envelope; /* borrows from the arena */
    struct sl_span shown_id;     /* for the answer; absent when it cannot be read */
    const char *fault;           /* NULL: fine */
    bool is_held_back;           /* the fault is not its own: a breaker is open */
};

struct pub_production {
    struct pub_produced *items; /* in the arena */
    size_t count;
    bool is_batch;
};

struct pub_production_opts {
    struct sl_json_parser *parser;
    struct sl_arena *arena;
    const struct sl_sources *sources; /* whose names are taken */
    struct sl_span content_type;      /* of the request; may be absent */
    int64_t received_at_us;
};

/* NULL, or what is wrong with the body as a whole. */
const char *pub_production_read(const struct pub_production_opts *opts, struct sl_span body,
                                struct pub_production *out) SL_MUST;

#endif
