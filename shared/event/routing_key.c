#include "shared/event/routing_key.h"

struct sl_span sl_routing_key_type(struct sl_span type)
{
    bool is_plain = type.bytes >= 1 && type.bytes <= SL_ROUTING_KEY_TYPE_BYTES_MAX;
    for (size_t i = 0; is_plain && i < type.bytes; i++) {
        char byte = type.data[i];
        is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                   (byte >= '0' && byte <= '9') || byte == '_' || byte == '.';
    }
    return is_plain ? type : SL_SPAN_LITERAL("other");
}
