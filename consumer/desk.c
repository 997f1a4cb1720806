#include "consumer/desk.h"

#include <stdlib.h>

#include "consumer/delivery.h"
#include "consumer/departure.h"
#include "consumer/lane.h"
#include "consumer/onward.h"
#include "consumer/ramp.h"
#include "consumer/runner.h"
#include "consumer/settle.h"
#include "shared/clock.h"

enum outcome { APPLIED, STALE, IGNORED, DUPLICATE, OUTCOMES };

struct con_desk {
    struct con_desk_opts opts;
    struct con_onward *onward;
    struct con_runner *runner;
    struct con_lane *lane; /* of types that fail too much */
    struct sl_timer *start_timer;
    bool starts_now; /* start_timer is armed for the next turn of the loop */
    struct con_ramp ramp;
    bool is_committing; /* something of the running batch was committed */

    size_t batch_now;     /* most events of a transaction, as operators have set it */
    int64_t attempts_now; /* likewise: tries in all */
    struct con_batch batch;
    struct con_delivery **running; /* in the runner */
    size_t running_count;
    struct con_delivery *
        *orphans; /* running, but of a lost connection: ours to free, not to settle */
    size_t orphan_count;
    bool is_orphaned; /* the runner works on orphans */
    bool is_draining;

    struct sl_series *outcomes[OUTCOMES];
    struct sl_series *inflight;
    struct sl_series *lag;
};

static bool make_parts(struct con_desk *desk, struct sl_err *err);
static void find_series(struct con_desk *desk);
static bool park_deadly(struct con_desk *desk);
static void send_back_early(struct con_desk *desk, const struct sl_amqp_delivery *delivery);
static void plan_start(struct con_desk *desk);
static void on_start_timer(void *arg);
static void on_decided(void *arg, struct con_delivery *delivery, const struct con_event *event);
static void on_failed(void *arg, struct con_delivery *delivery, const struct con_event *event);
static bool is_own_fault(struct con_fate fate);
static bool on_mass_failure(void *arg, const struct con_event *event);
static void on_gone(void *arg, const struct con_delivery *delivery);
static void on_progress(void *arg);
static void on_paused(void *arg);
static void on_resumed(void *arg);
static void on_finished(void *arg);
static void free_orphans(struct con_desk *desk);
static void settle(struct con_desk *desk);
static void send_ack(void *arg, uint64_t tag, bool multiple);
static void give_back(void *arg, uint64_t tag);

struct con_desk *con_desk_new(const struct con_desk_opts *opts, struct sl_err *err)
{
    struct con_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a worker");
        return NULL;
    }
    desk->opts = *opts;
    desk->attempts_now = opts->subsystem->attempts;
    desk->batch_now = opts->subsystem->batch;
    con_batch_init(&desk->batch, opts->subsystem->batch);
    find_series(desk);
    if (!make_parts(desk, err)) {
        con_desk_free(desk);
        return NULL;
    }
    return desk;
}

static bool make_parts(struct con_desk *desk, struct sl_err *err)
{
    const struct con_desk_opts *opts = &desk->opts;
    desk->running = calloc(opts->subsystem->batch, sizeof(struct con_delivery *));
    desk->orphans = calloc(opts->subsystem->batch, sizeof(struct con_delivery *));
    desk->start_timer = sl_timer_new(opts->loop, on_start_timer, desk);
    if (desk->running == NULL || desk->orphans == NULL || desk->start_timer == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a worker");
    }
    desk->lane = con_lane_new(
        &(struct con_lane_opts){
            .log = opts->log,
            .metrics = opts->metrics,
            .subsystem = opts->subsystem,
            .alarm = opts->alarm,
        },
        err);
    if (desk->lane == NULL) {
        return false;
    }
    desk->runner = con_runner_new(
        &(struct con_runner_opts){
            .loop = opts->loop,
            .log = opts->log,
            .metrics = opts->metrics,
            .pg = opts->pg,
            .handler = opts->handler,
            .subsystem = opts->subsystem->name,
            .batch_max = opts->subsystem->batch,
            .arg = desk,
            .on_decided = on_decided,
            .on_failed = on_failed,
            .on_mass_failure = on_mass_failure,
            .on_progress = on_progress,
            .on_paused = on_paused,
            .on_resumed = on_resumed,
            .on_finished = on_finished,
        },
        err);
    if (desk->runner == NULL) {
        return false;
    }
    desk->onward = con_onward_new(
        &(struct con_onward_opts){
            .loop = opts->loop,
            .log = opts->log,
            .metrics = opts->metrics,
            .amqp = opts->amqp,
            .subsystem = opts->subsystem->name,
            .queue = opts->subsystem->queue,
            .owner = opts->owner,
            .connection_name = opts->connection_name,
            .batch = &desk->batch,
            .arg = desk,
            .on_gone = on_gone,
        },
        err);
    return desk->onward != NULL;
}

