#include "publisher/lanes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK_BYTES (8u * 1024u * 1024u) /* header tables of a broker nest */

static void *run(void *arg);
static void on_hold(struct sl_letter *letter);
static void on_beat(struct sl_letter *letter);
static void on_drain(struct sl_letter *letter);
static void on_stop(struct sl_letter *letter);
static void post(struct pub_lanes *lanes, struct pub_lane_letter *letters, size_t lane,
                 void (*open)(struct sl_letter *letter));

bool pub_lanes_open(struct pub_lanes *lanes, size_t count, const struct pub_common *common,
                    struct sl_loop *loop, struct sl_err *err)
{
    SL_ASSERT(count > 0 && count <= PUB_LOOPS_MAX);
    lanes->common = *common;
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->changed, NULL);
    lanes->items = calloc(count, sizeof *lanes->items);
    if (lanes->items == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the loops");
    }
    for (size_t i = 0; i < count; i++) {
        struct sl_loop *own = i == 0 ? loop : sl_loop_new(err);
        if (own == NULL) {
            return false;
        }
        lanes->count++;
        if (!pub_lane_open(&lanes->items[i], &lanes->common, i, &lanes->items[0], own, err)) {
            return false;
        }
    }
    return true;
}

bool pub_lanes_start(struct pub_lanes *lanes, struct sl_err *err)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int failed = 0;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* Signals belong to the first loop. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 1; i < lanes->count && failed == 0; i++) {
        failed = pthread_create(&lanes->threads[i], &attributes, run, &lanes->items[i]);
        lanes->started += failed == 0 ? 1 : 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed == 0 ||
           sl_fail(err, SL_E_MEMORY, "cannot start a loop's thread: %s", strerror(failed));
}

/* A loop that broke is a bug, and must not be missed. */
static void *run(void *arg)
{
    struct pub_lane *lane = arg;
    struct sl_err err = { 0 };
    char name[16];
    snprintf(name, sizeof name, "loop-%zu", lane->number);
    (void)pthread_setname_np(pthread_self(), name);
    bool ran = sl_loop_run(lane->loop, &err);
    SL_ASSERT(ran);
    return NULL;
}

static void post(struct pub_lanes *lanes, struct pub_lane_letter *letters, size_t lane,
                 void (*open)(struct sl_letter *letter))
{
    letters[lane] = (struct pub_lane_letter){ .letter.open = open,
                                              .lanes = lanes,
                                              .lane = &lanes->items[lane] };
    sl_mailbox_answer(lanes->items[lane].mailbox, &letters[lane].letter); /* one of each kind */
}

void pub_lanes_hold(struct pub_lanes *lanes)
{
    if (lanes->started == 0) {
        return;
    }
    pthread_mutex_lock(&lanes->lock);
    lanes->is_held = true;
    pthread_mutex_unlock(&lanes->lock);
    for (size_t i = 1; i <= lanes->started; i++) {
        post(lanes, lanes->hold, i, on_hold);
    }
    pthread_mutex_lock(&lanes->lock);
    while (lanes->held < lanes->started) {
        pthread_cond_wait(&lanes->changed, &lanes->lock);
    }
    pthread_mutex_unlock(&lanes->lock);
}

/* In a lane's loop. */
static void on_hold(struct sl_letter *letter)
{
    struct pub_lanes *lanes = ((struct pub_lane_letter *)(void *)letter)->lanes;
    pthread_mutex_lock(&lanes->lock);
    lanes->held++;
    pthread_cond_broadcast(&lanes->changed);
    while (lanes->is_held) {
        pthread_cond_wait(&lanes->changed, &lanes->lock);
    }
    lanes->held--;
    pthread_cond_broadcast(&lanes->changed);
    pthread_mutex_unlock(&lanes->lock);
}

/* Returns when all have gone on: the letters can be written again. */
void pub_lanes_release(struct pub_lanes *lanes)
{
    if (lanes->started == 0) {
        return;
    }
    pthread_mutex_lock(&lanes->lock);
    lanes->is_held = false;
    pthread_cond_broadcast(&lanes->changed);
    while (lanes->held > 0) {
        pthread_cond_wait(&lanes->changed, &lanes->lock);
    }
    pthread_mutex_unlock(&lanes->lock);
}

bool pub_lanes_keys_make(struct pub_lanes_keys *keys, const struct pub_lanes *lanes,
                         const struct pub_config *config, struct sl_err *err)
{
    keys->count = lanes->count;
    for (size_t i = 1; i < keys->count; i++) {
        if (!pub_config_keys(config, keys->rings[i], err)) {
            return false;
        }
    }
    return true;
}

