/*
 * amqp_wire_method - what a decoded method of the broker says, in our own words.
 *
 * Decides only. A method that nobody here waits for is not known, whatever the codec makes of it.
 * Source: AMQP 0-9-1, classes connection, channel, confirm, exchange, queue and basic.
 * Threads: no state.
 */
#ifndef SHARED_AMQP_WIRE_METHOD_H
#define SHARED_AMQP_WIRE_METHOD_H

#include "shared/amqp/amqp_wire.h"

/* fields: what the codec decoded for this id. Texts borrow from it. False, and nothing is said: not known. */
bool sl_wire_method_says(uint32_t id, const void *fields, struct sl_wire_frame *out_frame) SL_MUST;

#endif
