/*
 * settle - which acknowledgements say that the settled deliveries are settled, and no others.
 *
 * Decides only: the owner sends them. A run of settled deliveries at the head of what is held is one acknowledgement with
 * `multiple`, which covers every earlier tag of the channel; behind a delivery that is still in work each one is acknowledged alone. What has no tag (batch.h) is dropped without a
 * word, and cannot be given back.
 * Source: AMQP 0-9-1, basic.ack, field multiple.
 * Threads: no state.
 */
#ifndef CONSUMER_SETTLE_H
#define CONSUMER_SETTLE_H

#include "consumer/batch.h"

/* Hands out each acknowledgement in order of tags and drops what it covers from the batch; returns how many deliveries that were. */
size_t con_settle(struct con_batch *batch, void (*ack)(void *arg, uint64_t tag, bool multiple),
                  void *arg);

/* Hands out the tag of each delivery that has one and waits for a transaction, in order, and drops it: for giving them back to the queue. */
size_t con_settle_release(struct con_batch *batch, void (*release)(void *arg, uint64_t tag),
                          void *arg);

#endif
