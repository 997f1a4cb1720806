/*
 * billing_api - /api/v1/billing/…: what the tables hold, for our own callers; what changes them goes on to billing_write.
 *
 * A bearer token with the scope for it (tokens.h), a query (billing_query.h), one read (reader.h), and JSON in Stripe's form with an ETag; refusals are problems
 * (RFC 9457). Without a database it answers 503, and webhooks go on.
 * Refuses: tokens in the query.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_BILLING_API_H
#define PUBLISHER_BILLING_API_H

#include "publisher/billing/billing_query.h"
#include "publisher/billing/billing_write.h"
#include "publisher/billing/reader.h"
#include "publisher/guard/tokens.h"
#include "shared/http/http_server.h"

struct pub_billing_api {
    const struct pub_tokens *tokens; /* all borrowed */
    struct pub_reader *reader;       /* NULL: no database is configured */
    struct pub_billing_writes *writes;
    struct sl_metrics *metrics;
};

/* Answers now or later. */
void pub_billing_api_take(struct pub_billing_api *api, struct sl_http_request *request);

#endif
