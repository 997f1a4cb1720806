#include "consumer/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/apply.h"
#include "consumer/desk.h"
#include "consumer/halt.h"
#include "consumer/intake.h"
#include "consumer/parting.h"
#include "consumer/patience.h"
#include "consumer/watch.h"
#include "shared/clock.h"

/* Deliveries after which what is suspected must have come again, if it comes here at all. */
#define ISOLATED_PREFETCHES 2u

struct con_worker {
    struct con_worker_opts opts;
    char name[80];             /* "billing", "billing-1" */
    char connection_name[160]; /* "sluice-consumer/billing/host/pid" */
    struct con_watch broker_watch;
    struct con_watch pg_watch;
    struct con_handler handler;
    struct con_statements statements;
    struct sl_amqp_link *broker;
    struct sl_pg_link *pg;
    struct con_desk *desk;
    struct con_flight *flight; /* NULL without a usable folder */
    struct sl_timer *grace;
    struct con_halt halt;      /* of its transactions */
    struct con_halt link_halt; /* of its connection */
    struct con_patience patience;
    struct sl_timer *patience_timer;
    struct con_intake intake;
    bool is_told;   /* of what operators have set */
    bool is_paused; /* by them */
    bool is_tripped;
    bool is_draining;
    struct con_parting parting; /* while it drains */
};

static void name_worker(struct con_worker *worker);
static bool open_handler(struct con_worker *worker, struct sl_err *err);
static bool open_pg(struct con_worker *worker, struct sl_err *err);
static bool open_broker(struct con_worker *worker, struct sl_err *err);
static void open_flight(struct con_worker *worker);
static bool open_desk(struct con_worker *worker, struct sl_err *err);
static void part(struct con_worker *worker);
static bool can_finish(const struct con_worker *worker);
static void pause_work(struct con_worker *worker);
static void resume_work(struct con_worker *worker);
static void on_grace(void *arg);
static void on_patience(void *arg);
static void rest(struct con_worker *worker);
static void take_again(struct con_worker *worker);
static void consume(struct con_worker *worker);
static void on_broker_up(struct sl_amqp_link *link, void *arg);
static void on_broker_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                           void *arg);
static void on_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg);
static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg);
static void on_stopped(struct sl_amqp_link *link, void *arg);
static void on_cancelled(struct sl_amqp_link *link, struct sl_span consumer_tag, void *arg);
static void on_pg_up(struct sl_pg_link *link, void *arg);
static void on_pg_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms,
                       void *arg);

struct con_worker *con_worker_new(const struct con_worker_opts *opts, struct sl_err *err)
{
    struct con_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a worker");
        return NULL;
    }
    worker->opts = *opts;
    name_worker(worker);
    con_watch_init(&worker->broker_watch, opts->log, opts->metrics, true, worker->name, "consume");
    con_watch_init(&worker->pg_watch, opts->log, opts->metrics, false, worker->name, "apply");
    con_halt_init(&worker->halt, opts->metrics, opts->alarm, opts->subsystem, opts->grace_ms);
    con_halt_init(&worker->link_halt, opts->metrics, opts->alarm, opts->subsystem, opts->grace_ms);
    worker->grace = sl_timer_new(opts->loop, on_grace, worker);
    worker->patience.timeout_ms = opts->consumer_timeout_ms;
    worker->patience_timer = sl_timer_new(opts->loop, on_patience, worker);
    if (worker->grace == NULL || worker->patience_timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a worker");
        con_worker_free(worker);
        return NULL;
    }
    if (!open_handler(worker, err) || !open_pg(worker, err) || !open_broker(worker, err) ||
        !open_desk(worker, err)) {
        con_worker_free(worker);
        return NULL;
    }
    sl_timer_arm(worker->patience_timer, con_patience_look_ms(&worker->patience));
    return worker;
}

static void name_worker(struct con_worker *worker)
{
    const char *subsystem = worker->opts.subsystem->name;
    unsigned number = worker->opts.number;
    char host[64] = "";
    if (gethostname(host, sizeof host - 1) != 0) {
        snprintf(host, sizeof host, "unknown");
    }
    snprintf(worker->name, sizeof worker->name, number == 0 ? "%s" : "%s-%u", subsystem, number);
    snprintf(worker->connection_name, sizeof worker->connection_name, "%s/%s/%s/%d",
             worker->opts.service, worker->name, host, (int)getpid());
}

