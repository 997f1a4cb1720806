/*
 * billing_query - a request of the billing read API as a prepared statement and its parameters.
 *
 * Decides only. Paths: /api/v1/billing/customers|subscriptions|invoices, and /{id} below each. Parameters as Stripe has them: limit (1 to 100, 10), starting_after or
 * ending_before, created[gte|gt|lte|lt], and the kind's own; besides account ("": the own one) and livemode (true unless said otherwise: test
 * objects are never shown for live ones).
 * Refuses: a parameter it does not know or that is given twice, with a sentence for the caller.
 * Threads: no state.
 */
#ifndef PUBLISHER_BILLING_QUERY_H
#define PUBLISHER_BILLING_QUERY_H

#include "shared/event/envelope.h"
#include "shared/pg/pg_link.h"

#define PUB_BILLING_PREFIX      "/api/v1/billing/"
#define PUB_BILLING_PARAMS_MAX  12u
#define PUB_BILLING_LIMIT_MAX   100
#define PUB_BILLING_VALUE_BYTES (SL_EVENT_ID_BYTES_MAX + 1)
#define PUB_BILLING_WHY_BYTES   160u

struct pub_billing_query {
    const char *statement; /* "customer_list" */
    const char *kind;      /* "customer" */
    bool is_list;
    bool is_back; /* ending_before: the row too many is the first */
    int64_t limit;
    bool has_cursor;
    char values[PUB_BILLING_PARAMS_MAX][PUB_BILLING_VALUE_BYTES];
    bool is_set[PUB_BILLING_PARAMS_MAX]; /* false: NULL */
    size_t param_count;
    char why[PUB_BILLING_WHY_BYTES]; /* when refused */
};

/* 0 when out is to be run; else the status of the refusal (400, 404), with out->why. */
int pub_billing_query_read(struct sl_span path, struct sl_span query,
                           struct pub_billing_query *out);

/* The parameters, borrowed from query. */
void pub_billing_query_params(const struct pub_billing_query *query,
                              struct sl_pg_param out_params[PUB_BILLING_PARAMS_MAX]);
/* The statement that gets the object a page begins behind, and its parameters; only with has_cursor. */
const char *pub_billing_query_cursor(const struct pub_billing_query *query,
                                     struct sl_pg_param out_params[3]);

#endif
