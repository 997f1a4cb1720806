/*
 * stripe_endpoint - what is wrong with a webhook endpoint, as sentences.
 *
 * Decides only. Source: https://docs.stripe.com/api/webhook_endpoints/object.
 * Threads: no state.
 */
#ifndef OPS_STRIPE_ENDPOINT_H
#define OPS_STRIPE_ENDPOINT_H

#include "shared/buf.h"
#include "shared/json/json.h"

struct ops_stripe_endpoint {
    struct sl_span id;
    struct sl_span url;
    struct sl_span status;      /* "enabled", "disabled" */
    struct sl_span api_version; /* absent: the account's */
    bool livemode;
    const struct sl_json *types; /* enabled_events, maybe with "*" */
};

/* Texts are decoded into the arena. */
void ops_stripe_endpoint_read(const struct sl_json *object, struct sl_arena *arena,
                              struct ops_stripe_endpoint *out);

/* Does it lead to one of our webhook paths below public_url (without a trailing slash)? */
bool ops_stripe_endpoint_is_ours(const struct ops_stripe_endpoint *endpoint,
                                 const char *public_url);

/* Appends a line, beginning with its id, for everything that is wrong with it, and what to do; nothing when it is well. */
void ops_stripe_endpoint_judge(const struct ops_stripe_endpoint *endpoint, struct sl_buf *out);

#endif