static bool open_handler(struct con_worker *worker, struct sl_err *err)
{
    return con_handler_init(&worker->handler,
                            &(struct con_handler_opts){
                                .loop = worker->opts.loop,
                                .log = worker->opts.log,
                                .metrics = worker->opts.metrics,
                                .subsystem = worker->opts.subsystem,
                                .target = worker->opts.target,
                                .asks_stripe = worker->opts.asks_stripe,
                                .stripe_livemode = worker->opts.stripe_livemode,
                            },
                            err);
}

static bool open_pg(struct con_worker *worker, struct sl_err *err)
{
    con_apply_statements(&worker->statements);
    if (worker->handler.type->add_statements != NULL) {
        worker->handler.type->add_statements(&worker->statements);
    }
    worker->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = worker->opts.loop,
            .conninfo = worker->opts.database_url,
            .application_name = worker->connection_name,
            .statements = worker->statements.items,
            .statement_count = worker->statements.count,
            .arg = worker,
            .on_up = on_pg_up,
            .on_down = on_pg_down,
        },
        err);
    return worker->pg != NULL;
}

static bool open_broker(struct con_worker *worker, struct sl_err *err)
{
    worker->broker = sl_amqp_link_new(
        &(struct sl_amqp_link_opts){
            .loop = worker->opts.loop,
            .url = worker->opts.amqp,
            .connection_name = worker->connection_name,
            .arg = worker,
            .on_up = on_broker_up,
            .on_down = on_broker_down,
            .on_papers = on_papers,
            .on_delivery = on_delivery,
            .on_stopped = on_stopped,
            .on_cancelled = on_cancelled,
        },
        err);
    worker->intake = (struct con_intake){ .log = worker->opts.log,
                                          .broker = worker->broker,
                                          .subsystem = worker->opts.subsystem,
                                          .owner = worker->name };
    return worker->broker != NULL;
}

static void open_flight(struct con_worker *worker)
{
    struct sl_err why;
    const struct sl_subsystem *subsystem = worker->opts.subsystem;
    worker->flight = con_flight_open(
        &(struct con_flight_opts){
            .fleet = worker->opts.fleet,
            .dir = worker->opts.state_dir,
            .name = worker->name,
            .subsystem = subsystem->name,
            .isolate_max =
                ISOLATED_PREFETCHES * ((size_t)subsystem->prefetch + subsystem->replay_prefetch),
        },
        &why);
    if (worker->flight == NULL) {
        sl_log_err(worker->opts.log, SL_WARN, "consumer.unprotected",
                   "an event that ends the process will not be told from its neighbours", &why,
                   sl_str("subsystem", subsystem->name));
    } else if (con_flight_suspects(worker->flight) > 0) {
        sl_warn(worker->opts.log, "consumer.isolating",
                "an earlier life ended with events in hand, trying them one at a time",
                sl_str("subsystem", subsystem->name), sl_str("worker", worker->name),
                sl_int("events", (int64_t)con_flight_suspects(worker->flight)));
    }
}

static bool open_desk(struct con_worker *worker, struct sl_err *err)
{
    open_flight(worker);
    worker->desk = con_desk_new(
        &(struct con_desk_opts){
            .loop = worker->opts.loop,
            .log = worker->opts.log,
            .metrics = worker->opts.metrics,
            .amqp = worker->opts.amqp,
            .subsystem = worker->opts.subsystem,
            .handler = &worker->handler,
            .attempts = worker->opts.attempts,
            .alarm = worker->opts.alarm,
            .is_rush = worker->opts.is_rush,
            .rush_arg = worker->opts.rush_arg,
            .lane = worker->opts.lane,
            .fusebox = worker->opts.fusebox,
            .halt = &worker->halt,
            .flight = worker->flight,
            .owner = worker->name,
            .connection_name = worker->connection_name,
            .broker = worker->broker,
            .pg = worker->pg,
        },
        err);
    return worker->desk != NULL;
}

void con_worker_free(struct con_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    sl_amqp_link_free(worker->broker);
    sl_pg_link_free(worker->pg);
    con_desk_free(worker->desk);
    con_halt_end(&worker->halt);
    con_halt_end(&worker->link_halt);
    con_flight_free(worker->flight);
    con_handler_done(&worker->handler);
    sl_timer_free(worker->grace);
    sl_timer_free(worker->patience_timer);
    free(worker);
}

