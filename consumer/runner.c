#include "consumer/runner.h"

#include <stdlib.h>

#include "consumer/inquest.h"
#include "consumer/retry_decide.h"
#include "shared/backoff.h"
#include "shared/clock.h"
#include "shared/digest.h"

/* JSON trees, rows and their text of one batch; a batch that needs more is made smaller. */
#define ARENA_BYTES_MAX (48u * 1024u * 1024u)

struct con_runner {
    struct con_runner_opts opts;
    const struct con_order *order;
    struct con_apply *apply;
    struct sl_arena arena;
    struct sl_timer *timer; /* next turn after start or stop, or the wait of a held slice */
    struct sl_series *apply_seconds;
    struct sl_series *replaced_text;

    bool is_busy;
    bool is_holding;  /* since something passed */
    bool is_held;     /* the batch in hand */
    bool is_link_new; /* of it: the link was down */
    bool is_stopping;
    struct con_delivery *const *deliveries;
    struct con_event *events; /* events[i] is of deliveries[i] */
    size_t count;
    bool must_prepare;
    bool is_preparing;
    bool
        is_prepared; /* the handler may have acted outside: what it left PENDING is committed even when stopping */
    struct con_handler_error held; /* why events are HELD */
    struct con_inquest inquest;
    struct sl_backoff backoff;
    int64_t started_us; /* the transaction in hand */
};

static bool read_batch(struct con_runner *runner, size_t count, size_t *out_replaced);
static void read_message(struct con_event *event);
static void on_timer(void *arg);
static void park(struct con_runner *runner);
static void prepare(struct con_runner *runner);
static void on_prepared(void *arg, const struct con_handler_error *error);
static void hand_out(struct con_runner *runner);
static void hand_out_blamed(struct con_runner *runner);
static void go_on(struct con_runner *runner);
static bool is_going(const struct con_runner *runner);
static bool has_held(const struct con_runner *runner);
static void finish(struct con_runner *runner);
static void end_batch(struct con_runner *runner);
static void on_applied(void *arg, const struct con_handler_error *error);
static void pass(struct con_runner *runner);
static bool meet_failure(struct con_runner *runner, const struct con_handler_error *error);
static void wait_for_others(struct con_runner *runner, size_t events,
                            const struct con_handler_error *error);
static void hold_all(struct con_runner *runner, const struct con_event *example);
static bool is_to_regroup(const struct con_runner *runner);
static void regroup(struct con_runner *runner);
static void hold(struct con_runner *runner, const struct con_handler_error *error);
static int64_t wait_held(struct con_runner *runner);

struct con_runner *con_runner_new(const struct con_runner_opts *opts, struct sl_err *err)
{
    struct con_runner *runner = calloc(1, sizeof *runner);
    if (runner == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a runner");
        return NULL;
    }
    runner->opts = *opts;
    runner->inquest.can_hold_types = opts->on_mass_failure != NULL;
    sl_arena_init(&runner->arena, ARENA_BYTES_MAX);
    runner->backoff =
        (struct sl_backoff){ .base_ms = CON_HOLD_WAIT_MS_MIN, .cap_ms = CON_HOLD_WAIT_MS_MAX };
    bool is_seeded = sl_random_bytes(&runner->backoff.rng, sizeof runner->backoff.rng);
    runner->backoff.rng |= 1;
    runner->timer = sl_timer_new(opts->loop, on_timer, runner);
    runner->events = calloc(opts->batch_max, sizeof runner->events[0]);
    runner->apply = con_apply_new(
        &(struct con_apply_opts){
            .pg = opts->pg,
            .handler = opts->handler,
            .arena = &runner->arena,
            .subsystem = opts->subsystem,
            .events_max = opts->batch_max,
            .arg = runner,
            .on_done = on_applied,
        },
        err);
    if (!is_seeded || runner->timer == NULL || runner->events == NULL || runner->apply == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for batches of %zu events", opts->batch_max);
        con_runner_free(runner);
        return NULL;
    }
    runner->apply_seconds =
        sl_metrics_series(opts->metrics, SL_M_APPLY_SECONDS, opts->subsystem, NULL);
    runner->replaced_text =
        sl_metrics_series(opts->metrics, SL_M_REPLACED_TEXT, opts->subsystem, NULL);
    return runner;
}

