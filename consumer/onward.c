#include "consumer/onward.h"

#include <stdlib.h>

#include "consumer/departure.h"
#include "shared/backoff.h"
#include "shared/clock.h"

#define RETRY_BASE_MS 500
#define RETRY_CAP_MS  30000

struct con_onward {
    struct con_onward_opts opts;
    struct con_watch watch;
    struct sl_amqp_link *link;
    struct sl_timer *timer;
    struct sl_backoff backoff;
    uint64_t last_cookie;
};

static void on_up(struct sl_amqp_link *link, void *arg);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg);
static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason,
                       void *arg);
static void on_timer(void *arg);
static bool publish(struct con_onward *onward, struct con_delivery *delivery, struct sl_err *err);
static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg);
static struct con_delivery *find(const struct con_onward *onward, uint64_t cookie);
static void tell(const struct con_onward *onward, const struct con_delivery *delivery);
static void tell_delayed(const struct con_onward *onward, const struct con_delivery *delivery);
static void tell_parked(const struct con_onward *onward, const struct con_delivery *delivery);
static void wait_and_retry(struct con_onward *onward, const struct con_delivery *delivery,
                           const char *why);

struct con_onward *con_onward_new(const struct con_onward_opts *opts, struct sl_err *err)
{
    struct con_onward *onward = calloc(1, sizeof *onward);
    if (onward == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the link that publishes");
        return NULL;
    }
    onward->opts = *opts;
    onward->backoff = (struct sl_backoff){ .base_ms = RETRY_BASE_MS, .cap_ms = RETRY_CAP_MS };
    bool is_seeded = sl_random_bytes(&onward->backoff.rng, sizeof onward->backoff.rng);
    onward->backoff.rng |= 1;
    con_watch_init(&onward->watch, opts->log, opts->metrics, true, opts->owner, "publish");
    onward->timer = sl_timer_new(opts->loop, on_timer, onward);
    if (!is_seeded || onward->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the timer of the link that publishes");
        con_onward_free(onward);
        return NULL;
    }
    onward->link = sl_amqp_link_new(
        &(struct sl_amqp_link_opts){
            .loop = opts->loop,
            .url = opts->amqp,
            .connection_name = opts->connection_name,
            .confirms = true,
            .arg = onward,
            .on_up = on_up,
            .on_down = on_down,
            .on_papers = on_papers,
            .on_blocked = on_blocked,
            .on_settled = on_settled,
        },
        err);
    if (onward->link == NULL) {
        con_onward_free(onward);
        return NULL;
    }
    return onward;
}

void con_onward_free(struct con_onward *onward)
{
    if (onward == NULL) {
        return;
    }
    sl_amqp_link_free(onward->link);
    sl_timer_free(onward->timer);
    free(onward);
}

bool con_onward_is_up(const struct con_onward *onward)
{
    return sl_amqp_link_state(onward->link) == SL_AMQP_UP;
}

void con_onward_send(struct con_onward *onward)
{
    if (sl_timer_is_armed(onward->timer)) {
        return; /* the last try failed; the next one is due soon */
    }
    for (struct con_delivery *delivery = onward->opts.batch->first;
         delivery != NULL && con_onward_is_up(onward); delivery = delivery->next) {
        struct sl_err why;
        if (delivery->state != CON_DELIVERY_LEAVING || delivery->departure->cookie != 0) {
            continue;
        }
        if (!publish(onward, delivery, &why)) {
            wait_and_retry(onward, delivery, why.text);
            return;
        }
    }
}

static bool publish(struct con_onward *onward, struct con_delivery *delivery, struct sl_err *err)
{
    struct con_departure_message copy;
    con_departure_message(delivery, onward->opts.subsystem, &copy);
    uint64_t cookie = onward->last_cookie + 1;
    if (!sl_amqp_publish(onward->link, &copy.message, cookie, err)) {
        return false;
    }
    onward->last_cookie = cookie;
    delivery->departure->cookie = cookie;
    return true;
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    (void)link;
    struct con_onward *onward = arg;
    struct con_delivery *delivery = find(onward, cookie);
    if (delivery == NULL) {
        return; /* forgotten with its connection; it comes again */
    }
    delivery->departure->cookie = 0;
    if (outcome == SL_PUBLISH_CONFIRMED) {
        tell(onward, delivery);
        delivery->state = CON_DELIVERY_SETTLED;
        sl_backoff_reset(&onward->backoff);
        onward->opts.on_gone(onward->opts.arg, delivery);
    } else if (outcome != SL_PUBLISH_LOST) { /* lost: the link has said so and will be up again */
        wait_and_retry(onward, delivery, sl_publish_outcome_name(outcome));
    }
}

