#include "consumer/parking.h"

#include <stdlib.h>

#include "consumer/dead.h"
#include "shared/backoff.h"
#include "shared/clock.h"

#define RETRY_BASE_MS 500
#define RETRY_CAP_MS  30000

struct con_parking {
    struct con_parking_opts opts;
    struct con_watch watch;
    struct sl_amqp_link *link;
    struct sl_timer *timer;
    struct sl_backoff backoff;
    uint64_t last_cookie;
};

static void on_up(struct sl_amqp_link *link, void *arg);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason,
                       void *arg);
static void on_timer(void *arg);
static bool publish(struct con_parking *parking, struct con_delivery *delivery, struct sl_err *err);
static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg);
static struct con_delivery *find(const struct con_parking *parking, uint64_t cookie);
static void tell(const struct con_parking *parking, const struct con_delivery *delivery);
static void wait_and_retry(struct con_parking *parking, const struct con_delivery *delivery,
                           const char *why);

struct con_parking *con_parking_new(const struct con_parking_opts *opts, struct sl_err *err)
{
    struct con_parking *parking = calloc(1, sizeof *parking);
    if (parking == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the dead letters' link");
        return NULL;
    }
    parking->opts = *opts;
    parking->backoff = (struct sl_backoff){ .base_ms = RETRY_BASE_MS, .cap_ms = RETRY_CAP_MS };
    bool is_seeded = sl_random_bytes(&parking->backoff.rng, sizeof parking->backoff.rng);
    parking->backoff.rng |= 1;
    con_watch_init(&parking->watch, opts->log, opts->metrics, true, opts->owner, "park");
    parking->timer = sl_timer_new(opts->loop, on_timer, parking);
    if (!is_seeded || parking->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the dead letters' timer");
        con_parking_free(parking);
        return NULL;
    }
    parking->link = sl_amqp_link_new(
        &(struct sl_amqp_link_opts){
            .loop = opts->loop,
            .url = opts->amqp,
            .connection_name = opts->connection_name,
            .confirms = true,
            .arg = parking,
            .on_up = on_up,
            .on_down = on_down,
            .on_blocked = on_blocked,
            .on_settled = on_settled,
        },
        err);
    if (parking->link == NULL) {
        con_parking_free(parking);
        return NULL;
    }
    return parking;
}

void con_parking_free(struct con_parking *parking)
{
    if (parking == NULL) {
        return;
    }
    sl_amqp_link_free(parking->link);
    sl_timer_free(parking->timer);
    free(parking);
}

bool con_parking_has_tried(const struct con_parking *parking)
{
    return sl_amqp_link_has_tried(parking->link);
}

bool con_parking_is_up(const struct con_parking *parking)
{
    return sl_amqp_link_state(parking->link) == SL_AMQP_UP;
}

void con_parking_send(struct con_parking *parking)
{
    if (sl_timer_is_armed(parking->timer)) {
        return; /* the last try failed; the next one is due soon */
    }
    for (struct con_delivery *delivery = parking->opts.batch->first;
         delivery != NULL && con_parking_is_up(parking); delivery = delivery->next) {
        struct sl_err why;
        if (delivery->state != CON_DELIVERY_DEAD || delivery->dead->cookie != 0) {
            continue;
        }
        if (!publish(parking, delivery, &why)) {
            wait_and_retry(parking, delivery, why.text);
            return;
        }
    }
}

static bool publish(struct con_parking *parking, struct con_delivery *delivery, struct sl_err *err)
{
    struct con_dead_message letter;
    con_dead_message(delivery, parking->opts.subsystem, sl_clock_wall_us() / 1000000, &letter);
    uint64_t cookie = parking->last_cookie + 1;
    if (!sl_amqp_publish(parking->link, &letter.message, cookie, err)) {
        return false;
    }
    parking->last_cookie = cookie;
    delivery->dead->cookie = cookie;
    return true;
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    (void)link;
    struct con_parking *parking = arg;
    struct con_delivery *delivery = find(parking, cookie);
    if (delivery == NULL) {
        return; /* forgotten with its connection; it comes again */
    }
    delivery->dead->cookie = 0;
    if (outcome == SL_PUBLISH_CONFIRMED) {
        tell(parking, delivery);
        delivery->state = CON_DELIVERY_SETTLED;
        sl_backoff_reset(&parking->backoff);
        parking->opts.on_parked(parking->opts.arg);
    } else if (outcome != SL_PUBLISH_LOST) { /* lost: the link has said so and will be up again */
        wait_and_retry(parking, delivery, sl_publish_outcome_name(outcome));
    }
}

static struct con_delivery *find(const struct con_parking *parking, uint64_t cookie)
{
    struct con_delivery *delivery = parking->opts.batch->first;
    while (delivery != NULL &&
           (delivery->state != CON_DELIVERY_DEAD || delivery->dead->cookie != cookie)) {
        delivery = delivery->next;
    }
    return delivery;
}

/* Everything that finding and replaying the event needs. */
static void tell(const struct con_parking *parking, const struct con_delivery *delivery)
{
    const struct con_dead *dead = delivery->dead;
    sl_loss(parking->opts.log, SL_ERROR, "consumer.dead_lettered",
            "this event was given up and kept as a dead letter",
            sl_str("subsystem", parking->opts.subsystem), sl_str("queue", parking->opts.queue),
            sl_text("event_id", dead->event_id), sl_text("event_type", dead->type),
            sl_str("error_class", dead->error_class), sl_str("error_code", dead->error_code),
            sl_str("error", dead->error), sl_int("attempt", delivery->attempt),
            sl_str("body_sha256", dead->body_sha256),
            sl_int("body_bytes", (int64_t)delivery->bytes.bytes),
            sl_str("runbook", "dead-letters.md"));
    sl_series_add(sl_metrics_series(parking->opts.metrics, SL_M_DEAD_LETTERS,
                                    parking->opts.subsystem, dead->error_code),
                  1);
    sl_series_add(sl_metrics_series(parking->opts.metrics, SL_M_DELIVERIES, parking->opts.subsystem,
                                    "dead_lettered"),
                  1);
}

static void wait_and_retry(struct con_parking *parking, const struct con_delivery *delivery,
                           const char *why)
{
    if (sl_timer_is_armed(parking->timer)) {
        return;
    }
    int64_t wait_ms = sl_backoff_next_ms(&parking->backoff);
    sl_warn(parking->opts.log, "consumer.park_failed",
            "a dead letter could not be published; its original is kept, trying again",
            sl_str("subsystem", parking->opts.subsystem), sl_str("reason", why),
            sl_text("event_id", delivery->dead->event_id), sl_int("wait_ms", wait_ms));
    sl_timer_arm(parking->timer, wait_ms);
}

static void on_timer(void *arg)
{
    con_parking_send(arg);
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct con_parking *parking = arg;
    con_watch_up(&parking->watch);
    con_parking_send(parking);
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct con_parking *parking = arg;
    con_watch_down(&parking->watch, why, wait_ms);
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    (void)link;
    struct con_parking *parking = arg;
    con_watch_blocked(&parking->watch, is_blocked, reason);
    con_parking_send(parking);
}
