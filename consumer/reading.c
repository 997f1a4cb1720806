#include "consumer/reading.h"

static void read_message(struct con_event *event);
static bool is_parkable(const struct con_event *event);

bool con_reading_read(const struct con_handler *handler, struct sl_arena *arena,
                      struct con_delivery *const *deliveries, struct con_event *events,
                      size_t count, size_t *out_replaced)
{
    sl_arena_reset(arena);
    for (size_t i = 0; i < count; i++) {
        const struct con_delivery *delivery = deliveries[i];
        events[i] = (struct con_event){ .tag = delivery->tag,
                                        .bytes = delivery->bytes,
                                        .attempt = delivery->attempt,
                                        .is_replay = delivery->replay_run.bytes > 0,
                                        .code = "" };
        read_message(&events[i]);
    }
    *out_replaced = 0;
    return handler->type->read(handler->self, arena, events, count, out_replaced, NULL);
}

static void read_message(struct con_event *event)
{
    if (!sl_envelope_decode(event->bytes, &event->envelope, &event->why)) {
        event->envelope = (struct sl_envelope){ 0 };
        event->verdict = CON_DEAD;
    }
}

void con_reading_park(struct con_event *events, size_t count, const struct con_order *order,
                      int64_t wall_us)
{
    for (size_t i = 0; order != NULL && i < count; i++) {
        struct con_event *event = &events[i];
        const char *reason =
            is_parkable(event) ? con_order_parks(order, &event->envelope, wall_us) : NULL;
        if (reason != NULL) {
            event->verdict = CON_DEAD;
            event->code = "";
            sl_fail(&event->why, SL_E_EVENT_PARKED, "parked by an operator: %s", reason);
        }
    }
}

/* Also what the handler cannot read (DEAD before any transaction): an operator's word comes before its fault. */
static bool is_parkable(const struct con_event *event)
{
    bool is_readable = event->envelope.id.data != NULL;
    return event->verdict == CON_PENDING || event->verdict == CON_IGNORED ||
           event->verdict == CON_HELD || (event->verdict == CON_DEAD && is_readable);
}

bool con_reading_has_held(const struct con_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (events[i].verdict == CON_HELD) {
            return true;
        }
    }
    return false;
}
