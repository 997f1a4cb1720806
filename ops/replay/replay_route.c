#include "ops/replay/replay_route.h"

#include <stdio.h>

#include "shared/event/delay_route.h"

bool ops_replay_route(struct sl_span subsystem, struct sl_span routing_key,
                      struct ops_replay_route *out_route, struct sl_err *err)
{
    if (!sl_span_is(subsystem, OPS_UNROUTED_NAME)) {
        char target[SL_DELAY_TARGET_BYTES + 1];
        struct sl_delay_route due;
        int bytes =
            snprintf(target, sizeof target, "%.*s." SL_DELAY_REPLAY, SL_SPAN_ARGS(subsystem));
        if (bytes < 0 || (size_t)bytes >= sizeof target) {
            return sl_fail(err, SL_E_CONFIG, "no subsystem has so long a name");
        }
        sl_delay_route(0, target, &due);
        out_route->exchange = SL_DUE_EXCHANGE;
        snprintf(out_route->key, sizeof out_route->key, "%s", due.key);
        return true;
    }
    if (routing_key.bytes == 0 || routing_key.bytes >= sizeof out_route->key) {
        return sl_fail(err, SL_E_CONFIG,
                       "it was bound to no queue, and its routing key is not known");
    }
    /* A delay's key: it was on its way out of one when its queue went away. */
    out_route->exchange = sl_delay_is_key(routing_key) ? SL_DUE_EXCHANGE : "sluice.events";
    snprintf(out_route->key, sizeof out_route->key, "%.*s", SL_SPAN_ARGS(routing_key));
    return true;
}
