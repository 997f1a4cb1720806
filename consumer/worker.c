#include "consumer/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/dead.h"
#include "consumer/delivery.h"
#include "consumer/parking.h"
#include "consumer/runner.h"
#include "consumer/settle.h"
#include "consumer/watch.h"
#include "shared/clock.h"

enum outcome { APPLIED, STALE, IGNORED, DUPLICATE, OUTCOMES };

struct con_worker {
    struct con_worker_opts opts;
    char name[80]; /* "billing", "billing-1" */
    char connection_name
        [160]; /* "sluice-consumer/billing/host/pid", shown by the broker and the database */
    struct con_watch broker_watch;
    struct con_watch pg_watch;
    struct sl_amqp_link *broker;
    struct sl_pg_link *pg;
    struct con_statements statements;
    struct con_parking *parking;
    struct con_runner *runner;
    struct sl_timer *start_timer;
    bool starts_now; /* start_timer is armed for the next turn of the loop */

    struct con_batch batch;
    struct con_delivery **running; /* in the runner */
    size_t running_count;
    struct con_delivery *
        *orphans; /* running, but of a lost connection: ours to free, not to settle */
    size_t orphan_count;
    bool is_orphaned; /* the runner works on orphans */
    bool is_consuming;
    bool is_queue_missing; /* when last tried; the next start is told with its first delivery */
    bool is_draining;

    struct sl_series *outcomes[OUTCOMES];
    struct sl_series *inflight;
    struct sl_series *lag;
};

static bool make_links(struct con_worker *worker, struct sl_err *err);
static void find_series(struct con_worker *worker);
static void reconsider(struct con_worker *worker);
static void tell_started(struct con_worker *worker);
static void on_broker_up(struct sl_amqp_link *link, void *arg);
static void on_broker_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                           void *arg);
static void forget(struct con_worker *worker);
static void on_pg_up(struct sl_pg_link *link, void *arg);
static void on_pg_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms,
                       void *arg);
static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg);
static void plan_start(struct con_worker *worker);
static void on_start_timer(void *arg);
static void on_decided(void *arg, struct con_delivery *delivery, const struct con_event *event);
static void on_dead(void *arg, struct con_delivery *delivery, const struct sl_envelope *envelope,
                    const struct sl_err *why, const char *sqlstate);
static void on_progress(void *arg);
static void on_holding(void *arg);
static void on_finished(void *arg);
static void free_orphans(struct con_worker *worker);
static void settle(struct con_worker *worker);
static void send_ack(void *arg, uint64_t tag, bool multiple);
static void give_back(void *arg, uint64_t tag);

struct con_worker *con_worker_new(const struct con_worker_opts *opts, struct sl_err *err)
{
    struct con_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a worker");
        return NULL;
    }
    worker->opts = *opts;
    const struct sl_subsystem *subsystem = opts->subsystem;
    snprintf(worker->name, sizeof worker->name, opts->number == 0 ? "%s" : "%s-%u", subsystem->name,
             opts->number);
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    snprintf(worker->connection_name, sizeof worker->connection_name, "%s/%s/%s/%d", opts->service,
             worker->name, host, (int)getpid());
    con_batch_init(&worker->batch, subsystem->batch);
    con_watch_init(&worker->broker_watch, opts->log, opts->metrics, true, worker->name, "consume");
    con_watch_init(&worker->pg_watch, opts->log, opts->metrics, false, worker->name, "apply");
    find_series(worker);
    worker->running = calloc(subsystem->batch, sizeof(struct con_delivery *));
    worker->orphans = calloc(subsystem->batch, sizeof(struct con_delivery *));
    worker->start_timer = sl_timer_new(opts->loop, on_start_timer, worker);
    bool is_made =
        worker->running != NULL && worker->orphans != NULL && worker->start_timer != NULL;
    if (!is_made) {
        sl_fail(err, SL_E_MEMORY, "no memory for a worker");
    }
    if (!is_made || !make_links(worker, err)) {
        con_worker_free(worker);
        return NULL;
    }
    return worker;
}