void con_runner_free(struct con_runner *runner)
{
    if (runner == NULL) {
        return;
    }
    con_apply_free(runner->apply);
    sl_timer_free(runner->timer);
    sl_arena_done(&runner->arena);
    free(runner->events);
    free(runner);
}

bool con_runner_is_busy(const struct con_runner *runner)
{
    return runner->is_busy;
}

bool con_runner_is_holding(const struct con_runner *runner)
{
    return runner->is_holding;
}

size_t con_runner_start(struct con_runner *runner, struct con_delivery *const *deliveries,
                        size_t count)
{
    SL_ASSERT(!runner->is_busy);
    SL_ASSERT(count > 0);
    SL_ASSERT(count <= runner->opts.batch_max);
    runner->is_busy = true;
    runner->is_stopping = false;
    runner->deliveries = deliveries;
    size_t taken = count;
    size_t replaced = 0;
    while (!read_batch(runner, taken, &replaced)) {
        if (taken == 1) {
            runner->events[0].verdict = CON_DEAD;
            sl_fail(&runner->events[0].why, SL_E_LIMIT,
                    "reading this event takes more than %u bytes", ARENA_BYTES_MAX);
            break;
        }
        taken /= 2;
    }
    sl_series_add(runner->replaced_text, (int64_t)replaced);
    runner->count = taken;
    runner->must_prepare = true;
    runner->is_prepared = false;
    con_inquest_open(&runner->inquest, runner->events, deliveries, taken);
    sl_timer_arm(runner->timer, 0);
    return taken;
}

/* False when there is no memory for so many. */
static bool read_batch(struct con_runner *runner, size_t count, size_t *out_replaced)
{
    sl_arena_reset(&runner->arena);
    for (size_t i = 0; i < count; i++) {
        const struct con_delivery *delivery = runner->deliveries[i];
        runner->events[i] = (struct con_event){ .tag = delivery->tag,
                                                .bytes = delivery->bytes,
                                                .attempt = delivery->attempt,
                                                .is_replay = delivery->replay_run.bytes > 0,
                                                .code = "" };
        read_message(&runner->events[i]);
    }
    *out_replaced = 0;
    const struct con_handler *handler = runner->opts.handler;
    return handler->type->read(handler->self, &runner->arena, runner->events, count, out_replaced,
                               NULL);
}

/* A message that is no envelope is DEAD. */
static void read_message(struct con_event *event)
{
    if (!sl_envelope_decode(event->bytes, &event->envelope, &event->why)) {
        event->envelope = (struct sl_envelope){ 0 };
        event->verdict = CON_DEAD;
    }
}

void con_runner_pg_up(struct con_runner *runner)
{
    if (runner->is_busy && runner->is_holding) {
        runner->is_link_new = runner->is_held;
        sl_timer_arm(runner->timer, 0);
    }
}

void con_runner_stop(struct con_runner *runner)
{
    runner->is_stopping = true;
    const struct con_handler *handler = runner->opts.handler;
    if (runner->is_preparing && handler->type->stop != NULL) {
        handler->type->stop(handler->self);
    } else if (runner->is_busy && !runner->is_preparing && !con_apply_is_busy(runner->apply)) {
        sl_timer_arm(runner->timer, 0);
    }
}

void con_runner_obey(struct con_runner *runner, const struct con_order *order)
{
    runner->order = order;
}

