/*
 * guard - keeps out what did not come through our edge (origin.h), and tells whose address counts.
 *
 * Covers /api, /webhooks and a /health that came through a proxy; never /livez and /readyz, which the platform asks from beside us. In mode report it only
 * counts, so that an operator can see what would be refused before it is.
 * Refuses: a reason in the answer.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_GUARD_H
#define PUBLISHER_GUARD_H

#include "publisher/origin.h"
#include "shared/http/http_server.h"
#include "shared/log.h"
#include "shared/metrics.h"

struct pub_guard {
    const struct pub_origin *origin; /* all borrowed */
    const char *secret_header;
    struct sl_log *log;
    struct sl_metrics *metrics;
    int64_t told_ms; /* monotonic, of the last log line; there is one a second at most */
};

/* True: go on, *out_client (borrowed from the request) is whose address counts. False: answered 403. */
bool pub_guard_admit(struct pub_guard *guard, struct sl_http_request *request,
                     struct sl_span *out_client) SL_MUST;

#endif
