/*
 * reading - the deliveries of a batch as events: what is in them, and which of them an operator wants set aside.
 *
 * Decides only. A message that is no envelope is DEAD, and so is what an operator parks, also when the handler cannot read it: an operator's word comes before the event's own fault.
 * Threads: no state.
 */
#ifndef CONSUMER_READING_H
#define CONSUMER_READING_H

#include "consumer/batch.h"
#include "consumer/handler.h"
#include "consumer/orders.h"

/* events[i] becomes that of deliveries[i]. False when there is no memory for so many; the arena was reset. */
bool con_reading_read(const struct con_handler *handler, struct sl_arena *arena,
                      struct con_delivery *const *deliveries, struct con_event *events,
                      size_t count, size_t *out_replaced) SL_MUST;
/* order may be NULL. */
void con_reading_park(struct con_event *events, size_t count, const struct con_order *order,
                      int64_t wall_us);
bool con_reading_has_held(const struct con_event *events, size_t count);

#endif