static void find_series(struct con_desk *desk)
{
    static const enum con_verdict verdicts[OUTCOMES] = { CON_APPLIED, CON_STALE, CON_IGNORED,
                                                         CON_DUPLICATE };
    const char *subsystem = desk->opts.subsystem->name;
    for (size_t i = 0; i < OUTCOMES; i++) {
        desk->outcomes[i] = sl_metrics_series(desk->opts.metrics, SL_M_DELIVERIES, subsystem,
                                              con_verdict_name(verdicts[i]));
    }
    desk->inflight = sl_metrics_series(desk->opts.metrics, SL_M_CONSUMER_INFLIGHT, subsystem, NULL);
    desk->lag = sl_metrics_series(desk->opts.metrics, SL_M_EVENT_LAG_SECONDS, subsystem, NULL);
}

void con_desk_free(struct con_desk *desk)
{
    if (desk == NULL) {
        return;
    }
    con_onward_free(desk->onward);
    con_runner_free(desk->runner);
    con_lane_free(desk->lane);
    sl_timer_free(desk->start_timer);
    free_orphans(desk);
    sl_series_add(desk->inflight, -(int64_t)desk->batch.held_count);
    con_batch_done(&desk->batch);
    free(desk->running);
    free(desk->orphans);
    free(desk);
}

size_t con_desk_held(const struct con_desk *desk)
{
    return desk->batch.held_count;
}

bool con_desk_is_well(const struct con_desk *desk)
{
    return con_onward_is_up(desk->onward) && !con_runner_is_holding(desk->runner);
}

void con_desk_take(struct con_desk *desk, const struct sl_amqp_delivery *delivery)
{
    struct con_arrival arrival = con_delivery_arrival(delivery);
    if (desk->is_draining || !con_batch_hold(&desk->batch, &arrival, sl_clock_mono_us())) {
        give_back(desk, arrival.tag);
        return;
    }
    sl_series_add(desk->inflight, 1);
    sl_amqp_read_pause(desk->opts.broker, con_batch_is_full(&desk->batch));
    if (!park_deadly(desk)) {
        send_back_early(desk, delivery);
    }
    plan_start(desk);
}

/* It ended the process whenever it was looked into, so nobody looks. */
static bool park_deadly(struct con_desk *desk)
{
    const struct con_delivery *delivery = desk->batch.last;
    uint64_t key = con_flight_key(delivery->message_id, delivery->bytes);
    struct con_departure *departure =
        con_flight_is_deadly(desk->opts.flight, key)
            ? con_departure_deadly(delivery, sl_clock_wall_us() / 1000)
            : NULL;
    if (departure == NULL) {
        return false;
    }
    con_batch_divert(&desk->batch, desk->batch.last, departure);
    con_onward_send(desk->onward);
    return true;
}

/* Without memory it is tried now: early is better than never. */
static void send_back_early(struct con_desk *desk, const struct sl_amqp_delivery *delivery)
{
    int64_t delay_ms = sl_subsystem_delay_ms(desk->opts.subsystem, delivery->message.type);
    int64_t wait_s = con_delivery_early_s(delivery, delay_ms, sl_clock_wall_us() / 1000);
    struct con_departure *departure =
        wait_s > 0 ? con_departure_early(desk->batch.last, wait_s) : NULL;
    if (departure != NULL) {
        con_batch_divert(&desk->batch, desk->batch.last, departure);
        con_onward_send(desk->onward);
    }
}

/* A transaction starts when the loop has read what there was to read, which is what a wait of 0 means. */
static void plan_start(struct con_desk *desk)
{
    if (con_runner_is_busy(desk->runner) || desk->is_draining || !sl_pg_link_is_up(desk->opts.pg)) {
        return;
    }
    int64_t wait_us = con_batch_wait_us(&desk->batch, sl_clock_mono_us());
    if (wait_us < 0) {
        return;
    }
    bool is_armed = sl_timer_is_armed(desk->start_timer);
    if (is_armed && (wait_us > 0 || desk->starts_now)) {
        return; /* it comes early enough */
    }
    desk->starts_now = wait_us == 0;
    sl_timer_arm(desk->start_timer, (wait_us + 999) / 1000);
}

