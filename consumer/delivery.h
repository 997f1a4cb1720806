/*
 * delivery - reading what the broker handed over: the headers we use, as values.
 *
 * Decides only. A header that is missing or of another kind is absent or 0; the text of a number counts as that number.
 * Threads: no state.
 */
#ifndef CONSUMER_DELIVERY_H
#define CONSUMER_DELIVERY_H

#include "consumer/batch.h"
#include "shared/amqp/amqp_link.h"

#define CON_REHEARSAL_HEADER "sluice-rehearsal" /* on a copy that is to be tried and not applied */

struct sl_span con_delivery_text(const struct sl_amqp_delivery *delivery, const char *header);
int64_t con_delivery_number(const struct sl_amqp_delivery *delivery, const char *header);

/* Borrows from the delivery. */
struct con_arrival con_delivery_arrival(const struct sl_amqp_delivery *delivery);

/*
 * Seconds by which this delivery is too early: its event is to wait delay_ms from its publication to its first try, and it comes straight from the
 * exchange of events, by a binding made before the delay was set for instance. 0: it is not.
 */
int64_t con_delivery_early_s(const struct sl_amqp_delivery *delivery, int64_t delay_ms,
                             int64_t now_ms);

#endif
