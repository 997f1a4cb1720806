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
    struct sl_amqp_link_opts opts; /* the owner's, with its callbacks */
    struct sl_log *log;
    char name[NAME_BYTES];
    struct hold used;
    struct hold next;  /* not up yet */
    struct hold spent; /* settles what it had in flight */
    struct sl_timer *tidy;
    int64_t away_since_us;
};

static bool open_link(struct pub_broker *broker, const struct sl_amqp_url *url, struct hold *hold,
                      struct sl_err *err);
static void close_hold(struct hold *hold);
static void on_up(struct sl_amqp_link *link, void *arg);
static void take_over(struct pub_broker *broker);
static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason,
                       void *arg);
static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg);
static void on_tidy(void *arg);
static void look_away(struct pub_broker *broker);

struct pub_broker *pub_broker_new(const struct sl_amqp_link_opts *opts, struct sl_log *log,
                                  struct sl_err *err)
{
    SL_AUTO(pub_broker_free) struct pub_broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the broker link");
        return NULL;
    }
    broker->opts = *opts;
    broker->log = log;
    broker->away_since_us = sl_clock_wall_us();
    snprintf(broker->name, sizeof broker->name, "%s", opts->connection_name);
    broker->tidy = sl_timer_new(opts->loop, on_tidy, broker);
    if (broker->tidy == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the broker link");
        return NULL;
    }
    return open_link(broker, opts->url, &broker->used, err) ? SL_TAKE(broker) : NULL;
}

static bool open_link(struct pub_broker *broker, const struct sl_amqp_url *url, struct hold *hold,
                      struct sl_err *err)
{
    struct sl_amqp_link_opts opts = broker->opts;
    opts.url = url;
    opts.connection_name = broker->name;
    opts.arg = broker;
    opts.on_up = on_up;
    opts.on_down = on_down;
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
        look_away(broker);
        broker->opts.on_up(link, broker->opts.arg);
    }
}

/* Not from a link's callback. */
static void take_over(struct pub_broker *broker)
{
    broker->spent = broker->used;
    broker->used = broker->next;
    broker->next = (struct hold){ .link = NULL };
    look_away(broker);
    sl_info(broker->log, "broker.changed", "the broker of the new AMQP_URL is in use",
            sl_int("inflight", (int64_t)sl_amqp_link_inflight(broker->spent.link)));
    broker->opts.on_up(broker->used.link, broker->opts.arg);
    sl_timer_arm(broker->tidy, 0);
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    struct pub_broker *broker = arg;
    if (link == broker->next.link) {
        sl_log_err(broker->log, SL_WARN, "broker.change_failed",
                   "the broker of the new AMQP_URL cannot be reached; the old one stays in use",
                   why, sl_int("wait_ms", wait_ms));
    } else if (link == broker->used.link) {
        look_away(broker);
        broker->opts.on_down(link, why, wait_ms, broker->opts.arg);
    }
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    struct pub_broker *broker = arg;
    if (link == broker->used.link) {
        look_away(broker);
        broker->opts.on_blocked(link, is_blocked, reason, broker->opts.arg);
    }
}

static void look_away(struct pub_broker *broker)
{
    bool is_up = sl_amqp_link_state(broker->used.link) == SL_AMQP_UP;
    if (is_up || broker->away_since_us == 0) {
        broker->away_since_us = is_up ? 0 : sl_clock_wall_us();
    }
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    struct pub_broker *broker = arg;
    if (link == broker->spent.link) {
        sl_timer_arm(broker->tidy, 0);
    }
    broker->opts.on_settled(link, cookie, outcome, broker->opts.arg);
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
