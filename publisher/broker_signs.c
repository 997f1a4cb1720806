#include "publisher/broker_signs.h"

#define LINK "publish" /* label: the publisher has one link */

void pub_broker_signs_init(struct pub_broker_signs *signs, struct sl_log *log,
                           struct sl_metrics *metrics)
{
    *signs = (struct pub_broker_signs){
        .log = log,
        .metrics = metrics,
        .up = sl_metrics_series(metrics, SL_M_BROKER_UP, LINK, NULL),
        .blocked = sl_metrics_series(metrics, SL_M_BROKER_BLOCKED, LINK, NULL),
        .degraded = sl_metrics_series(metrics, SL_M_DEGRADED, NULL, NULL),
    };
    for (int i = 0; i < PUB_OUTAGES; i++) {
        signs->outages[i] = sl_metrics_series(metrics, SL_M_BROKER_STATE,
                                              pub_outage_name((enum pub_outage)i), NULL);
    }
}

void pub_broker_signs_show(struct pub_broker_signs *signs, enum sl_amqp_state link,
                           enum pub_outage outage, bool is_confirming)
{
    bool is_open = link == SL_AMQP_UP || link == SL_AMQP_BLOCKED || link == SL_AMQP_STALLED;
    sl_series_set(signs->up, is_open ? 1 : 0);
    sl_series_set(signs->blocked, link == SL_AMQP_BLOCKED ? 1 : 0);
    sl_series_set(signs->degraded, is_confirming ? 0 : 1);
    for (int i = 0; i < PUB_OUTAGES; i++) {
        sl_series_set(signs->outages[i], i == (int)outage ? 1 : 0);
    }
}

void pub_broker_signs_up(struct pub_broker_signs *signs, int64_t away_ms)
{
    sl_info(signs->log, "broker.connected", "the broker is reachable; events are confirmed",
            sl_int("away_ms", away_ms));
}

void pub_broker_signs_down(struct pub_broker_signs *signs, const struct sl_err *why,
                           int64_t wait_ms)
{
    sl_series_add(
        sl_metrics_series(signs->metrics, SL_M_BROKER_RECONNECTS, LINK, sl_code_name(why->code)),
        1);
    sl_log_err(signs->log, SL_WARN, "broker.lost",
               "the broker is away; events go the way of the degraded policy until it is back", why,
               sl_int("wait_ms", wait_ms));
}

void pub_broker_signs_blocked(struct pub_broker_signs *signs, struct sl_span reason)
{
    sl_warn(signs->log, "broker.blocked",
            "the broker takes no publishes (alarm); events go the way of the degraded policy",
            sl_text("reason", reason));
}

void pub_broker_signs_stalled(struct pub_broker_signs *signs, struct sl_span reason)
{
    sl_warn(signs->log, "broker.stalled",
            "the broker owes a confirm; events go the way of the degraded policy",
            sl_text("reason", reason));
}

void pub_broker_signs_unblocked(struct pub_broker_signs *signs, int64_t away_ms)
{
    sl_info(signs->log, "broker.unblocked", "the broker takes publishes again",
            sl_int("away_ms", away_ms));
}

void pub_broker_signs_degraded(struct pub_broker_signs *signs, int64_t away_ms)
{
    sl_loss(
        signs->log, SL_ERROR, "broker.degraded",
        "the broker stays away; it is tried again for ever, events go the way of the degraded policy",
        sl_int("away_ms", away_ms), sl_str("runbook", sl_code_page(SL_E_AMQP_UNREACHABLE)));
}
