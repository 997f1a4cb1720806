/*
 * events_api - POST /api/v1/events: our own programs publish their events.
 *
 * A bearer token with the scope for it (tokens.h), JSON of one event or a batch (produced.h), and then the way of every event: confirmed, or what the policy of
 * source "internal" says (intake.h). Answers in batch.h.
 * Refuses: tokens in the query; what is compressed; more than PUB_BATCHES_MAX requests at once (503).
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_EVENTS_API_H
#define PUBLISHER_EVENTS_API_H

#include "publisher/breakers.h"
#include "publisher/guard/gate.h"
#include "publisher/guard/tokens.h"
#include "publisher/intake.h"

#define PUB_EVENTS_PATH "/api/v1/events"
#define PUB_BATCHES_MAX 64u

struct pub_events_api {
    const struct pub_tokens *tokens; /* all borrowed */
    const struct sl_sources *webhook_sources;
    struct pub_sources *sources;
    struct pub_intake *intake;
    struct pub_gate *gate;
    const struct pub_breakers *breakers; /* NULL: no database */
    struct sl_metrics *metrics;
    struct sl_json_parser *parser;
    const bool *is_draining;
    _Atomic size_t *batches; /* being answered, by all loops */
};

/* Answers now or later. */
void pub_events_api_take(struct pub_events_api *api, struct sl_http_request *request);

#endif
