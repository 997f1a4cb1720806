#include "consumer/runner.h"

#include <stdlib.h>

#include "consumer/inquest.h"
#include "consumer/plight.h"
#include "consumer/reading.h"
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
    int64_t apply_us;   /* that they take lately: an average that forgets */
};

static void on_timer(void *arg);
static void prepare(struct con_runner *runner);
static void on_prepared(void *arg, const struct con_handler_error *error);
static void hand_out(struct con_runner *runner);
static void hand_out_blamed(struct con_runner *runner);
static void go_on(struct con_runner *runner);
static bool is_going(const struct con_runner *runner);
static void finish(struct con_runner *runner);
static void end_batch(struct con_runner *runner);
static void on_applied(void *arg, const struct con_handler_error *error);
static void pass(struct con_runner *runner);
static bool meet_failure(struct con_runner *runner, const struct con_handler_error *error);
static struct con_plight plight_of(const struct con_runner *runner, size_t events);
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

int64_t con_runner_apply_us(const struct con_runner *runner)
{
    return runner->apply_us;
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
    while (!con_reading_read(runner->opts.handler, &runner->arena, deliveries, runner->events,
                             taken, &replaced)) {
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

void con_runner_pg_up(struct con_runner *runner)
{
    if (runner->is_busy && runner->is_holding) {
        runner->is_link_new = runner->is_held;
        sl_timer_arm(runner->timer, 0);
    }
}

void con_runner_wake(struct con_runner *runner)
{
    if (runner->is_busy && runner->is_held && sl_pg_link_is_up(runner->opts.pg)) {
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
    /* Whenever a batch starts or is tried again, so that an event that stops everybody can be taken out of the way. */
    con_reading_park(runner->events, runner->count, runner->order, sl_clock_wall_us());
    hand_out(runner);
    if (is_to_regroup(runner)) {
        regroup(runner);
        return;
    }
    int64_t wait_ms = 0;
    if (!runner->is_stopping &&
        !con_fusebox_admits(runner->opts.fusebox, runner->opts.pg, &wait_ms)) {
        sl_timer_arm(runner->timer, wait_ms);
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
    if (!runner->is_stopping && con_reading_has_held(runner->events, runner->count)) {
        hold(runner, &runner->held);
        return;
    }
    finish(runner);
}

static bool is_going(const struct con_runner *runner)
{
    return !runner->is_stopping || runner->is_prepared;
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
    runner->apply_us = runner->apply_us == 0 ? took_us : (runner->apply_us * 7 + took_us) / 8;
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
    con_fusebox_passed(runner->opts.fusebox);
    con_halt_end(runner->opts.halt);
    sl_backoff_reset(&runner->backoff);
    runner->is_holding = false;
    runner->opts.on_progress(runner->opts.arg);
}

/* True: go on at once. False: a wait is armed, or the link coming up will go on. */
static bool meet_failure(struct con_runner *runner, const struct con_handler_error *error)
{
    struct con_slice slice = con_inquest_in_hand(&runner->inquest);
    const struct con_plight plight = plight_of(runner, slice.count);
    struct con_event *example = NULL;
    switch (con_inquest_failed(&runner->inquest, error, sl_pg_link_is_up(runner->opts.pg),
                               &runner->arena, &example)) {
    case CON_FINDING_LEAD:
        if (slice.count == runner->count && slice.count > 1) { /* said once a batch */
            con_plight_bisect(&plight, error);
        } else {
            con_plight_probe(&plight, error);
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

static struct con_plight plight_of(const struct con_runner *runner, size_t events)
{
    return (struct con_plight){ .log = runner->opts.log,
                                .subsystem = runner->opts.subsystem,
                                .events = events };
}

static void wait_for_others(struct con_runner *runner, size_t events,
                            const struct con_handler_error *error)
{
    uint64_t random = 0;
    bool is_random = sl_random_bytes(&random, sizeof random);
    int64_t wait_ms = con_retry_wait_ms(is_random ? random : runner->backoff.rng);
    const struct con_plight plight = plight_of(runner, events);
    con_plight_retry(&plight, error, runner->inquest.tries, wait_ms);
    sl_timer_arm(runner->timer, wait_ms);
}

static void hold_all(struct con_runner *runner, const struct con_event *example)
{
    size_t failed = con_inquest_forgive(&runner->inquest);
    const struct con_plight plight = plight_of(runner, runner->count);
    con_plight_alike(&plight, example, failed);
    sl_series_add(
        sl_metrics_series(runner->opts.metrics, SL_M_MASS_FAILURES, runner->opts.subsystem, NULL),
        1);
    wait_held(runner);
}

/* While the link is down its coming up ends the wait (con_runner_pg_up), and the link's own line has said why. */
static void hold(struct con_runner *runner, const struct con_handler_error *error)
{
    bool is_up = sl_pg_link_is_up(runner->opts.pg);
    if (is_up || error->sqlstate[0] != '\0') { /* a lost link is counted by its owner */
        con_fusebox_failed(runner->opts.fusebox, &error->err, error->sqlstate);
    }
    bool needs_human = con_halt_met(runner->opts.halt, &error->err, error->sqlstate);
    bool is_news = !runner->is_holding || is_up;
    int64_t wait_ms = wait_held(runner);
    if (needs_human || is_news) {
        const struct con_plight plight = plight_of(runner, runner->count);
        con_plight_held(&plight, error, needs_human, wait_ms);
    }
}

/* Whoever has just failed lets the others be the next to try. */
static int64_t wait_held(struct con_runner *runner)
{
    bool is_up = sl_pg_link_is_up(runner->opts.pg);
    int64_t wait_ms =
        is_up ? sl_backoff_next_ms(&runner->backoff) + con_fusebox_wait_ms(runner->opts.fusebox)
              : 0;
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