static struct con_delivery *find(const struct con_onward *onward, uint64_t cookie)
{
    struct con_delivery *delivery = onward->opts.batch->first;
    while (delivery != NULL &&
           (delivery->state != CON_DELIVERY_LEAVING || delivery->departure->cookie != cookie)) {
        delivery = delivery->next;
    }
    return delivery;
}

static void tell(const struct con_onward *onward, const struct con_delivery *delivery)
{
    bool is_delayed = delivery->departure->wait_s > 0;
    bool is_early = delivery->departure->error_class == NULL;
    bool is_held = delivery->departure->is_held;
    if (is_early) {
        sl_debug(
            onward->opts.log, is_held ? "breaker.held" : "consumer.early",
            is_held ? "the breaker of its type is open: this event waits in the broker, unspent"
                    : "this event is not to be tried yet and waits in the broker",
            sl_str("subsystem", onward->opts.subsystem), sl_text("event_id", delivery->message_id),
            sl_int("wait_s", delivery->departure->wait_s));
    } else if (is_delayed) {
        tell_delayed(onward, delivery);
    } else {
        tell_parked(onward, delivery);
    }
    sl_series_add(sl_metrics_series(onward->opts.metrics, SL_M_DELIVERIES, onward->opts.subsystem,
                                    is_held      ? "held"
                                    : is_early   ? "early"
                                    : is_delayed ? "retried"
                                                 : "dead_lettered"),
                  1);
}

static void tell_delayed(const struct con_onward *onward, const struct con_delivery *delivery)
{
    const struct con_departure *departure = delivery->departure;
    sl_warn(onward->opts.log, "consumer.delayed",
            "this event failed and waits in the broker for its next try",
            sl_str("subsystem", onward->opts.subsystem), sl_text("event_id", departure->event_id),
            sl_text("event_type", departure->type), sl_str("error_class", departure->error_class),
            sl_str("error_code", departure->error_code), sl_str("error", departure->error),
            sl_int("attempt", delivery->attempt), sl_int("wait_s", departure->wait_s));
}

/* Everything that finding and replaying the event needs. */
static void tell_parked(const struct con_onward *onward, const struct con_delivery *delivery)
{
    const struct con_departure *departure = delivery->departure;
    sl_loss(onward->opts.log, SL_ERROR, "consumer.dead_lettered",
            "this event was given up and kept as a dead letter",
            sl_str("subsystem", onward->opts.subsystem), sl_str("queue", onward->opts.queue),
            sl_text("event_id", departure->event_id), sl_text("event_type", departure->type),
            sl_str("error_class", departure->error_class),
            sl_str("error_code", departure->error_code), sl_str("error", departure->error),
            sl_int("attempt", delivery->attempt), sl_str("body_sha256", departure->body_sha256),
            sl_int("body_bytes", (int64_t)delivery->bytes.bytes),
            sl_str("runbook", "dead-letters.md"));
    sl_series_add(sl_metrics_series(onward->opts.metrics, SL_M_DEAD_LETTERS, onward->opts.subsystem,
                                    departure->error_code),
                  1);
}

static void wait_and_retry(struct con_onward *onward, const struct con_delivery *delivery,
                           const char *why)
{
    if (sl_timer_is_armed(onward->timer)) {
        return;
    }
    int64_t wait_ms = sl_backoff_next_ms(&onward->backoff);
    sl_warn(onward->opts.log, "consumer.republish_failed",
            "a failed event could not be published; its original is kept, trying again",
            sl_str("subsystem", onward->opts.subsystem), sl_str("reason", why),
            sl_text("event_id", delivery->departure->event_id), sl_int("wait_ms", wait_ms));
    sl_timer_arm(onward->timer, wait_ms);
}

static void on_timer(void *arg)
{
    con_onward_send(arg);
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct con_onward *onward = arg;
    con_watch_up(&onward->watch);
    con_onward_send(onward);
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct con_onward *onward = arg;
    con_watch_down(&onward->watch, why, wait_ms);
}

static void on_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg)
{
    (void)link;
    struct con_onward *onward = arg;
    con_watch_papers(&onward->watch, why);
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    (void)is_blocked;
    struct con_onward *onward = arg;
    con_watch_blocked(&onward->watch, sl_amqp_link_state(link), reason);
    con_onward_send(onward);
}
