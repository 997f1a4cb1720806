#include "publisher/broker.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/clock.h"

#define NAME_BYTES 256u
/* How often a link that is being closed is looked at; usually its last confirm ends it sooner. */
#define TIDY_MS 100

/* A link and the address it goes to. */
struct hold {
    struct sl_amqp_link *link; /* NULL: none */
    struct sl_amqp_url
        *url; /* owned, borrowed by the link; NULL for the first, whose address is the caller's */
};

struct pub_broker {
    struct pub_broker_opts opts;
    char name[NAME_BYTES];
    struct hold used;
    struct hold next;  /* not up yet */
    struct hold spent; /* settles what it had in flight */
    struct sl_timer *tidy;
    enum pub_outage outage;
    struct sl_timer *overdue;
    int64_t away_since_us;
};

static bool open_link(struct pub_broker *broker, const struct sl_amqp_url *url, struct hold *hold,
                      struct sl_err *err);
static void close_hold(struct hold *hold);
static void on_up(struct sl_amqp_link *link, void *arg);
static void take_over(struct pub_broker *broker);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg);
static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason,
                       void *arg);
static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg);
static void on_tidy(void *arg);
static void on_overdue(void *arg);
static void happened(struct pub_broker *broker, enum pub_outage_event event);
static void announce_up(struct pub_broker *broker);

struct pub_broker *pub_broker_new(const struct pub_broker_opts *opts, struct sl_err *err)
{
    SL_AUTO(pub_broker_free) struct pub_broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the broker link");
        return NULL;
    }
    broker->opts = *opts;
    broker->outage = PUB_OUTAGE_WAITING;
    broker->away_since_us = sl_clock_wall_us();
    snprintf(broker->name, sizeof broker->name, "%s", opts->link.connection_name);
    broker->tidy = sl_timer_new(opts->link.loop, on_tidy, broker);
    broker->overdue = sl_timer_new(opts->link.loop, on_overdue, broker);
    if (broker->tidy == NULL || broker->overdue == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the broker link");
        return NULL;
    }
    sl_timer_arm(broker->overdue, opts->degraded_after_ms);
    return open_link(broker, opts->link.url, &broker->used, err) ? SL_TAKE(broker) : NULL;
}

static bool open_link(struct pub_broker *broker, const struct sl_amqp_url *url, struct hold *hold,
                      struct sl_err *err)
{
    struct sl_amqp_link_opts opts = broker->opts.link;
    opts.url = url;
    opts.connection_name = broker->name;
    opts.arg = broker;
    opts.on_up = on_up;
    opts.on_down = on_down;
    opts.on_papers = on_papers;
    opts.on_blocked = on_blocked;
    opts.on_settled = on_settled;
    hold->link = sl_amqp_link_new(&opts, err);
    return hold->link != NULL;
}

void pub_broker_free(struct pub_broker *broker)
{
    if (broker == NULL) {
        return;
    }
    close_hold(&broker->used);
    close_hold(&broker->next);
    close_hold(&broker->spent);
    sl_timer_free(broker->tidy);
    sl_timer_free(broker->overdue);
    free(broker);
}

static void close_hold(struct hold *hold)
{
    sl_amqp_link_free(hold->link);
    if (hold->url != NULL) {
        sl_amqp_url_done(hold->url);
        free(hold->url);
    }
    *hold = (struct hold){ .link = NULL };
}

struct sl_amqp_link *pub_broker_link(const struct pub_broker *broker)
{
    return broker == NULL ? NULL : broker->used.link;
}

bool pub_broker_change(struct pub_broker *broker, struct sl_amqp_url *url, struct sl_err *err)
{
    struct hold next = { .url = calloc(1, sizeof *next.url) };
    if (next.url == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a broker's address");
    }
    *next.url = *url;
    if (!open_link(broker, next.url, &next, err)) {
        free(next.url); /* what it points to is still the caller's */
        return false;
    }
    *url = (struct sl_amqp_url){ .host_count = 0 };
    close_hold(&broker->next);
    broker->next = next;
    return true;
}

bool pub_broker_is_changing(const struct pub_broker *broker)
{
    return broker->next.link != NULL || broker->spent.link != NULL;
}

enum pub_outage pub_broker_outage(const struct pub_broker *broker)
{
    return broker->outage;
}

