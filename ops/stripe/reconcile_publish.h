/*
 * reconcile_publish - publishes events that Stripe listed and nobody here knows, at a rate, behind live events.
 *
 * After each batch it waits until no more than a batch is left in the subsystem's queue. The links are opened for the first event: a look changes nothing and
 * needs no broker.
 * Threads: one owner; blocks in its own loop, each call with a deadline.
 */
#ifndef OPS_STRIPE_RECONCILE_PUBLISH_H
#define OPS_STRIPE_RECONCILE_PUBLISH_H

#include "ops/broker.h"
#include "ops/trigger/courier.h"
#include "shared/arena.h"
#include "shared/event/envelope.h"

struct ops_reconcile_publisher {
    struct ops_address *address; /* borrowed, as all but the links */
    struct sl_arena *arena;
    const char *subsystem; /* whose queue is looked at */
    int64_t rate;          /* events a second, > 0 */
    int64_t batch;

    struct ops_courier *courier; /* owned; NULL until something is published */
    struct ops_broker *broker;   /* likewise */
    int64_t since_yield;         /* published since live events were last waited for */
};

/* Accepts zeroed storage. */
void ops_reconcile_publisher_done(struct ops_reconcile_publisher *publisher);

/* 1 to OPS_COURIER_BATCH_MAX events. out_outcomes says of each whether the broker has it. False: what the broker took before is not told. */
bool ops_reconcile_publish(struct ops_reconcile_publisher *publisher,
                           const struct sl_envelope *const *events, size_t count,
                           enum sl_publish_outcome *out_outcomes, struct sl_err *err) SL_MUST;

#endif
