#include "shared/event/delay_route.h"

#include <stdio.h>

#include "shared/scope.h"

void sl_delay_route(int64_t seconds, const char *target, struct sl_delay_route *out)
{
    SL_ASSERT(seconds >= 0);
    SL_ASSERT(seconds <= SL_DELAY_S_MAX);
    SL_ASSERT(strlen(target) <= SL_DELAY_TARGET_BYTES);
    int top = -1;
    char *at = out->key;
    for (int level = (int)SL_DELAY_LEVELS - 1; level >= 0; level--) {
        bool is_set = (seconds >> level & 1) != 0;
        top = is_set && top < 0 ? level : top;
        *at++ = is_set ? '1' : '0';
        *at++ = '.';
    }
    snprintf(at, sizeof out->key - (size_t)(at - out->key), "%s", target);
    if (top < 0) {
        snprintf(out->exchange, sizeof out->exchange, "%s", SL_DUE_EXCHANGE);
    } else {
        snprintf(out->exchange, sizeof out->exchange, "sluice.delay.%02d", top);
    }
}

void sl_delay_event_route(int64_t seconds, struct sl_span event_key, struct sl_delay_route *out)
{
    char target[SL_DELAY_TARGET_BYTES + 1];
    int bytes = snprintf(target, sizeof target, SL_DELAY_EVENTS ".%.*s", SL_SPAN_ARGS(event_key));
    SL_ASSERT(bytes > 0 && (size_t)bytes < sizeof target);
    sl_delay_route(seconds, target, out);
}

bool sl_delay_is_key(struct sl_span routing_key)
{
    if (routing_key.bytes <= (size_t)2 * SL_DELAY_LEVELS) {
        return false;
    }
    for (size_t i = 0; i < (size_t)2 * SL_DELAY_LEVELS; i += 2) {
        char digit = routing_key.data[i];
        if ((digit != '0' && digit != '1') || routing_key.data[i + 1] != '.') {
            return false;
        }
    }
    return true;
}

bool sl_delay_is_replay_key(struct sl_span routing_key)
{
    if (!sl_delay_is_key(routing_key)) {
        return false;
    }
    size_t digits_bytes = (size_t)2 * SL_DELAY_LEVELS;
    struct sl_span rest =
        sl_span_make(routing_key.data + digits_bytes, routing_key.bytes - digits_bytes);
    struct sl_span name = { 0 };
    /* An event's own key has a second word too. */
    return sl_span_split(&rest, '.', &name) && !sl_span_is(name, SL_DELAY_EVENTS) &&
           sl_span_is(rest, SL_DELAY_REPLAY);
}
