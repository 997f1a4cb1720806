/*
 * receipt - what the broker is told of the deliveries in hand: which are settled, which it has back, and whether it may send more.
 *
 * Law: a settled delivery is acknowledged and no other (settle decides which acknowledgements say so). What cannot be said goes with a connection that is
 * ending, and comes again.
 * Counts what is in hand, what came for the second time, and what was given back.
 * Threads: one loop.
 */
#ifndef CONSUMER_RECEIPT_H
#define CONSUMER_RECEIPT_H

#include "consumer/batch.h"
#include "shared/amqp/amqp_link.h"
#include "shared/log.h"
#include "shared/metrics.h"

struct con_receipt {
    struct sl_log *log; /* borrowed, as everything here */
    struct sl_amqp_link *broker;
    struct con_batch *batch;
    struct sl_series *inflight;
    struct sl_series *returned;
    struct sl_series *redelivered;
};

/* Fills in the rest of what the caller has set: log, broker, batch. */
void con_receipt_init(struct con_receipt *receipt, struct sl_metrics *metrics,
                      const char *subsystem);

/* One has come; is_again: not for the first time. */
void con_receipt_came(struct con_receipt *receipt, bool is_again);
/* It is in the batch now. */
void con_receipt_held(struct con_receipt *receipt);
/* It is not, and goes back to its queue. */
void con_receipt_return(struct con_receipt *receipt, uint64_t tag);

/* Acknowledges what is SETTLED, and takes it out of the batch. */
void con_receipt_settle(struct con_receipt *receipt);
/* Gives back what is WAITING, and takes it out of the batch. */
void con_receipt_release(struct con_receipt *receipt);
/* What still comes is given back at once: it is to be read, however much is held. */
void con_receipt_read_on(struct con_receipt *receipt);
/* So many left the batch without a word: their connection is gone. */
void con_receipt_forgot(struct con_receipt *receipt, size_t count);

#endif
