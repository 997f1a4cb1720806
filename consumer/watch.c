#include "consumer/watch.h"

#include <stdio.h>

void con_watch_init(struct con_watch *watch, struct sl_log *log, struct sl_metrics *metrics,
                    bool is_broker, const char *owner, const char *role)
{
    *watch = (struct con_watch){ .log = log, .metrics = metrics, .is_broker = is_broker };
    snprintf(watch->name, sizeof watch->name, "%s.%s", owner, role);
    watch->up =
        sl_metrics_series(metrics, is_broker ? SL_M_BROKER_UP : SL_M_PG_UP, watch->name, NULL);
}

void con_watch_up(struct con_watch *watch)
{
    sl_series_set(watch->up, 1);
    sl_info(watch->log, watch->is_broker ? "broker.connected" : "postgres.connected",
            "the link is up", sl_str("link", watch->name));
}

void con_watch_down(struct con_watch *watch, const struct sl_err *why, int64_t wait_ms)
{
    sl_series_set(watch->up, 0);
    sl_series_add(sl_metrics_series(watch->metrics,
                                    watch->is_broker ? SL_M_BROKER_RECONNECTS : SL_M_PG_RECONNECTS,
                                    watch->name, sl_code_name(why->code)),
                  1);
    if (why->code == SL_E_AMQP_NOT_FOUND) {
        sl_log_err(watch->log, SL_ERROR, "topology.missing",
                   "a queue or exchange does not exist, trying again", why,
                   sl_str("link", watch->name), sl_str("hint", "run: sluice topology apply"),
                   sl_int("wait_ms", wait_ms));
        return;
    }
    sl_log_err(watch->log, SL_WARN, watch->is_broker ? "broker.lost" : "postgres.lost",
               "the link is down, trying again", why, sl_str("link", watch->name),
               sl_int("wait_ms", wait_ms));
}

void con_watch_papers(struct con_watch *watch, const struct sl_err *why)
{
    sl_log_err(watch->log, SL_WARN, "tls.rejected",
               "files for the broker's TLS cannot be used; the last good ones serve on", why,
               sl_str("link", watch->name));
}

void con_watch_blocked(struct con_watch *watch, enum sl_amqp_state state, struct sl_span reason)
{
    sl_series_set(sl_metrics_series(watch->metrics, SL_M_BROKER_BLOCKED, watch->name, NULL),
                  state == SL_AMQP_BLOCKED ? 1 : 0);
    if (state == SL_AMQP_STALLED) {
        sl_warn(watch->log, "broker.stalled", "the broker owes a confirm, waiting",
                sl_str("link", watch->name), sl_text("reason", reason));
    } else if (state == SL_AMQP_BLOCKED) {
        sl_warn(watch->log, "broker.blocked", "the broker takes no messages for now, waiting",
                sl_str("link", watch->name), sl_text("reason", reason));
    } else {
        sl_info(watch->log, "broker.unblocked", "the broker takes messages again",
                sl_str("link", watch->name));
    }
}
