#include "shared/event/event_message.h"

#include "tests/support/claims.h"

CLAIM(event_message__odd_types_travel_as_other)
{
    static const struct {
        const char *type;
        const char *key;
    } rows[] = {
        { "customer.subscription.updated", "stripe.customer.subscription.updated" },
        { "v2.core.event", "stripe.v2.core.event" },
        { "with space", "stripe.other" },
        { "hash#", "stripe.other" },
        { "star.*", "stripe.other" },
        { "", "stripe.other" },
        { "123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.1234567890x",
          "stripe.other" },
    };
    SL_DONE(sl_arena_done) struct sl_arena arena;
    sl_arena_init(&arena, 64 * 1024);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_span key =
            sl_event_routing_key(&arena, SL_SPAN_LITERAL("stripe"), sl_span_of(rows[i].type));
        CU_ASSERT(sl_span_is(key, rows[i].key));
    }
}
