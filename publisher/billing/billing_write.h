/*
 * billing_write - POST and PATCH below /api/v1/billing: Stripe first, then an event, then the answer.
 *
 * Stripe does it (stripe_client: an Idempotency-Key, the caller's or one of ours, retries, one budget of time); what it answers is the answer, and goes the way of every event
 * as an observation (stripe_observed), so that the billing consumer brings it into the tables. Nothing here writes a table.
 *     200  done, and the broker has confirmed the event
 *     202  done at Stripe; the tables follow later: from our journal, or with Stripe's own webhook. A sync that could not be kept is 503: nothing has happened
 * Stripe's refusals pass through as problems with its code, param and request id: 400, 402, 404, 409, 429 (Retry-After) as they are; its 5xx, and a key of ours that it
 * refuses, 502; no answer in time 504.
 * What Stripe repeats from an earlier try, or refuses because it is done already (a canceled subscription), is of an unknown time: the object is read once more, and that is observed.
 * Law: a caller that goes away does not cancel what was begun. At most PUB_BILLING_WRITES_MAX at once; more are answered 503.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_BILLING_WRITE_H
#define PUBLISHER_BILLING_WRITE_H

#include <sys/queue.h>

#include "publisher/billing/billing_wish.h"
#include "publisher/guard/tokens.h"
#include "publisher/intake.h"
#include "shared/stripe/stripe_client.h"

#define PUB_BILLING_WRITES_MAX SL_STRIPE_CALLS_MAX

struct pub_billing_write;
TAILQ_HEAD(pub_billing_write_list, pub_billing_write);

struct pub_billing_writes {
    struct sl_stripe_client *stripe; /* all borrowed; NULL: no STRIPE_API_KEY */
    struct sl_stripe_client
        *stripe_reads; /* for what only reads, maybe the same; NULL: no key at all */
    bool livemode;     /* of the keys */
    struct pub_intake *intake;
    struct pub_sources *sources;
    struct sl_json_parser *parser;
    struct sl_log *log;
    const bool *is_draining;
    struct pub_billing_write_list at_stripe; /* those that wait for Stripe */
    size_t count;                            /* of all that are not answered */
};

void pub_billing_writes_init(struct pub_billing_writes *writes);
/* Ends what waits for Stripe, with 503: whether it was done is not known. Before the client and the intake are freed. Accepts zeroed storage. */
void pub_billing_writes_done(struct pub_billing_writes *writes);

/* A request of a caller who may write; answers later, or now. */
void pub_billing_writes_take(struct pub_billing_writes *writes, enum pub_caller caller,
                             struct sl_http_request *request);

#endif