static void on_timer(void *arg)
{
    struct con_runner *runner = arg;
    park(runner);
    hand_out(runner);
    if (is_to_regroup(runner)) {
        regroup(runner);
        return;
    }
    if (runner->is_held && !runner->is_stopping && runner->opts.on_resumed != NULL) {
        runner->opts.on_resumed(runner->opts.arg);
    }
    runner->is_held = false;
    if (runner->must_prepare && !runner->is_stopping) {
        prepare(runner);
    } else {
        go_on(runner);
    }
}

/* Looked at whenever a batch starts or is tried again, so that an event that stops everybody can be taken out of the way. */
static void park(struct con_runner *runner)
{
    int64_t wall_us = sl_clock_wall_us();
    for (size_t i = 0; runner->order != NULL && i < runner->count; i++) {
        struct con_event *event = &runner->events[i];
        bool is_open = event->verdict == CON_PENDING || event->verdict == CON_IGNORED ||
                       event->verdict == CON_HELD;
        const char *reason =
            is_open ? con_order_parks(runner->order, &event->envelope, wall_us) : NULL;
        if (reason != NULL) {
            event->verdict = CON_DEAD;
            event->code = "";
            sl_fail(&event->why, SL_E_EVENT_PARKED, "parked by an operator: %s", reason);
        }
    }
}

static void prepare(struct con_runner *runner)
{
    const struct con_handler *handler = runner->opts.handler;
    struct con_handler_error error = { .sqlstate = "" };
    runner->must_prepare = false;
    if (handler->type->prepare == NULL) {
        go_on(runner);
        return;
    }
    runner->is_preparing = true;
    switch (
        handler->type->prepare(handler->self, runner->opts.pg, on_prepared, runner, &error.err)) {
    case CON_PREPARED:
        on_prepared(runner, NULL);
        return;
    case CON_PREPARING:
        return;
    case CON_PREPARE_FAILED:
        runner->is_preparing = false;
        hold(runner, &error);
        return;
    }
}

/* Slices are cut anew: what is done already is passed over. */
static void on_prepared(void *arg, const struct con_handler_error *error)
{
    struct con_runner *runner = arg;
    runner->is_preparing = false;
    runner->is_prepared = true;
    if (error != NULL) {
        runner->held = *error;
    }
    con_inquest_begin(&runner->inquest);
    hand_out(runner);
    go_on(runner);
}

/* What needs no transaction: those that failed before it, and those that the handler found in the inbox. */
static void hand_out(struct con_runner *runner)
{
    size_t handed_out = 0;
    for (size_t i = 0; i < runner->count; i++) {
        struct con_event *event = &runner->events[i];
        if (event->verdict == CON_DEAD) {
            runner->opts.on_failed(runner->opts.arg, runner->deliveries[i], event);
        } else if (event->verdict == CON_DUPLICATE) {
            runner->opts.on_decided(runner->opts.arg, runner->deliveries[i], event);
        } else {
            continue;
        }
        event->verdict = CON_DONE;
        handed_out++;
    }
    if (handed_out > 0) {
        runner->opts.on_progress(runner->opts.arg);
    }
}

/* The batch is known not to fail as a whole: what was found guilty goes its way. */
static void hand_out_blamed(struct con_runner *runner)
{
    con_inquest_sentence(&runner->inquest);
    hand_out(runner);
}

/* Runs slices until one is on its way, one has to wait, or none is left. */
static void go_on(struct con_runner *runner)
{
    struct con_slice slice;
    while (is_going(runner) && con_inquest_next(&runner->inquest, &slice)) {
        struct con_handler_error error = { .sqlstate = "" };
        runner->started_us = sl_clock_mono_us();
        if (con_apply_start(runner->apply, runner->events, slice.first, slice.count, &error.err)) {
            return;
        }
        if (runner->is_stopping) {
            break;
        }
        if (!meet_failure(runner, &error)) {
            return;
        }
    }
    if (!runner->is_stopping && con_inquest_is_mended(&runner->inquest)) {
        go_on(runner);
        return;
    }
    if (!runner->is_stopping) {
        hand_out_blamed(runner);
    }
    if (!runner->is_stopping && has_held(runner)) {
        hold(runner, &runner->held);
        return;
    }
    finish(runner);
}

