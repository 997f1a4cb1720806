/*
 * billing_wish - what a request to change billing asks for, and the call to Stripe that does it.
 *
 * Decides only.
 *     POST  customers                    POST   /v1/customers
 *     PATCH customers/{id}               POST   /v1/customers/{id}
 *     POST  subscriptions/{id}/cancel    DELETE /v1/subscriptions/{id}; with "at_period_end": true POST, cancel_at_period_end
 *     POST  {customers|subscriptions|invoices}/{id}/sync   GET of the object
 * The body is a JSON object of Stripe's own parameters; a sync has none. ?account= names a connected account.
 * Refuses: knowing Stripe's parameters; Stripe checks them, and its words are passed on.
 * Threads: no state.
 */
#ifndef PUBLISHER_BILLING_WISH_H
#define PUBLISHER_BILLING_WISH_H

#include "publisher/billing/billing_query.h"
#include "shared/json/json.h"

#define PUB_BILLING_WISH_BYTES_MAX (64u * 1024u)
#define PUB_BILLING_STRIPE_PATH    (3 * SL_EVENT_ID_BYTES_MAX + 32)

enum pub_billing_deed {
    PUB_BILLING_CREATE,
    PUB_BILLING_UPDATE,
    PUB_BILLING_CANCEL,
    PUB_BILLING_SYNC,
};

struct pub_billing_wish {
    enum pub_billing_deed deed;
    const char *name;   /* of the deed, for the log: "create" */
    const char *method; /* of the call to Stripe */
    char path[PUB_BILLING_STRIPE_PATH];
    char account[SL_EVENT_ID_BYTES_MAX + 1];
    struct sl_buf form;              /* the call's parameters */
    const char *allow;               /* of a 405 */
    char why[PUB_BILLING_WHY_BYTES]; /* when refused */
};

struct pub_billing_asked {
    struct sl_span method;
    struct sl_span path;
    struct sl_span query;
    struct sl_span body;
    struct sl_json_parser *parser;
    struct sl_arena *arena;
};

/* False: that is read, or tried in a way that the read API refuses. */
bool pub_billing_wish_is_for(struct sl_span method, struct sl_span path);
/* The methods of a path that is read. */
const char *pub_billing_allow(struct sl_span path);
/* 0, or the status of the refusal (400, 404, 405, 413) with out->why. Either way out is to be released. */
int pub_billing_wish_read(const struct pub_billing_asked *asked, struct pub_billing_wish *out);
void pub_billing_wish_done(struct pub_billing_wish *wish);

#endif