static void on_start_timer(void *arg)
{
    struct con_desk *desk = arg;
    if (con_runner_is_busy(desk->runner) || desk->batch.waiting_count == 0 ||
        !sl_pg_link_is_up(desk->opts.pg)) {
        return;
    }
    if (con_lane_divert(desk->lane, &desk->batch) > 0) {
        con_onward_send(desk->onward);
    }
    int64_t now_us = sl_clock_mono_us();
    size_t room = con_flight_is_isolating(desk->opts.flight)
                      ? 1
                      : con_ramp_room(&desk->ramp, desk->batch_now);
    size_t taken = con_batch_take(&desk->batch, desk->running, room, now_us);
    if (taken == 0) {
        return; /* all of it is held */
    }
    con_flight_begin(desk->opts.flight, desk->running, taken);
    desk->running_count = con_runner_start(desk->runner, desk->running, taken);
    desk->is_orphaned = false;
    con_batch_give_back(&desk->batch, desk->running + desk->running_count,
                        taken - desk->running_count, now_us);
}

static void on_decided(void *arg, struct con_delivery *delivery, const struct con_event *event)
{
    struct con_desk *desk = arg;
    static const enum outcome outcomes[] = {
        [CON_APPLIED] = APPLIED,
        [CON_STALE] = STALE,
        [CON_IGNORED] = IGNORED,
        [CON_DUPLICATE] = DUPLICATE,
    };
    SL_ASSERT(event->verdict >= CON_APPLIED && event->verdict <= CON_DUPLICATE);
    sl_series_add(desk->outcomes[outcomes[event->verdict]], 1);
    desk->is_committing = true;
    if (event->verdict != CON_DUPLICATE) {
        sl_series_observe_us(desk->lag, sl_clock_wall_us() - event->envelope.received_at_us);
        con_lane_passed(desk->lane, event);
    }
    delivery->state = CON_DELIVERY_SETTLED;
}

static void on_failed(void *arg, struct con_delivery *delivery, const struct con_event *event)
{
    struct con_desk *desk = arg;
    if (desk->is_orphaned) {
        return; /* it comes again on the next connection */
    }
    bool is_read = event->envelope.id.data != NULL;
    const struct con_try failed = { .code = event->why.code,
                                    .sqlstate = event->code,
                                    .has_event = is_read,
                                    .attempt = delivery->attempt,
                                    .retry_after_s = event->retry_after_s };
    const struct con_fate_policy policy = {
        .attempts = desk->attempts_now,
        .backoff_ms = desk->opts.subsystem->backoff_ms,
        .backoff_max_ms = desk->opts.subsystem->backoff_max_ms,
    };
    uint64_t random = 0;
    bool is_random = sl_random_bytes(&random, sizeof random);
    struct con_fate fate = con_fate_decide(&failed, &policy, is_random ? random : 0);
    if (is_own_fault(fate)) {
        delivery->departure = con_lane_failed(desk->lane, delivery, event);
    }
    if (delivery->departure == NULL) {
        delivery->departure =
            con_departure_new(delivery, is_read ? &event->envelope : NULL, &event->why, event->code,
                              fate, sl_clock_wall_us() / 1000);
    }
    if (delivery->departure != NULL) {
        delivery->state = CON_DELIVERY_LEAVING;
    }
    /* Without memory it stays undecided; on_finished puts it back among the waiting. */
}

/* Such failures, and no others, say something about the type. */
static bool is_own_fault(struct con_fate fate)
{
    return strcmp(fate.error_class, "item") == 0 || strcmp(fate.error_class, "permanent") == 0;
}

static bool on_mass_failure(void *arg, const struct con_event *event)
{
    struct con_desk *desk = arg;
    return con_lane_trip(desk->lane, event);
}

static void on_gone(void *arg, const struct con_delivery *delivery)
{
    struct con_desk *desk = arg;
    con_attempts_note(desk->opts.attempts, desk->opts.subsystem->name, delivery);
    on_progress(desk);
}

/* Something may be settled, or ready to leave. */
static void on_progress(void *arg)
{
    struct con_desk *desk = arg;
    if (!desk->is_orphaned) {
        settle(desk);
        con_onward_send(desk->onward);
    }
}

static void on_paused(void *arg)
{
    struct con_desk *desk = arg;
    if (sl_pg_link_is_up(desk->opts.pg)) {
        con_ramp_end(&desk->ramp);
    }
    con_flight_pause(desk->opts.flight);
}

static void on_resumed(void *arg)
{
    const struct con_desk *desk = arg;
    con_flight_resume(desk->opts.flight);
}

static void on_finished(void *arg)
{
    struct con_desk *desk = arg;
    con_flight_end(desk->opts.flight);
    if (desk->is_committing) {
        con_ramp_passed(&desk->ramp, desk->batch_now);
        desk->is_committing = false;
    }
    int64_t now_us = sl_clock_mono_us();
    settle(desk);
    free_orphans(desk);
    con_batch_give_back_all(&desk->batch, now_us);
    desk->running_count = 0;
    con_batch_ended(&desk->batch, now_us);
    if (desk->is_draining) {
        size_t released = con_settle_release(&desk->batch, give_back, desk);
        sl_series_add(desk->inflight, -(int64_t)released);
    }
    plan_start(desk);
}