static bool is_going(const struct con_runner *runner)
{
    return !runner->is_stopping || runner->is_prepared;
}

static bool has_held(const struct con_runner *runner)
{
    for (size_t i = 0; i < runner->count; i++) {
        if (runner->events[i].verdict == CON_HELD) {
            return true;
        }
    }
    return false;
}

static void finish(struct con_runner *runner)
{
    end_batch(runner);
    runner->is_holding = false;
    runner->opts.on_finished(runner->opts.arg);
}

static void end_batch(struct con_runner *runner)
{
    sl_timer_disarm(runner->timer);
    runner->is_busy = false;
    runner->is_held = false;
    runner->is_link_new = false;
    runner->deliveries = NULL;
    runner->count = 0;
    sl_arena_reset(&runner->arena);
}

static void on_applied(void *arg, const struct con_handler_error *error)
{
    struct con_runner *runner = arg;
    if (error == NULL) {
        pass(runner);
        go_on(runner);
    } else if (runner->is_stopping) {
        finish(runner);
    } else if (meet_failure(runner, error)) {
        go_on(runner);
    }
}

/* The slice in hand is committed. */
static void pass(struct con_runner *runner)
{
    struct con_slice slice = con_inquest_in_hand(&runner->inquest);
    int64_t took_us = sl_clock_mono_us() - runner->started_us;
    sl_series_observe_us(runner->apply_seconds, took_us);
    sl_debug(runner->opts.log, "consumer.applied", "committed",
             sl_str("subsystem", runner->opts.subsystem), sl_int("events", (int64_t)slice.count),
             sl_int("duration_us", took_us));
    for (size_t i = slice.first; i < slice.first + slice.count; i++) {
        if (runner->events[i].verdict >= CON_APPLIED &&
            runner->events[i].verdict <= CON_DUPLICATE) {
            runner->opts.on_decided(runner->opts.arg, runner->deliveries[i], &runner->events[i]);
            runner->events[i].verdict = CON_DONE;
        }
    }
    con_inquest_passed(&runner->inquest);
    sl_backoff_reset(&runner->backoff);
    runner->is_holding = false;
    runner->opts.on_progress(runner->opts.arg);
}

/* True: go on at once. False: a wait is armed, or the link coming up will go on. */
static bool meet_failure(struct con_runner *runner, const struct con_handler_error *error)
{
    struct con_slice slice = con_inquest_in_hand(&runner->inquest);
    struct con_event *example = NULL;
    switch (con_inquest_failed(&runner->inquest, error, sl_pg_link_is_up(runner->opts.pg),
                               &runner->arena, &example)) {
    case CON_FINDING_LEAD:
        if (slice.count == runner->count && slice.count > 1) { /* said once a batch */
            sl_log_err(runner->opts.log, SL_WARN, "consumer.bisect",
                       "the batch failed because of what is in it, looking for the guilty event",
                       &error->err, sl_str("subsystem", runner->opts.subsystem),
                       sl_str("sqlstate", error->sqlstate), sl_int("events", (int64_t)slice.count));
        }
        return true;
    case CON_FINDING_OTHERS:
        wait_for_others(runner, slice.count, error);
        return false;
    case CON_FINDING_ALIKE:
        if (runner->opts.on_mass_failure(runner->opts.arg, example)) {
            return true;
        }
        hold_all(runner, example);
        return false;
    case CON_FINDING_MASS:
        hold_all(runner, example);
        return false;
    case CON_FINDING_HOLD:
        hand_out_blamed(runner);
        hold(runner, error);
        return false;
    }
    return false;
}