int64_t pub_broker_away_since_us(const struct pub_broker *broker)
{
    return broker->away_since_us;
}

static void on_up(struct sl_amqp_link *link, void *arg)
{
    struct pub_broker *broker = arg;
    if (link == broker->next.link) {
        sl_timer_arm(broker->tidy, 0);
    } else if (link == broker->used.link) {
        announce_up(broker);
    }
}

static void announce_up(struct pub_broker *broker)
{
    happened(broker, PUB_OUTAGE_EV_UP);
    broker->opts.link.on_up(broker->used.link, broker->opts.link.arg);
    broker->away_since_us = 0;
}

/* Not from a link's callback. */
static void take_over(struct pub_broker *broker)
{
    broker->spent = broker->used;
    broker->used = broker->next;
    broker->next = (struct hold){ .link = NULL };
    sl_info(broker->opts.log, "broker.changed", "the connection made for the reload is in use",
            sl_int("inflight", (int64_t)sl_amqp_link_inflight(broker->spent.link)));
    announce_up(broker);
    sl_timer_arm(broker->tidy, 0);
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    struct pub_broker *broker = arg;
    if (link == broker->next.link) {
        sl_log_err(
            broker->opts.log, SL_WARN, "broker.change_failed",
            "the broker cannot be reached as the reload says; the old connection stays in use", why,
            sl_int("wait_ms", wait_ms));
    } else if (link == broker->used.link) {
        happened(broker, PUB_OUTAGE_EV_LOST);
        broker->opts.link.on_down(link, why, wait_ms, broker->opts.link.arg);
    }
}

static void on_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg)
{
    (void)link;
    struct pub_broker *broker = arg;
    sl_log_err(broker->opts.log, SL_WARN, "tls.rejected",
               "files for the broker's TLS cannot be used; the last good ones serve on", why,
               sl_str("link", "publish"));
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    struct pub_broker *broker = arg;
    if (link == broker->next.link && !is_blocked) {
        sl_timer_arm(broker->tidy, 0);
    } else if (link == broker->used.link) {
        happened(broker, is_blocked ? PUB_OUTAGE_EV_BLOCKED : PUB_OUTAGE_EV_UNBLOCKED);
        broker->opts.link.on_blocked(link, is_blocked, reason, broker->opts.link.arg);
        broker->away_since_us = is_blocked ? broker->away_since_us : 0;
    }
}

/* An outage begins with the first state that is not up, and its beginning stays known until the owner was told of its end. */
static void happened(struct pub_broker *broker, enum pub_outage_event event)
{
    const struct pub_outage_rule *rule = pub_outage_step(broker->outage, event);
    SL_ASSERT(rule != NULL);
    broker->outage = rule->to;
    if (rule->to != PUB_OUTAGE_UP && broker->away_since_us == 0) {
        broker->away_since_us = sl_clock_wall_us();
    }
    switch (rule->act) {
    case PUB_OUTAGE_DO_NOTHING:
        break;
    case PUB_OUTAGE_DO_TIME:
        sl_timer_arm(broker->overdue, broker->opts.degraded_after_ms);
        break;
    case PUB_OUTAGE_DO_STOP:
        sl_timer_disarm(broker->overdue);
        break;
    case PUB_OUTAGE_DO_TELL:
        broker->opts.on_degraded(broker->opts.link.arg);
        break;
    }
}

static void on_overdue(void *arg)
{
    happened(arg, PUB_OUTAGE_EV_OVERDUE);
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    struct pub_broker *broker = arg;
    if (link == broker->spent.link) {
        sl_timer_arm(broker->tidy, 0);
    }
    broker->opts.link.on_settled(link, cookie, outcome, broker->opts.link.arg);
}

/* Closes the spent link once nothing is in flight on it, then lets the next one take over. */
static void on_tidy(void *arg)
{
    struct pub_broker *broker = arg;
    if (broker->spent.link != NULL && sl_amqp_link_inflight(broker->spent.link) > 0) {
        sl_timer_arm(broker->tidy, TIDY_MS);
        return;
    }
    close_hold(&broker->spent);
    if (broker->next.link != NULL && sl_amqp_link_state(broker->next.link) == SL_AMQP_UP) {
        take_over(broker);
    }
}
