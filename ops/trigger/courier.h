/*
 * courier - publishes messages at an even pace and says of each whether the broker has it.
 *
 * Persistent, mandatory, confirmed. What is not settled as CONFIRMED is for the caller to send again: that may make a second copy, never a loss.
 * Every wait ends: the link's own deadlines for a confirm, OPEN_MS for a connection.
 * Threads: runs a loop of its own inside each call.
 */
#ifndef OPS_COURIER_H
#define OPS_COURIER_H

#include "ops/address.h"
#include "shared/amqp/amqp_link.h"

#define OPS_COURIER_BATCH_MAX 64u

struct ops_courier;

/* Connects. */
struct ops_courier *ops_courier_new(const struct ops_address *address, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void ops_courier_free(struct ops_courier *courier);

/* Bytes of the largest body the broker takes, as far as it has said; 0: it has not. */
size_t ops_courier_takes(const struct ops_courier *courier);
/*
 * Sends up to OPS_COURIER_BATCH_MAX messages, one every gap_us from the last one on (also across calls), and waits until each is settled;
 * outcomes[i] is of messages[i], LOST when it was not sent. False when the broker cannot be reached, or takes a message not at all: SL_E_AMQP_TOO_LARGE
 * for one above ops_courier_takes(), which the next call may leave out.
 */
bool ops_courier_send(struct ops_courier *courier, const struct sl_amqp_message *messages,
                      size_t count, int64_t gap_us, enum sl_publish_outcome *out_outcomes,
                      struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct ops_courier *, ops_courier_free)

#endif