static bool make_links(struct con_worker *worker, struct sl_err *err)
{
    const struct con_worker_opts *opts = &worker->opts;
    con_apply_statements(&worker->statements);
    worker->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = opts->loop,
            .conninfo = opts->database_url,
            .application_name = worker->connection_name,
            .statements = worker->statements.items,
            .statement_count = worker->statements.count,
            .arg = worker,
            .on_up = on_pg_up,
            .on_down = on_pg_down,
        },
        err);
    if (worker->pg == NULL) {
        return false;
    }
    worker->runner = con_runner_new(
        &(struct con_runner_opts){
            .loop = opts->loop,
            .log = opts->log,
            .metrics = opts->metrics,
            .pg = worker->pg,
            .subsystem = opts->subsystem->name,
            .batch_max = opts->subsystem->batch,
            .arg = worker,
            .on_decided = on_decided,
            .on_dead = on_dead,
            .on_progress = on_progress,
            .on_holding = on_holding,
            .on_finished = on_finished,
        },
        err);
    if (worker->runner == NULL) {
        return false;
    }
    worker->parking = con_parking_new(
        &(struct con_parking_opts){
            .loop = opts->loop,
            .log = opts->log,
            .metrics = opts->metrics,
            .amqp = opts->amqp,
            .subsystem = opts->subsystem->name,
            .queue = opts->subsystem->queue,
            .owner = worker->name,
            .connection_name = worker->connection_name,
            .batch = &worker->batch,
            .arg = worker,
            .on_parked = on_progress,
        },
        err);
    if (worker->parking == NULL) {
        return false;
    }
    worker->broker = sl_amqp_link_new(
        &(struct sl_amqp_link_opts){
            .loop = opts->loop,
            .url = opts->amqp,
            .connection_name = worker->connection_name,
            .arg = worker,
            .on_up = on_broker_up,
            .on_down = on_broker_down,
            .on_delivery = on_delivery,
        },
        err);
    return worker->broker != NULL;
}

static void find_series(struct con_worker *worker)
{
    static const enum con_verdict verdicts[OUTCOMES] = { CON_APPLIED, CON_STALE, CON_IGNORED,
                                                         CON_DUPLICATE };
    const char *subsystem = worker->opts.subsystem->name;
    for (size_t i = 0; i < OUTCOMES; i++) {
        worker->outcomes[i] = sl_metrics_series(worker->opts.metrics, SL_M_DELIVERIES, subsystem,
                                                con_verdict_name(verdicts[i]));
    }
    worker->inflight =
        sl_metrics_series(worker->opts.metrics, SL_M_CONSUMER_INFLIGHT, subsystem, NULL);
    worker->lag = sl_metrics_series(worker->opts.metrics, SL_M_EVENT_LAG_SECONDS, subsystem, NULL);
}

void con_worker_free(struct con_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    sl_amqp_link_free(worker->broker);
    con_parking_free(worker->parking);
    sl_pg_link_free(worker->pg);
    con_runner_free(worker->runner);
    sl_timer_free(worker->start_timer);
    free_orphans(worker);
    sl_series_add(worker->inflight, -(int64_t)worker->batch.held_count);
    con_batch_done(&worker->batch);
    free(worker->running);
    free(worker->orphans);
    free(worker);
}

bool con_worker_has_tried(const struct con_worker *worker)
{
    return sl_amqp_link_has_tried(worker->broker) && sl_pg_link_has_tried(worker->pg);
}

bool con_worker_is_well(const struct con_worker *worker)
{
    return sl_amqp_link_state(worker->broker) == SL_AMQP_UP && sl_pg_link_is_up(worker->pg) &&
           con_parking_is_up(worker->parking) && !con_runner_is_holding(worker->runner);
}

size_t con_worker_held(const struct con_worker *worker)
{
    return worker->batch.held_count;
}

/* Links ----------------------------------------------------------------------------------------- */

/* Consumes once both sides are up, and from then on until the connection ends: see the header. */
static void reconsider(struct con_worker *worker)
{
    enum sl_amqp_state state = sl_amqp_link_state(worker->broker);
    bool is_open = state == SL_AMQP_UP || state == SL_AMQP_BLOCKED;
    const struct sl_subsystem *subsystem = worker->opts.subsystem;
    struct sl_err why;
    if (worker->is_consuming || worker->is_draining || !is_open || !sl_pg_link_is_up(worker->pg) ||
        con_runner_is_holding(worker->runner) ||
        !sl_amqp_consume(worker->broker, subsystem->queue, subsystem->prefetch, &why)) {
        return;
    }
    worker->is_consuming = true;
    if (!worker->is_queue_missing) {
        tell_started(worker);
    }
}

