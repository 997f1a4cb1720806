/*
 * broker - declarations on a broker, one after the other, each waited for.
 *
 * A refused declaration costs the channel, so the next one opens a new connection: nothing here waits for a backoff.
 * Every wait ends: at the answer, at the link's own deadlines, or at `wait_ms` for the first connection.
 * Refuses: publishing, consuming, deleting.
 * Threads: runs a loop of its own inside each call.
 */
#ifndef OPS_BROKER_H
#define OPS_BROKER_H

#include "ops/address.h"
#include "shared/amqp/amqp_link.h"

struct ops_broker;

enum ops_declared {
    OPS_DECLARED,          /* it is there now, and as asked for */
    OPS_DECLARED_MISSING,  /* passive: there is none */
    OPS_DECLARED_CONFLICT, /* there is one with other properties: the broker's words are in err */
    OPS_DECLARED_FAILED,   /* anything else */
};

/* Connects. wait_ms 0: one attempt a host; else attempts go on for that long. */
struct ops_broker *ops_broker_new(const struct ops_address *address, int64_t wait_ms,
                                  struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void ops_broker_free(struct ops_broker *broker);

/* out_counts (may be NULL) is filled for queues. err is filled for all but OPS_DECLARED. */
enum ops_declared ops_broker_declare(struct ops_broker *broker,
                                     const struct sl_amqp_declare *declare,
                                     struct sl_amqp_declared *out_counts, struct sl_err *err);

/* Of the broker that was met last, as sl_amqp_link_version. */
unsigned ops_broker_version(const struct ops_broker *broker);
/* The URL taken apart; borrowed. */
const struct sl_amqp_url *ops_broker_url(const struct ops_broker *broker);

SL_DEFINE_AUTO(struct ops_broker *, ops_broker_free)

#endif
