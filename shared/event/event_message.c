#include "shared/event/event_message.h"

#include <stdio.h>

#include "shared/event/routing_key.h"

#define EVENTS_EXCHANGE "sluice.events"
#define US_PER_S        1000000

struct sl_span sl_event_routing_key(struct sl_arena *arena, struct sl_span source,
                                    struct sl_span type)
{
    struct sl_span last = sl_routing_key_type(type);
    size_t bytes = source.bytes + 1 + last.bytes;
    char *key = sl_arena_alloc(arena, bytes + 1);
    if (key == NULL) {
        return (struct sl_span){ NULL, 0 };
    }
    if (source.bytes > 0) {
        memcpy(key, source.data, source.bytes);
    }
    key[source.bytes] = '.';
    memcpy(key + source.bytes + 1, last.data, last.bytes);
    return sl_span_make(key, bytes);
}

struct sl_amqp_message sl_event_message(const struct sl_envelope *envelope,
                                        struct sl_span routing_key, struct sl_span bytes)
{
    return (struct sl_amqp_message){
        .exchange = EVENTS_EXCHANGE,
        .routing_key = routing_key,
        .message_id = envelope->id,
        .type = envelope->type,
        .content_type = SL_SPAN_LITERAL("application/msgpack"),
        .app_id = SL_SPAN_LITERAL("sluice"),
        .timestamp_s = envelope->received_at_us / US_PER_S,
        .body = bytes,
    };
}