bool con_worker_has_tried(const struct con_worker *worker)
{
    return worker->is_told && sl_amqp_link_has_tried(worker->broker) &&
           sl_pg_link_has_tried(worker->pg);
}

bool con_worker_is_well(const struct con_worker *worker)
{
    return sl_amqp_link_state(worker->broker) == SL_AMQP_UP && sl_pg_link_is_up(worker->pg) &&
           con_desk_is_well(worker->desk) && !worker->patience.is_resting && !worker->is_tripped;
}

size_t con_worker_held(const struct con_worker *worker)
{
    return con_desk_held(worker->desk);
}

void con_worker_drain(struct con_worker *worker, int64_t drain_ms)
{
    worker->is_draining = true;
    sl_timer_disarm(worker->grace);
    sl_timer_disarm(worker->patience_timer);
    con_intake_end(&worker->intake);
    con_parting_begin(&worker->parting, sl_amqp_link_version(worker->broker), drain_ms,
                      sl_clock_mono_ms());
    part(worker);
}

static void part(struct con_worker *worker)
{
    if (con_parting_is_over(&worker->parting, can_finish(worker), sl_clock_mono_ms())) {
        con_desk_drain(worker->desk);
    } else {
        sl_timer_arm(worker->grace, CON_PARTING_LOOK_MS);
    }
}

/* What fails on the way waits for the link that publishes, and only that: it is often the last one up. */
static bool can_finish(const struct con_worker *worker)
{
    return sl_pg_link_is_up(worker->pg) && !con_desk_is_holding(worker->desk) &&
           !worker->is_tripped;
}

bool con_worker_is_drained(struct con_worker *worker)
{
    if (!con_desk_is_drained(worker->desk)) {
        con_intake_busy(&worker->intake);
        return false;
    }
    return con_intake_is_still(&worker->intake);
}

void con_worker_obey(struct con_worker *worker, const struct con_worker_orders *orders)
{
    con_desk_obey(worker->desk, orders->batch, orders->attempts, orders->order);
    bool was_told = worker->is_told;
    worker->is_told = true;
    worker->intake.replays_seen_ms = orders->replays_seen_ms;
    if (worker->is_draining) {
        return;
    }
    bool was_tripped = worker->is_tripped;
    worker->is_tripped = orders->is_tripped;
    if (orders->is_tripped && !was_tripped) {
        con_intake_end(&worker->intake);
    }
    if (orders->is_paused && !worker->is_paused) {
        pause_work(worker);
    } else if (!orders->is_paused && worker->is_paused) {
        resume_work(worker);
    } else if (!was_told || (was_tripped && !orders->is_tripped)) {
        consume(worker);
    } else {
        if (!con_flight_is_isolating(worker->flight)) {
            con_intake_widen(&worker->intake);
        }
        con_intake_begin_replays(&worker->intake, orders->replays_seen_ms);
    }
}

static void pause_work(struct con_worker *worker)
{
    worker->is_paused = true;
    sl_info(worker->opts.log, "consumer.paused",
            "an operator wants it so; what is in hand is finished or given back",
            sl_str("subsystem", worker->opts.subsystem->name), sl_str("worker", worker->name),
            sl_int("held", (int64_t)con_desk_held(worker->desk)));
    con_intake_end(&worker->intake);
    sl_timer_arm(worker->grace, CON_WORKER_GRACE_MS);
}

static void on_grace(void *arg)
{
    struct con_worker *worker = arg;
    if (worker->is_draining) {
        part(worker);
    } else {
        con_desk_drain(worker->desk);
    }
}

static void resume_work(struct con_worker *worker)
{
    worker->is_paused = false;
    (void)con_patience_end(&worker->patience); /* whoever resumes wants it tried */
    sl_timer_disarm(worker->grace);
    sl_info(worker->opts.log, "consumer.resumed", "the pause is over",
            sl_str("subsystem", worker->opts.subsystem->name), sl_str("worker", worker->name));
    con_desk_resume(worker->desk);
    consume(worker);
}

