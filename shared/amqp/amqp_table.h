/*
 * amqp_table - is an encoded field table shallow enough to be decoded by recursion?
 *
 * Decides only, over bytes from outside. The codec library decodes nested tables and arrays by calling itself without a limit, so one
 * frame of nested tables could overrun the stack; this walk uses none. Refuses: decoding; it only counts.
 * Source: AMQP 0-9-1, 4.2.5.5, with the field types as RabbitMQ has them (rabbitmq.com/amqp-0-9-1-errata, section 3).
 * Threads: no state.
 */
#ifndef SHARED_AMQP_TABLE_H
#define SHARED_AMQP_TABLE_H

#include "shared/span.h"

#define SL_AMQP_TABLE_DEPTH_MAX 16u

/* bytes begin with a table (its 4-byte length first) and may go on behind it. False: malformed, of an unknown type, or too deep. */
bool sl_amqp_table_is_sound(struct sl_span bytes);

#endif