static void tell_started(struct con_worker *worker)
{
    const struct sl_subsystem *subsystem = worker->opts.subsystem;
    worker->is_queue_missing = false;
    sl_info(worker->opts.log, "consumer.started", "taking deliveries",
            sl_str("subsystem", subsystem->name), sl_str("worker", worker->name),
            sl_str("queue", subsystem->queue), sl_int("prefetch", subsystem->prefetch),
            sl_int("batch", subsystem->batch));
}

static void on_broker_up(struct sl_amqp_link *link, void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_watch_up(&worker->broker_watch);
    reconsider(worker);
}

static void on_broker_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                           void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_watch_down(&worker->broker_watch, why, wait_ms);
    worker->is_consuming = false;
    worker->is_queue_missing = why->code == SL_E_AMQP_NOT_FOUND;
    forget(worker);
}

/* The tags of a lost connection mean nothing on the next one. */
static void forget(struct con_worker *worker)
{
    size_t held = worker->batch.held_count;
    if (held == 0) {
        return;
    }
    sl_info(worker->opts.log, "consumer.forgotten",
            "unacknowledged deliveries went with the connection and will come again",
            sl_str("subsystem", worker->opts.subsystem->name), sl_int("deliveries", (int64_t)held));
    worker->orphan_count +=
        con_batch_forget(&worker->batch, worker->orphans + worker->orphan_count);
    sl_timer_disarm(worker->start_timer);
    sl_series_add(worker->inflight, -(int64_t)held);
    if (con_runner_is_busy(worker->runner)) {
        worker->is_orphaned = true;
        con_runner_stop(worker->runner);
    }
}

static void on_pg_up(struct sl_pg_link *link, void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_watch_up(&worker->pg_watch);
    con_runner_pg_up(worker->runner);
    plan_start(worker);
    reconsider(worker);
}

static void on_pg_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms,
                       void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    con_watch_down(&worker->pg_watch, why, wait_ms);
}

/* Deliveries ------------------------------------------------------------------------------------ */

static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg)
{
    (void)link;
    struct con_worker *worker = arg;
    struct con_arrival arrival = con_delivery_arrival(delivery);
    if (worker->is_draining || !con_batch_hold(&worker->batch, &arrival, sl_clock_mono_us())) {
        give_back(worker, arrival.tag);
        return;
    }
    if (worker->is_queue_missing) {
        tell_started(worker);
    }
    sl_series_add(worker->inflight, 1);
    sl_amqp_read_pause(worker->broker, con_batch_is_full(&worker->batch));
    plan_start(worker);
}

/* A transaction starts when the loop has read what there was to read, which is what a wait of 0 means. */
static void plan_start(struct con_worker *worker)
{
    if (con_runner_is_busy(worker->runner) || worker->is_draining ||
        !sl_pg_link_is_up(worker->pg)) {
        return;
    }
    int64_t wait_us = con_batch_wait_us(&worker->batch, sl_clock_mono_us());
    if (wait_us < 0) {
        return;
    }
    bool is_armed = sl_timer_is_armed(worker->start_timer);
    if (is_armed && (wait_us > 0 || worker->starts_now)) {
        return; /* it comes early enough */
    }
    worker->starts_now = wait_us == 0;
    sl_timer_arm(worker->start_timer, (wait_us + 999) / 1000);
}

static void on_start_timer(void *arg)
{
    struct con_worker *worker = arg;
    if (con_runner_is_busy(worker->runner) || worker->batch.waiting_count == 0 ||
        !sl_pg_link_is_up(worker->pg)) {
        return;
    }
    int64_t now_us = sl_clock_mono_us();
    size_t taken =
        con_batch_take(&worker->batch, worker->running, worker->opts.subsystem->batch, now_us);
    worker->running_count = con_runner_start(worker->runner, worker->running, taken);
    worker->is_orphaned = false;
    con_batch_give_back(&worker->batch, worker->running + worker->running_count,
                        taken - worker->running_count, now_us);
}