static void wait_for_others(struct con_runner *runner, size_t events,
                            const struct con_handler_error *error)
{
    uint64_t random = 0;
    bool is_random = sl_random_bytes(&random, sizeof random);
    int64_t wait_ms = con_retry_wait_ms(is_random ? random : runner->backoff.rng);
    sl_log_err(runner->opts.log, SL_INFO, "consumer.retry",
               "others were in the way, trying the batch again", &error->err,
               sl_str("subsystem", runner->opts.subsystem), sl_str("sqlstate", error->sqlstate),
               sl_int("events", (int64_t)events), sl_int("attempt", runner->inquest.tries),
               sl_int("wait_ms", wait_ms));
    sl_timer_arm(runner->timer, wait_ms);
}

static void hold_all(struct con_runner *runner, const struct con_event *example)
{
    size_t failed = con_inquest_forgive(&runner->inquest);
    sl_log_err(
        runner->opts.log, SL_ERROR, "consumer.mass_failure",
        "so many events of this batch fail alike that the fault is not theirs; nothing is given up, trying the batch again",
        &example->why, sl_str("subsystem", runner->opts.subsystem),
        sl_str("sqlstate", example->code), sl_text("event_type", example->envelope.type),
        sl_int("failed", (int64_t)failed), sl_int("events", (int64_t)runner->count));
    sl_series_add(
        sl_metrics_series(runner->opts.metrics, SL_M_MASS_FAILURES, runner->opts.subsystem, NULL),
        1);
    wait_held(runner);
}

/* While the link is down its coming up ends the wait (con_runner_pg_up), and the link's own line has said why. */
static void hold(struct con_runner *runner, const struct con_handler_error *error)
{
    enum sl_fault fault = sl_err_fault(&error->err);
    bool needs_human = fault == SL_FAULT_SETUP || fault == SL_FAULT_BUG;
    bool is_up = sl_pg_link_is_up(runner->opts.pg);
    bool is_news = !runner->is_holding || is_up;
    int64_t wait_ms = wait_held(runner);
    if (needs_human) {
        sl_log_err(runner->opts.log, SL_ERROR, "consumer.halted",
                   "an operator must act; nothing is lost, trying the batch again", &error->err,
                   sl_str("subsystem", runner->opts.subsystem), sl_str("sqlstate", error->sqlstate),
                   sl_int("events", (int64_t)runner->count), sl_int("wait_ms", wait_ms));
    } else if (is_news) {
        sl_log_err(runner->opts.log, SL_WARN, "consumer.held",
                   "the batch cannot be applied now, keeping it", &error->err,
                   sl_str("subsystem", runner->opts.subsystem), sl_str("sqlstate", error->sqlstate),
                   sl_int("events", (int64_t)runner->count), sl_int("wait_ms", wait_ms));
    }
}

static int64_t wait_held(struct con_runner *runner)
{
    bool is_up = sl_pg_link_is_up(runner->opts.pg);
    int64_t wait_ms = is_up ? sl_backoff_next_ms(&runner->backoff) : 0;
    if (is_up) {
        sl_timer_arm(runner->timer, wait_ms);
    } else {
        sl_timer_disarm(runner->timer);
    }
    con_inquest_held(&runner->inquest);
    runner->is_holding = true;
    if (runner->opts.on_paused != NULL) {
        runner->opts.on_paused(runner->opts.arg);
    }
    runner->is_held = true;
    runner->must_prepare = true;
    return wait_ms;
}

/* A handler that acts outside may have done so for what is in this batch. */
static bool is_to_regroup(const struct con_runner *runner)
{
    bool is_acting = runner->opts.handler->type->prepare != NULL;
    bool has_room = runner->count < runner->opts.batch_max;
    bool is_due = runner->is_link_new || (runner->inquest.holds > 0 && has_room);
    return runner->is_held && is_due && !is_acting && !runner->is_stopping;
}

/*
 * What was held goes back among the waiting, so that the next batch may have those that arrived meanwhile: company tells who is at fault. After an
 * outage the owner may take fewer.
 */
static void regroup(struct con_runner *runner)
{
    end_batch(runner);
    runner->opts.on_finished(runner->opts.arg);
}
