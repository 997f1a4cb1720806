#include "consumer/desk.h"

#include <stdlib.h>

#include "consumer/departure.h"
#include "consumer/onward.h"
#include "consumer/opening.h"
#include "consumer/outcome.h"
#include "consumer/receipt.h"
#include "consumer/reception.h"
#include "consumer/rehearsal.h"
#include "consumer/runner.h"
#include "shared/clock.h"

#define KEPT_WAIT_S 1 /* the shortest way from the delays to the queue, or to sluice.unrouted */

struct con_desk {
    struct con_desk_opts opts;
    struct con_batch batch;
    struct con_receipt receipt;
    struct con_reception reception;
    struct con_opening *opening;
    struct con_runner *runner;
    struct con_rehearsal *rehearsal;
    struct con_outcome outcome;
    struct con_onward *onward;
    const struct con_order *order;
    struct con_delivery **
        orphans; /* in the open transaction, but of a lost connection: ours to free, not to settle */
    size_t orphan_count;
    bool is_orphaned;   /* the open transaction has orphans alone */
    bool is_committing; /* something of it was committed */
    bool is_draining;
};

static bool make_parts(struct con_desk *desk, struct sl_err *err);
static bool make_opening(struct con_desk *desk, struct sl_err *err);
static bool make_runner(struct con_desk *desk, struct sl_err *err);
static bool make_rehearsal(struct con_desk *desk, struct sl_err *err);
static bool make_onward(struct con_desk *desk, struct sl_err *err);
static void plan(struct con_desk *desk);
static void on_diverted(void *arg);
static void on_open(void *arg, enum con_turn turn, struct con_delivery *const *deliveries,
                    size_t count);
static void apply(struct con_desk *desk, struct con_delivery *const *deliveries, size_t count);
static void rehearse(struct con_desk *desk, struct con_delivery *const *deliveries);
static void on_decided(void *arg, struct con_delivery *delivery, const struct con_event *event);
static void on_failed(void *arg, struct con_delivery *delivery, const struct con_event *event);
static bool on_mass_failure(void *arg, const struct con_event *event);
static void on_gone(void *arg, const struct con_delivery *delivery);
static void on_progress(void *arg);
static void on_paused(void *arg);
static void on_resumed(void *arg);
static void on_finished(void *arg);
static void free_orphans(struct con_desk *desk);
static void release(struct con_desk *desk);
static void send_on_kept(struct con_desk *desk);

struct con_desk *con_desk_new(const struct con_desk_opts *opts, struct sl_err *err)
{
    struct con_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a worker");
        return NULL;
    }
    desk->opts = *opts;
    con_batch_init(&desk->batch, opts->subsystem->batch);
    desk->receipt =
        (struct con_receipt){ .log = opts->log, .broker = opts->broker, .batch = &desk->batch };
    con_receipt_init(&desk->receipt, opts->metrics, opts->subsystem->name);
    desk->outcome = (struct con_outcome){ .subsystem = opts->subsystem,
                                          .lane = opts->lane,
                                          .alarm = opts->alarm,
                                          .attempts = opts->attempts,
                                          .attempts_max = opts->subsystem->attempts };
    con_outcome_init(&desk->outcome, opts->metrics);
    if (!make_parts(desk, err)) {
        con_desk_free(desk);
        return NULL;
    }
    return desk;
}

static bool make_parts(struct con_desk *desk, struct sl_err *err)
{
    desk->orphans = calloc(desk->opts.subsystem->batch, sizeof(struct con_delivery *));
    if (desk->orphans == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a worker");
    }
    return make_opening(desk, err) && make_runner(desk, err) && make_rehearsal(desk, err) &&
           make_onward(desk, err);
}

static bool make_opening(struct con_desk *desk, struct sl_err *err)
{
    const struct con_desk_opts *opts = &desk->opts;
    desk->opening = con_opening_new(
        &(struct con_opening_opts){
            .loop = opts->loop,
            .batch = &desk->batch,
            .batch_max = opts->subsystem->batch,
            .pg = opts->pg,
            .flight = opts->flight,
            .fusebox = opts->fusebox,
            .lane = opts->lane,
            .is_rush = opts->is_rush,
            .rush_arg = opts->rush_arg,
            .arg = desk,
            .on_diverted = on_diverted,
            .on_open = on_open,
        },
        err);
    return desk->opening != NULL;
}