static void on_patience(void *arg)
{
    struct con_worker *worker = arg;
    int64_t oldest_ms = con_desk_oldest_arrival_ms(worker->desk);
    switch (con_patience_look(&worker->patience, sl_clock_mono_ms(), oldest_ms)) {
    case CON_PATIENCE_GIVE_BACK:
        rest(worker);
        break;
    case CON_PATIENCE_TAKE:
        take_again(worker);
        break;
    case CON_PATIENCE_STAY:
        break;
    }
    sl_timer_arm(worker->patience_timer, con_patience_look_ms(&worker->patience));
}

static void rest(struct con_worker *worker)
{
    sl_warn(worker->opts.log, "consumer.given_back",
            "not applied for three quarters of the broker's consumer_timeout, so they wait in the "
            "queue; no attempt is spent",
            sl_str("subsystem", worker->opts.subsystem->name), sl_str("worker", worker->name),
            sl_int("held", (int64_t)con_desk_held(worker->desk)),
            sl_int("rest_ms", worker->patience.rests_until - sl_clock_mono_ms()));
    con_intake_end(&worker->intake);
    con_desk_drain(worker->desk);
}

static void take_again(struct con_worker *worker)
{
    if (!worker->is_paused && !worker->is_draining) {
        con_desk_resume(worker->desk);
        consume(worker);
    }
}

void con_worker_wake(struct con_worker *worker)
{
    con_desk_wake(worker->desk);
}

bool con_worker_is_consuming(const struct con_worker *worker)
{
    return worker->intake.is_on;
}

bool con_worker_is_at_rest(const struct con_worker *worker)
{
    return worker->is_paused && con_desk_is_drained(worker->desk);
}

int64_t con_worker_oldest_us(const struct con_worker *worker)
{
    return con_desk_oldest_us(worker->desk);
}

int64_t con_worker_apply_us(const struct con_worker *worker)
{
    return con_desk_apply_us(worker->desk);
}

/* Once both sides are up, and from then on until the connection ends: see the header. */
static void consume(struct con_worker *worker)
{
    bool may = worker->is_told && !worker->is_draining && !worker->is_paused &&
               !worker->is_tripped && !worker->patience.is_resting;
    if (may && sl_pg_link_is_up(worker->pg)) {
        con_intake_begin(&worker->intake, con_flight_is_isolating(worker->flight));
    }
}

static void on_broker_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_watch_up(&worker->broker_watch);
    consume(worker);
}

static void on_broker_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                           void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_watch_down(&worker->broker_watch, why, wait_ms);
    con_intake_lost(&worker->intake, why);
    con_desk_forget(worker->desk);
}

static void on_papers(struct sl_amqp_link *link, const struct sl_err *why, void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_watch_papers(&worker->broker_watch, why);
}

static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_intake_delivered(&worker->intake);
    con_desk_take(worker->desk, delivery);
}

static void on_stopped(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_intake_stopped(&worker->intake, worker->is_draining);
}

static void on_cancelled(struct sl_amqp_link *link, struct sl_span consumer_tag, void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    bool is_replays = sl_span_is(consumer_tag, worker->intake.replay_tag);
    con_desk_keep(worker->desk, is_replays ? CON_TURN_REPLAY : CON_TURN_LIVE);
}

static void on_pg_up(struct sl_pg_link *link, void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_watch_up(&worker->pg_watch);
    con_halt_end(&worker->link_halt);
    con_fusebox_reached(worker->opts.fusebox);
    con_desk_pg_up(worker->desk);
    if (con_patience_end(&worker->patience)) {
        take_again(worker);
    } else {
        consume(worker);
    }
}

/* What is held stays held; the desk takes it again when the link is up. */
static void on_pg_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms,
                       void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    bool was_halted = worker->link_halt.is_halted;
    if (con_halt_met(&worker->link_halt, why, "") && !was_halted) {
        sl_log_err(worker->opts.log, SL_ERROR, "consumer.halted",
                   "an operator must act; nothing is lost, connecting again and again", why,
                   sl_str("subsystem", worker->opts.subsystem->name),
                   sl_str("worker", worker->name), sl_int("wait_ms", wait_ms));
    }
    con_watch_down(&worker->pg_watch, why, wait_ms);
    if (wait_ms > 0) { /* else there is another host to try first */
        con_fusebox_failed(worker->opts.fusebox, why, "");
    }
    if (worker->desk != NULL) {
        con_desk_pg_down(worker->desk);
    }
}
