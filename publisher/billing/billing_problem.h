/*
 * billing_problem - what Stripe refused, in our callers' terms: a problem with Stripe's own words.
 *
 * Decides the status; what only concerns the key between Stripe and us (401, 403) is not the caller's fault: 502.
 * Refuses: passing on what Stripe says of a key.
 * Source: https://docs.stripe.com/api/errors, RFC 9457.
 * Threads: belongs to the request's loop.
 */
#ifndef PUBLISHER_BILLING_PROBLEM_H
#define PUBLISHER_BILLING_PROBLEM_H

#include "shared/http/http_server.h"
#include "shared/json/json.h"
#include "shared/stripe/stripe_client.h"

/* status 0: no answer; code says why. */
int pub_billing_problem_status(int stripe_status, enum sl_code code);
/* Ends the request. root: Stripe's answer; NULL: it cannot be read. */
void pub_billing_problem_reply(struct sl_http_request *request,
                               const struct sl_stripe_answer *answer, const struct sl_json *root,
                               struct sl_arena *arena);

#endif