static bool make_runner(struct con_desk *desk, struct sl_err *err)
{
    const struct con_desk_opts *opts = &desk->opts;
    desk->runner = con_runner_new(
        &(struct con_runner_opts){
            .loop = opts->loop,
            .log = opts->log,
            .metrics = opts->metrics,
            .pg = opts->pg,
            .handler = opts->handler,
            .subsystem = opts->subsystem->name,
            .batch_max = opts->subsystem->batch,
            .fusebox = opts->fusebox,
            .halt = opts->halt,
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
    return desk->runner != NULL;
}

static bool make_rehearsal(struct con_desk *desk, struct sl_err *err)
{
    const struct con_desk_opts *opts = &desk->opts;
    desk->rehearsal = con_rehearsal_new(
        &(struct con_rehearsal_opts){
            .log = opts->log,
            .pg = opts->pg,
            .handler = opts->handler,
            .subsystem = opts->subsystem,
            .arg = desk,
            .on_finished = on_finished,
        },
        err);
    return desk->rehearsal != NULL;
}

static bool make_onward(struct con_desk *desk, struct sl_err *err)
{
    const struct con_desk_opts *opts = &desk->opts;
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
    desk->reception = (struct con_reception){ .subsystem = opts->subsystem,
                                              .flight = opts->flight,
                                              .batch = &desk->batch,
                                              .receipt = &desk->receipt,
                                              .onward = desk->onward };
    return desk->onward != NULL;
}

void con_desk_free(struct con_desk *desk)
{
    if (desk == NULL) {
        return;
    }
    con_onward_free(desk->onward);
    con_runner_free(desk->runner);
    con_rehearsal_free(desk->rehearsal);
    con_opening_free(desk->opening);
    free_orphans(desk);
    con_receipt_forgot(&desk->receipt, desk->batch.held_count);
    con_batch_done(&desk->batch);
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

bool con_desk_is_holding(const struct con_desk *desk)
{
    return con_runner_is_holding(desk->runner);
}

void con_desk_take(struct con_desk *desk, const struct sl_amqp_delivery *delivery)
{
    if (desk->is_draining) {
        con_reception_refuse(&desk->reception, delivery);
        return;
    }
    con_reception_take(&desk->reception, delivery);
    plan(desk);
}

static void plan(struct con_desk *desk)
{
    if (!desk->is_draining) {
        con_opening_plan(desk->opening);
    }
}

static void on_diverted(void *arg)
{
    const struct con_desk *desk = arg;
    con_onward_send(desk->onward);
}

static void on_open(void *arg, enum con_turn turn, struct con_delivery *const *deliveries,
                    size_t count)
{
    struct con_desk *desk = arg;
    desk->is_orphaned = false;
    if (turn == CON_TURN_REHEARSAL) {
        rehearse(desk, deliveries);
    } else {
        apply(desk, deliveries, count);
    }
}

static void apply(struct con_desk *desk, struct con_delivery *const *deliveries, size_t count)
{
    con_flight_begin(desk->opts.flight, deliveries, count);
    size_t started = con_runner_start(desk->runner, deliveries, count);
    con_batch_give_back(&desk->batch, deliveries + started, count - started, sl_clock_mono_us());
}

static void rehearse(struct con_desk *desk, struct con_delivery *const *deliveries)
{
    bool is_unseen = con_flight_is_deadly(desk->opts.flight, deliveries[0]);
    con_flight_begin(desk->opts.flight, deliveries, is_unseen ? 0 : 1);
    con_rehearsal_start(desk->rehearsal, deliveries[0], desk->order, is_unseen);
}

static void on_decided(void *arg, struct con_delivery *delivery, const struct con_event *event)
{
    struct con_desk *desk = arg;
    desk->is_committing = true;
    con_outcome_decided(&desk->outcome, delivery, event);
}

/* Of a lost connection: it comes again on the next one. Without memory it stays undecided; on_finished puts it back among the waiting. */
static void on_failed(void *arg, struct con_delivery *delivery, const struct con_event *event)
{
    struct con_desk *desk = arg;
    if (!desk->is_orphaned) {
        con_outcome_failed(&desk->outcome, delivery, event);
    }
}

static bool on_mass_failure(void *arg, const struct con_event *event)
{
    struct con_desk *desk = arg;
    return con_lane_trip(desk->opts.lane, event);
}

static void on_gone(void *arg, const struct con_delivery *delivery)
{
    struct con_desk *desk = arg;
    con_flight_gone(desk->opts.flight, delivery);
    con_outcome_gone(&desk->outcome, delivery);
    on_progress(desk);
}

/* Something may be settled, or ready to leave. */
static void on_progress(void *arg)
{
    struct con_desk *desk = arg;
    if (!desk->is_orphaned) {
        con_receipt_settle(&desk->receipt);
        con_onward_send(desk->onward);
    }
}

static void on_paused(void *arg)
{
    const struct con_desk *desk = arg;
    if (sl_pg_link_is_up(desk->opts.pg)) {
        con_opening_ramp_end(desk->opening);
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
    con_opening_ended(desk->opening, desk->is_committing);
    desk->is_committing = false;
    con_receipt_settle(&desk->receipt);
    free_orphans(desk);
    int64_t now_us = sl_clock_mono_us();
    con_batch_give_back_all(&desk->batch, now_us);
    con_batch_ended(&desk->batch, now_us);
    if (desk->is_draining) {
        release(desk);
    }
    plan(desk);
}

static void free_orphans(struct con_desk *desk)
{
    for (size_t i = 0; i < desk->orphan_count; i++) {
        con_delivery_free(desk->orphans[i]);
    }
    desk->orphan_count = 0;
    desk->is_orphaned = false;
}

void con_desk_keep(struct con_desk *desk, enum con_turn turn)
{
    size_t kept = con_batch_keep(&desk->batch, turn);
    if (kept > 0) {
        sl_warn(desk->opts.log, "consumer.kept",
                "their queue was deleted, so they come from nowhere else: they are applied all the "
                "same",
                sl_str("subsystem", desk->opts.subsystem->name),
                sl_int("deliveries", (int64_t)kept));
    }
}

/* The tags of a lost connection mean nothing on the next one. */
void con_desk_forget(struct con_desk *desk)
{
    size_t held = desk->batch.held_count;
    size_t orphans = con_batch_forget(&desk->batch, desk->orphans + desk->orphan_count);
    size_t forgotten = held - desk->batch.held_count;
    desk->orphan_count += orphans;
    if (forgotten == 0) {
        return;
    }
    sl_info(desk->opts.log, "consumer.forgotten",
            "unacknowledged deliveries went with the connection and will come again",
            sl_str("subsystem", desk->opts.subsystem->name),
            sl_int("deliveries", (int64_t)forgotten));
    con_opening_cancel(desk->opening);
    con_receipt_forgot(&desk->receipt, forgotten);
    if (orphans > 0) {
        desk->is_orphaned = true;
        con_runner_stop(desk->runner);
    }
    plan(desk);
}

void con_desk_pg_down(struct con_desk *desk)
{
    con_opening_ramp(desk->opening);
}

void con_desk_pg_up(struct con_desk *desk)
{
    con_runner_pg_up(desk->runner);
    plan(desk);
}

void con_desk_wake(struct con_desk *desk)
{
    if (!con_opening_is_open(desk->opening)) {
        con_opening_ramp(desk->opening);
    }
    con_runner_wake(desk->runner);
    plan(desk);
}

void con_desk_obey(struct con_desk *desk, size_t batch, int64_t attempts,
                   const struct con_order *order)
{
    desk->outcome.attempts_max = attempts;
    desk->order = order;
    con_opening_obey(desk->opening, batch);
    con_runner_obey(desk->runner, order);
}

int64_t con_desk_oldest_us(const struct con_desk *desk)
{
    struct sl_envelope event;
    struct sl_err why;
    for (const struct con_delivery *delivery = desk->batch.first; delivery != NULL;
         delivery = delivery->next) {
        if (delivery->turn == CON_TURN_LIVE && sl_envelope_decode(delivery->bytes, &event, &why)) {
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

int64_t con_desk_apply_us(const struct con_desk *desk)
{
    return con_runner_apply_us(desk->runner);
}

void con_desk_resume(struct con_desk *desk)
{
    desk->is_draining = false;
    plan(desk);
}

void con_desk_drain(struct con_desk *desk)
{
    desk->is_draining = true;
    con_opening_cancel(desk->opening);
    con_receipt_read_on(&desk->receipt);
    release(desk);
    if (con_runner_is_busy(desk->runner)) {
        con_runner_stop(desk->runner);
    }
}

static void release(struct con_desk *desk)
{
    con_receipt_release(&desk->receipt);
    send_on_kept(desk);
}

/* Without memory it stays in hand. */
static void send_on_kept(struct con_desk *desk)
{
    for (struct con_delivery *delivery = desk->batch.first; delivery != NULL;
         delivery = delivery->next) {
        struct con_departure *departure = NULL;
        if (delivery->state == CON_DELIVERY_WAITING) {
            departure = con_departure_early(delivery, KEPT_WAIT_S);
        }
        if (departure != NULL) {
            con_batch_divert(&desk->batch, delivery, departure);
        }
    }
    con_onward_send(desk->onward);
}

bool con_desk_is_drained(const struct con_desk *desk)
{
    return !con_opening_is_open(desk->opening) && desk->batch.held_count == 0;
}
