/*
 * event_message - an event as the message that carries it: exchange, routing key, properties.
 *
 * Decides only. Law: schemas/asyncapi.yaml. Routing key `<source>.<type>`; a type that is not [A-Za-z0-9_.]{1,120} travels as `<source>.other`, the real one in
 * the envelope.
 * Threads: no state.
 */
#ifndef SHARED_EVENT_MESSAGE_H
#define SHARED_EVENT_MESSAGE_H

#include "shared/amqp/amqp_link.h"
#include "shared/arena.h"
#include "shared/event/envelope.h"

/* Absent without memory. */
struct sl_span sl_event_routing_key(struct sl_arena *arena, struct sl_span source,
                                    struct sl_span type);

/* bytes: the encoded envelope. Borrows all three. */
struct sl_amqp_message sl_event_message(const struct sl_envelope *envelope,
                                        struct sl_span routing_key, struct sl_span bytes);

#endif
