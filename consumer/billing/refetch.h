/*
 * refetch - asks Stripe how objects are of which events did not say enough, and publishes each answer as an event that billing applies.
 *
 * One per process, when there is a key. Works from the table billing_refetch, whose rows are written with the events that ask, so that none is forgotten and many events about
 * one object are one question. A round takes up to REFETCH_ROUND objects for a while, asks about all of them, publishes what it hears (shared/stripe/stripe_observed.h) and
 * notes what became of each; one that failed is due again after five seconds, doubled each time, at most an hour, for ever (refetch_rows).
 * Every orphan_ms it also asks for what recent events refer to and nothing has told of.
 * Lists that Stripe shows in part are fetched to their end (refetch_question). That Stripe does not know an object is believed only where an event says that it was deleted.
 * Refuses: writing billing's tables; changing anything at Stripe; asking with a key of the other mode.
 * Threads: one loop.
 */
#ifndef CONSUMER_BILLING_REFETCH_H
#define CONSUMER_BILLING_REFETCH_H

#include "shared/amqp/amqp_url.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/metrics.h"

struct con_refetch;

struct con_refetch_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_amqp_url *amqp;
    const char *database_url;
    const char *service;
    const char *subsystem; /* whose inbox says what has arrived */
    const char *key;       /* Stripe's */
    bool livemode;         /* of the key */
    const char *base;      /* of Stripe's API; NULL: Stripe's own */
    int64_t orphan_ms; /* how long a parent may go untold, and how often that is looked at; > 0 */
};

struct con_refetch *con_refetch_new(const struct con_refetch_opts *opts,
                                    struct sl_err *err) SL_MUST;
/* What is under way comes again. Accepts NULL. */
void con_refetch_free(struct con_refetch *refetch);

#endif
