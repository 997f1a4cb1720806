#include "consumer/opening.h"

#include <stdlib.h>

#include "consumer/ramp.h"
#include "consumer/yield.h"
#include "shared/clock.h"

#define US_PER_MS         1000
#define REHEARSAL_WAIT_MS 1000 /* while something is wrong with the database */

struct con_opening {
    struct con_opening_opts opts;
    struct sl_timer *timer;
    bool is_next; /* the timer is armed for the next turn of the loop */
    bool is_open;
    enum con_turn turn; /* chosen last; of the open one while one is */
    int64_t began_ms;   /* the open one */
    size_t batch_now;   /* most events, as operators have set it */
    struct con_ramp ramp;
    struct con_yield yield;
    struct con_turns turns;
    struct con_delivery **taken; /* in the open one; batch_max of them */
};

static void on_timer(void *arg);
static bool choose_turn(struct con_opening *opening);
static int64_t next_turn(const struct con_opening *opening, enum con_turn *out_turn);
static bool may_begin(struct con_opening *opening, int64_t *out_wait_ms);
static void begin(struct con_opening *opening);

struct con_opening *con_opening_new(const struct con_opening_opts *opts, struct sl_err *err)
{
    struct con_opening *opening = calloc(1, sizeof *opening);
    if (opening == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a worker");
        return NULL;
    }
    opening->opts = *opts;
    opening->batch_now = opts->batch_max;
    opening->taken = calloc(opts->batch_max, sizeof(struct con_delivery *));
    opening->timer = sl_timer_new(opts->loop, on_timer, opening);
    if (opening->taken == NULL || opening->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a worker");
        con_opening_free(opening);
        return NULL;
    }
    return opening;
}

void con_opening_free(struct con_opening *opening)
{
    if (opening != NULL) {
        sl_timer_free(opening->timer);
        free(opening->taken);
        free(opening);
    }
}

/* A transaction starts when the loop has read what there was to read, which is what a wait of 0 means. */
void con_opening_plan(struct con_opening *opening)
{
    if (opening->is_open || !sl_pg_link_is_up(opening->opts.pg)) {
        return;
    }
    enum con_turn turn = CON_TURN_LIVE;
    int64_t wait_us = next_turn(opening, &turn);
    if (wait_us < 0) {
        return;
    }
    bool is_armed = sl_timer_is_armed(opening->timer);
    if (is_armed && (wait_us > 0 || opening->is_next)) {
        return; /* it comes early enough */
    }
    opening->is_next = wait_us == 0;
    sl_timer_arm(opening->timer, (wait_us + US_PER_MS - 1) / US_PER_MS);
}

static void on_timer(void *arg)
{
    struct con_opening *opening = arg;
    if (opening->is_open || !sl_pg_link_is_up(opening->opts.pg) || !choose_turn(opening)) {
        return;
    }
    int64_t wait_ms = 0;
    if (may_begin(opening, &wait_ms)) {
        begin(opening);
    } else {
        opening->is_next = false;
        sl_timer_arm(opening->timer, wait_ms);
    }
}

/* False: nothing is to be begun now. What is held on the way is on its way out of here. */
static bool choose_turn(struct con_opening *opening)
{
    const struct con_opening_opts *opts = &opening->opts;
    for (;;) {
        int64_t wait_us = next_turn(opening, &opening->turn);
        if (wait_us != 0) {
            con_opening_plan(opening);
            return false;
        }
        if (opening->turn == CON_TURN_REHEARSAL) {
            return true; /* no breaker is asked, and none is told */
        }
        if (con_lane_divert(opts->lane, opts->batch, opening->turn) > 0) {
            opts->on_diverted(opts->arg);
        }
        if (opts->batch->waiting[opening->turn].count > 0) {
            return true;
        }
    }
}

static int64_t next_turn(const struct con_opening *opening, enum con_turn *out_turn)
{
    int64_t now_us = sl_clock_mono_us();
    struct con_turn_look look = {
        .now_ms = now_us / US_PER_MS,
        .is_isolating = con_flight_is_isolating(opening->opts.flight),
    };
    for (enum con_turn turn = CON_TURN_LIVE; turn < CON_TURNS; turn++) {
        look.wait_us[turn] = con_batch_wait_us(opening->opts.batch, turn, now_us);
    }
    return con_turn_next(&opening->turns, &look, out_turn);
}

static bool may_begin(struct con_opening *opening, int64_t *out_wait_ms)
{
    const struct con_opening_opts *opts = &opening->opts;
    int64_t now_ms = sl_clock_mono_ms();
    bool is_rush = opts->is_rush != NULL && opts->is_rush(opts->rush_arg);
    *out_wait_ms = con_yield_wait_ms(&opening->yield, is_rush, now_ms);
    if (*out_wait_ms > 0) {
        return false;
    }
    const struct con_delivery *next = opts->batch->waiting[opening->turn].next;
    *out_wait_ms = con_flight_wait_ms(opts->flight, next, now_ms);
    if (*out_wait_ms > 0) {
        return false;
    }
    if (opening->turn == CON_TURN_REHEARSAL) {
        *out_wait_ms = REHEARSAL_WAIT_MS;
        return con_fusebox_is_closed(opts->fusebox);
    }
    if (!con_fusebox_admits(opts->fusebox, opts->pg, out_wait_ms)) {
        return false;
    }
    con_yield_begun(&opening->yield, now_ms);
    return true;
}

static void begin(struct con_opening *opening)
{
    const struct con_opening_opts *opts = &opening->opts;
    bool is_alone = opening->turn == CON_TURN_REHEARSAL || con_flight_is_isolating(opts->flight) ||
                    con_flight_is_narrow(opts->flight, opts->batch->waiting[opening->turn].next);
    size_t room = is_alone ? 1 : con_ramp_room(&opening->ramp, opening->batch_now);
    int64_t now_us = sl_clock_mono_us();
    size_t taken = con_batch_take(opts->batch, opening->turn, opening->taken, room, now_us);
    if (taken > 0) {
        opening->is_open = true;
        opening->began_ms = now_us / US_PER_MS;
        opts->on_open(opts->arg, opening->turn, opening->taken, taken);
    }
}

void con_opening_cancel(struct con_opening *opening)
{
    sl_timer_disarm(opening->timer);
}

bool con_opening_is_open(const struct con_opening *opening)
{
    return opening->is_open;
}

void con_opening_ended(struct con_opening *opening, bool is_committed)
{
    SL_ASSERT(opening->is_open);
    opening->is_open = false;
    if (is_committed) {
        con_ramp_passed(&opening->ramp, opening->batch_now);
    }
    con_turn_ended(&opening->turns, opening->turn, opening->began_ms, sl_clock_mono_ms());
}

void con_opening_ramp(struct con_opening *opening)
{
    con_ramp_lost(&opening->ramp);
}

void con_opening_ramp_end(struct con_opening *opening)
{
    con_ramp_end(&opening->ramp);
}

void con_opening_obey(struct con_opening *opening, size_t batch)
{
    SL_ASSERT(batch > 0);
    SL_ASSERT(batch <= opening->opts.batch_max);
    opening->batch_now = batch;
}
