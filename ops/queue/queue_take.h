/*
 * queue_take - takes messages out of a queue, oldest first, in rounds: first they are shown, then, in a second call, they are gone.
 *
 * A round consumes with a prefetch of exactly what it wants, so the broker never hands out more than that, and stops consuming before anything is acknowledged.
 * What is not settled returns to the queue when the connection ends, whatever ended it.
 * Refuses: acknowledging what the caller has not taken; a round without a bound.
 * Threads: runs a loop of its own inside each call.
 */
#ifndef OPS_QUEUE_TAKE_H
#define OPS_QUEUE_TAKE_H

#include "ops/address.h"
#include "shared/amqp/amqp_link.h"

#define OPS_TAKE_ROUND_MAX 500u
/* RabbitMQ's own limit for a message, from 4.0 on. */
#define OPS_TAKE_MESSAGE_BYTES_MAX ((size_t)16 * 1024 * 1024)

struct ops_take;

struct ops_take_opts {
    const struct ops_address *address;
    const char *queue; /* copied */
    /* Is shown each message of a round; false ends the round with the error. */
    bool (*on_message)(const struct sl_amqp_delivery *delivery, void *arg, struct sl_err *err);
    void *arg;
};

/* Connects. */
struct ops_take *ops_take_new(const struct ops_take_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. What is not settled goes back. */
void ops_take_free(struct ops_take *take);

/* How many wait and how many consume, not counting ourselves between two rounds. SL_E_AMQP_NOT_FOUND without such a queue. */
bool ops_take_count(struct ops_take *take, struct sl_amqp_declared *out_counts,
                    struct sl_err *err) SL_MUST;
/* Shows up to `most` (<= OPS_TAKE_ROUND_MAX) messages; *out_shown is less when no more came for a while. The round before was settled. */
bool ops_take_round(struct ops_take *take, size_t most, size_t *out_shown,
                    struct sl_err *err) SL_MUST;
/* Acknowledges the round, and waits until the broker has read that. */
bool ops_take_settle(struct ops_take *take, struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct ops_take *, ops_take_free)

#endif
