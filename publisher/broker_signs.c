#include "publisher/broker_signs.h"

#define LINK "publish" /* label: of every loop's link; the gauges say how the worst is */

static void show_all(void *arg, const struct pub_standing *before, const struct pub_standing *all);
static struct sl_field loop_of(const struct pub_broker_signs *signs);

void pub_broker_signs_init(struct pub_broker_signs *signs, struct sl_log *log,
                           struct sl_metrics *metrics, struct pub_board *board, size_t loop)
{
    *signs = (struct pub_broker_signs){
        .log = log,
        .metrics = metrics,
        .board = board,
        .loop = loop,
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
                           enum pub_outage outage, bool is_confirming, bool has_tried)
{
    const struct pub_standing standing = {
        .has_tried = has_tried,
        .is_open = link == SL_AMQP_UP || link == SL_AMQP_BLOCKED || link == SL_AMQP_STALLED,
        .is_blocked = link == SL_AMQP_BLOCKED,
        .has_broker = link == SL_AMQP_UP,
        .is_confirming = is_confirming,
        .outage = outage,
    };
    pub_board_set(signs->board, signs->loop, &standing, show_all, signs);
}

static void show_all(void *arg, const struct pub_standing *before, const struct pub_standing *all)
{
    struct pub_broker_signs *signs = arg;
    signs->is_news = signs->board->count == 1 || before->outage != all->outage;
    sl_series_set(signs->up, all->is_open ? 1 : 0);
    sl_series_set(signs->blocked, all->is_blocked ? 1 : 0);
    sl_series_set(signs->degraded, all->is_confirming ? 0 : 1);
    for (int i = 0; i < PUB_OUTAGES; i++) {
        sl_series_set(signs->outages[i], i == (int)all->outage ? 1 : 0);
    }
}

/* Ends the fields of a line where there is one loop only. */
static struct sl_field loop_of(const struct pub_broker_signs *signs)
{
    return sl_int(signs->board->count > 1 ? "loop" : NULL, (int64_t)signs->loop);
}

void pub_broker_signs_up(struct pub_broker_signs *signs, int64_t away_ms)
{
    if (!signs->is_news) {
        return;
    }
    sl_info(signs->log, "broker.connected", "the broker is reachable; events are confirmed",
            sl_int("away_ms", away_ms), loop_of(signs));
}

void pub_broker_signs_down(struct pub_broker_signs *signs, const struct sl_err *why,
                           int64_t wait_ms)
{
    sl_series_add(
        sl_metrics_series(signs->metrics, SL_M_BROKER_RECONNECTS, LINK, sl_code_name(why->code)),
        1);
    sl_log_err(signs->log, SL_WARN, "broker.lost",
               "the broker is away; events go the way of the degraded policy until it is back", why,
               sl_int("wait_ms", wait_ms), loop_of(signs));
}

void pub_broker_signs_blocked(struct pub_broker_signs *signs, struct sl_span reason)
{
    if (!signs->is_news) {
        return;
    }
    sl_warn(signs->log, "broker.blocked",
            "the broker takes no publishes (alarm); events go the way of the degraded policy",
            sl_text("reason", reason), loop_of(signs));
}

void pub_broker_signs_stalled(struct pub_broker_signs *signs, struct sl_span reason)
{
    if (!signs->is_news) {
        return;
    }
    sl_warn(signs->log, "broker.stalled",
            "the broker owes a confirm; events go the way of the degraded policy",
            sl_text("reason", reason), loop_of(signs));
}

void pub_broker_signs_unblocked(struct pub_broker_signs *signs, int64_t away_ms)
{
    if (!signs->is_news) {
        return;
    }
    sl_info(signs->log, "broker.unblocked", "the broker takes publishes again",
            sl_int("away_ms", away_ms), loop_of(signs));
}

void pub_broker_signs_degraded(struct pub_broker_signs *signs, int64_t away_ms)
{
    if (!signs->is_news) {
        return;
    }
    sl_loss(
        signs->log, SL_ERROR, "broker.degraded",
        "the broker stays away; it is tried again for ever, events go the way of the degraded policy",
        sl_int("away_ms", away_ms), sl_str("runbook", sl_code_page(SL_E_AMQP_UNREACHABLE)),
        loop_of(signs));
}