static void on_decided(void *arg, struct con_delivery *delivery, const struct con_event *event)
{
    struct con_worker *worker = arg;
    static const enum outcome outcomes[] = {
        [CON_APPLIED] = APPLIED,
        [CON_STALE] = STALE,
        [CON_IGNORED] = IGNORED,
        [CON_DUPLICATE] = DUPLICATE,
    };
    SL_ASSERT(event->verdict >= CON_APPLIED && event->verdict <= CON_DUPLICATE);
    sl_series_add(worker->outcomes[outcomes[event->verdict]], 1);
    if (event->verdict != CON_DUPLICATE) {
        sl_series_observe_us(worker->lag, sl_clock_wall_us() - event->envelope.received_at_us);
    }
    delivery->state = CON_DELIVERY_SETTLED;
}

static void on_dead(void *arg, struct con_delivery *delivery, const struct sl_envelope *envelope,
                    const struct sl_err *why, const char *sqlstate)
{
    struct con_worker *worker = arg;
    if (worker->is_orphaned) {
        return; /* it comes again on the next connection */
    }
    delivery->dead = con_dead_new(delivery, envelope, why, sqlstate, sl_clock_wall_us() / 1000);
    if (delivery->dead != NULL) {
        delivery->state = CON_DELIVERY_DEAD;
    }
    /* Without memory it stays undecided; on_finished puts it back among the waiting. */
}

/* Something may be settled, or ready to be parked. */
static void on_progress(void *arg)
{
    struct con_worker *worker = arg;
    if (!worker->is_orphaned) {
        settle(worker);
        con_parking_send(worker->parking);
    }
}

static void on_holding(void *arg)
{
    reconsider(arg);
}

static void on_finished(void *arg)
{
    struct con_worker *worker = arg;
    int64_t now_us = sl_clock_mono_us();
    settle(worker);
    free_orphans(worker);
    con_batch_give_back_all(&worker->batch, now_us);
    worker->running_count = 0;
    con_batch_ended(&worker->batch, now_us);
    if (worker->is_draining) {
        size_t released = con_settle_release(&worker->batch, give_back, worker);
        sl_series_add(worker->inflight, -(int64_t)released);
    }
    plan_start(worker);
}

static void free_orphans(struct con_worker *worker)
{
    for (size_t i = 0; i < worker->orphan_count; i++) {
        con_delivery_free(worker->orphans[i]);
    }
    worker->orphan_count = 0;
    worker->is_orphaned = false;
}

/* Acknowledgements ------------------------------------------------------------------------------ */

static void settle(struct con_worker *worker)
{
    size_t settled = con_settle(&worker->batch, send_ack, worker);
    sl_series_add(worker->inflight, -(int64_t)settled);
    sl_amqp_read_pause(worker->broker, con_batch_is_full(&worker->batch));
}

/* What cannot be sent was for a connection that is ending: on_broker_down forgets it. */
static void send_ack(void *arg, uint64_t tag, bool multiple)
{
    const struct con_worker *worker = arg;
    struct sl_err why;
    if (!sl_amqp_ack(worker->broker, tag, multiple, &why)) {
        sl_log_err(worker->opts.log, SL_DEBUG, "consumer.ack_lost",
                   "it will be delivered again and found in the inbox", &why);
    }
}

static void give_back(void *arg, uint64_t tag)
{
    const struct con_worker *worker = arg;
    struct sl_err why;
    if (!sl_amqp_nack(worker->broker, tag, false, true, &why)) {
        sl_log_err(worker->opts.log, SL_DEBUG, "consumer.ack_lost",
                   "the broker gives it back when the connection closes", &why);
    }
}

/* Drain ----------------------------------------------------------------------------------------- */

void con_worker_drain(struct con_worker *worker)
{
    worker->is_draining = true;
    sl_timer_disarm(worker->start_timer);
    sl_amqp_read_pause(worker->broker, false);
    struct sl_err why;
    if (worker->is_consuming &&
        !sl_amqp_consume_stop(worker->broker, worker->opts.subsystem->queue, &why)) {
        worker->is_consuming = false; /* the connection is ending anyway */
    }
    size_t released = con_settle_release(&worker->batch, give_back, worker);
    sl_series_add(worker->inflight, -(int64_t)released);
    if (con_runner_is_busy(worker->runner)) {
        con_runner_stop(worker->runner);
    }
}

bool con_worker_is_drained(const struct con_worker *worker)
{
    return !con_runner_is_busy(worker->runner) && worker->batch.held_count == 0;
}
