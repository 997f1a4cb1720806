/*
 * delivery - reading what the broker handed over: the headers we use, as values.
 *
 * Decides only. A header that is missing or of another kind is absent or 0; the text of a number counts as that number.
 * Threads: no state.
 */
#ifndef CONSUMER_DELIVERY_H
#define CONSUMER_DELIVERY_H

#include "consumer/batch.h"
#include "shared/amqp_link.h"

struct sl_span con_delivery_text(const struct sl_amqp_delivery *delivery, const char *header);
int64_t con_delivery_number(const struct sl_amqp_delivery *delivery, const char *header);

/* Borrows from the delivery. */
struct con_arrival con_delivery_arrival(const struct sl_amqp_delivery *delivery);

#endif