void pub_lanes_keys_swap(struct pub_lanes_keys *keys, struct pub_lanes *lanes, const size_t *places,
                         size_t place_count)
{
    for (size_t i = 1; i < keys->count; i++) {
        for (size_t j = 0; j < place_count; j++) {
            pub_keyring_swap(&keys->rings[i][places[j]], &lanes->items[i].keyrings[places[j]]);
        }
    }
}

void pub_lanes_keys_done(struct pub_lanes_keys *keys)
{
    for (size_t i = 1; i < keys->count; i++) {
        for (size_t j = 0; j < SL_SOURCES_MAX; j++) {
            pub_keyring_done(&keys->rings[i][j]);
        }
    }
}

bool pub_lanes_are_alive(struct pub_lanes *lanes)
{
    bool are_alive = true;
    for (size_t i = 1; i <= lanes->started; i++) {
        if (atomic_exchange(&lanes->is_beating[i], true)) {
            are_alive = false;
        } else {
            post(lanes, lanes->beat, i, on_beat);
        }
    }
    return are_alive;
}

static void on_beat(struct sl_letter *letter)
{
    const struct pub_lane_letter *beat = (struct pub_lane_letter *)(void *)letter;
    atomic_store(&beat->lanes->is_beating[beat->lane->number], false);
}

void pub_lanes_drain(struct pub_lanes *lanes)
{
    pub_lane_drain(&lanes->items[0]);
    for (size_t i = 1; i <= lanes->started; i++) {
        post(lanes, lanes->order, i, on_drain);
    }
}

static void on_drain(struct sl_letter *letter)
{
    pub_lane_drain(((struct pub_lane_letter *)(void *)letter)->lane);
}

bool pub_lanes_are_drained(const struct pub_lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (!atomic_load(&lanes->items[i].is_drained)) {
            return false;
        }
    }
    return true;
}

size_t pub_lanes_waiting(const struct pub_lanes *lanes)
{
    return (size_t)sl_series_value(
        sl_metrics_series(lanes->common.metrics, SL_M_PUBLISH_INFLIGHT, NULL, NULL));
}

void pub_lanes_look(struct pub_lanes *lanes, struct pub_intake_state *out_state)
{
    struct pub_standing all = { 0 };
    pub_lanes_hold(lanes);
    pub_intake_look(lanes->items[0].intake, out_state);
    for (size_t i = 1; i < lanes->count; i++) {
        struct pub_intake_state one = { 0 };
        pub_intake_look(lanes->items[i].intake, &one);
        out_state->is_changing_broker = out_state->is_changing_broker || one.is_changing_broker;
        if (one.away_since_us != 0 &&
            (out_state->away_since_us == 0 || one.away_since_us < out_state->away_since_us)) {
            out_state->away_since_us = one.away_since_us;
        }
    }
    pub_lanes_release(lanes);
    pub_board_read(lanes->common.board, &all);
    out_state->has_tried = all.has_tried;
    out_state->is_confirming = all.is_confirming;
    out_state->outage = all.outage;
    out_state->can_take = pub_intake_can_take(lanes->items[0].intake, all.has_broker);
}

void pub_lanes_stop(struct pub_lanes *lanes)
{
    /* A drain order that was not opened yet must be, before its letter is written again. */
    pub_lanes_hold(lanes);
    pub_lanes_release(lanes);
    for (size_t i = 1; i <= lanes->started; i++) {
        post(lanes, lanes->order, i, on_stop);
    }
    for (size_t i = 1; i <= lanes->started; i++) {
        (void)pthread_join(lanes->threads[i], NULL);
    }
    lanes->started = 0;
}

static void on_stop(struct sl_letter *letter)
{
    sl_loop_stop(((struct pub_lane_letter *)(void *)letter)->lane->loop);
}

/*
 * Doors first: nobody can be answered any more. Then the journal makes durable what it has accepted, and the lanes hear of it; what they wrote to it and it had
 * not read yet comes back as refused. Then the lanes go, the first one last, for its stores are everybody's.
 */
void pub_lanes_done(struct pub_lanes *lanes)
{
    if (lanes->items == NULL) {
        return;
    }
    pub_lanes_stop(lanes);
    for (size_t i = 0; i < lanes->count; i++) {
        pub_lane_close_doors(&lanes->items[i]);
    }
    pub_intake_close_stores(lanes->items[0].intake);
    for (size_t i = 0; i < lanes->count; i++) {
        if (lanes->items[i].mailbox != NULL) {
            sl_mailbox_open(lanes->items[i].mailbox);
        }
    }
    for (size_t i = lanes->count; i-- > 0;) {
        pub_lane_done(&lanes->items[i]);
        if (i > 0) {
            sl_loop_free(lanes->items[i].loop);
        }
    }
    free(SL_TAKE(lanes->items));
    lanes->count = 0;
}