static void free_orphans(struct con_desk *desk)
{
    for (size_t i = 0; i < desk->orphan_count; i++) {
        con_delivery_free(desk->orphans[i]);
    }
    desk->orphan_count = 0;
    desk->is_orphaned = false;
}

/* The tags of a lost connection mean nothing on the next one. */
void con_desk_forget(struct con_desk *desk)
{
    size_t held = desk->batch.held_count;
    if (held == 0) {
        return;
    }
    sl_info(desk->opts.log, "consumer.forgotten",
            "unacknowledged deliveries went with the connection and will come again",
            sl_str("subsystem", desk->opts.subsystem->name), sl_int("deliveries", (int64_t)held));
    desk->orphan_count += con_batch_forget(&desk->batch, desk->orphans + desk->orphan_count);
    sl_timer_disarm(desk->start_timer);
    sl_series_add(desk->inflight, -(int64_t)held);
    if (con_runner_is_busy(desk->runner)) {
        desk->is_orphaned = true;
        con_runner_stop(desk->runner);
    }
}

void con_desk_pg_down(struct con_desk *desk)
{
    con_ramp_lost(&desk->ramp);
}

void con_desk_pg_up(struct con_desk *desk)
{
    con_runner_pg_up(desk->runner);
    plan_start(desk);
}

void con_desk_obey(struct con_desk *desk, size_t batch, int64_t attempts,
                   const struct con_order *order)
{
    SL_ASSERT(batch > 0);
    SL_ASSERT(batch <= desk->opts.subsystem->batch);
    desk->batch_now = batch;
    desk->attempts_now = attempts;
    con_lane_obey(desk->lane, order);
    con_runner_obey(desk->runner, order);
}

void con_desk_show_breakers(const struct con_desk *desk, struct sl_json_writer *json)
{
    con_lane_show(desk->lane, json);
}

int64_t con_desk_oldest_us(const struct con_desk *desk)
{
    struct sl_envelope event;
    struct sl_err why;
    for (const struct con_delivery *delivery = desk->batch.first; delivery != NULL;
         delivery = delivery->next) {
        if (sl_envelope_decode(delivery->bytes, &event, &why)) {
            return event.received_at_us;
        }
    }
    return 0;
}

int64_t con_desk_oldest_arrival_ms(const struct con_desk *desk)
{
    int64_t oldest_us = con_batch_oldest_us(&desk->batch);
    return oldest_us < 0 ? -1 : oldest_us / 1000;
}

void con_desk_resume(struct con_desk *desk)
{
    desk->is_draining = false;
    plan_start(desk);
}

void con_desk_drain(struct con_desk *desk)
{
    desk->is_draining = true;
    sl_timer_disarm(desk->start_timer);
    sl_amqp_read_pause(desk->opts.broker, false);
    size_t released = con_settle_release(&desk->batch, give_back, desk);
    sl_series_add(desk->inflight, -(int64_t)released);
    if (con_runner_is_busy(desk->runner)) {
        con_runner_stop(desk->runner);
    }
}

bool con_desk_is_drained(const struct con_desk *desk)
{
    return !con_runner_is_busy(desk->runner) && desk->batch.held_count == 0;
}

/* Acknowledgements ------------------------------------------------------------------------------ */

static void settle(struct con_desk *desk)
{
    size_t settled = con_settle(&desk->batch, send_ack, desk);
    sl_series_add(desk->inflight, -(int64_t)settled);
    sl_amqp_read_pause(desk->opts.broker, con_batch_is_full(&desk->batch));
}

/* What cannot be sent was for a connection that is ending: on_broker_down forgets it. */
static void send_ack(void *arg, uint64_t tag, bool multiple)
{
    const struct con_desk *desk = arg;
    struct sl_err why;
    if (!sl_amqp_ack(desk->opts.broker, tag, multiple, &why)) {
        sl_log_err(desk->opts.log, SL_DEBUG, "consumer.ack_lost",
                   "it will be delivered again and found in the inbox", &why);
    }
}

static void give_back(void *arg, uint64_t tag)
{
    const struct con_desk *desk = arg;
    struct sl_err why;
    if (!sl_amqp_nack(desk->opts.broker, tag, false, true, &why)) {
        sl_log_err(desk->opts.log, SL_DEBUG, "consumer.ack_lost",
                   "the broker gives it back when the connection closes", &why);
    }
}
