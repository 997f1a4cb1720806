#include "shared/loop.h"

#include <event2/event.h>
#include <stdlib.h>

/* A cancelled question of evdns takes three: its own answer, ours, the end of its base. */
#define OWED_TURNS_MAX 8

struct watched_signal {
    struct event *event;
    void (*fn)(int, void *);
    void *arg;
};

struct sl_loop {
    struct event_base *base;
    struct watched_signal signals[SL_LOOP_SIGNALS_MAX];
    size_t signal_count;
    size_t owed;
};

struct sl_timer {
    struct event *event;
    void (*fn)(void *);
    void *arg;
};

static void on_signal(evutil_socket_t signal_number, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);

struct sl_loop *sl_loop_new(struct sl_err *err)
{
    struct sl_loop *loop = calloc(1, sizeof *loop);
    struct event_config *config = event_config_new();
    if (loop != NULL && config != NULL) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER);
        loop->base = event_base_new_with_config(config);
    }
    if (config != NULL) {
        event_config_free(config);
    }
    if (loop == NULL || loop->base == NULL) {
        free(loop);
        sl_fail(err, SL_E_MEMORY, "cannot create an event loop");
        return NULL;
    }
    return loop;
}

void sl_loop_free(struct sl_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    for (size_t i = 0; i < loop->signal_count; i++) {
        event_free(loop->signals[i].event);
    }
    for (int turns = 0; loop->owed > 0 && turns < OWED_TURNS_MAX; turns++) {
        event_base_loop(loop->base, EVLOOP_NONBLOCK);
    }
    event_base_free(loop->base);
    free(loop);
}

struct event_base *sl_loop_base(struct sl_loop *loop)
{
    return loop->base;
}

void sl_loop_owe(struct sl_loop *loop)
{
    loop->owed++;
}

void sl_loop_pay(struct sl_loop *loop)
{
    SL_ASSERT(loop->owed > 0);
    loop->owed--;
}

bool sl_loop_run(struct sl_loop *loop, struct sl_err *err)
{
    if (event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0) {
        return sl_fail(err, SL_E_BUG, "the event loop failed");
    }
    return true;
}

void sl_loop_stop(struct sl_loop *loop)
{
    event_base_loopbreak(loop->base);
}

bool sl_loop_on_signal(struct sl_loop *loop, int signal_number, void (*fn)(int, void *), void *arg,
                       struct sl_err *err)
{
    SL_ASSERT(loop->signal_count < SL_LOOP_SIGNALS_MAX);
    struct watched_signal *watched = &loop->signals[loop->signal_count];
    watched->fn = fn;
    watched->arg = arg;
    watched->event = evsignal_new(loop->base, signal_number, on_signal, watched);
    if (watched->event == NULL) {
        return sl_fail(err, SL_E_MEMORY, "cannot watch signal %d", signal_number);
    }
    loop->signal_count++;
    if (evsignal_add(watched->event, NULL) != 0) {
        return sl_fail(err, SL_E_IO, "cannot watch signal %d", signal_number);
    }
    return true;
}

static void on_signal(evutil_socket_t signal_number, short what, void *arg)
{
    (void)what;
    const struct watched_signal *watched = arg;
    watched->fn((int)signal_number, watched->arg);
}

struct sl_timer *sl_timer_new(struct sl_loop *loop, void (*fn)(void *), void *arg)
{
    struct sl_timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL) {
        return NULL;
    }
    *timer = (struct sl_timer){ .fn = fn, .arg = arg };
    timer->event = evtimer_new(loop->base, on_timer, timer);
    if (timer->event == NULL) {
        free(timer);
        return NULL;
    }
    return timer;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    const struct sl_timer *timer = arg;
    timer->fn(timer->arg);
}

void sl_timer_free(struct sl_timer *timer)
{
    if (timer != NULL) {
        event_free(timer->event);
        free(timer);
    }
}

void sl_timer_arm(struct sl_timer *timer, int64_t wait_ms)
{
    SL_ASSERT(wait_ms >= 0);
    struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
    evtimer_add(timer->event, &wait);
}

void sl_timer_disarm(struct sl_timer *timer)
{
    if (timer != NULL) {
        evtimer_del(timer->event);
    }
}

bool sl_timer_is_armed(const struct sl_timer *timer)
{
    return evtimer_pending(timer->event, NULL) != 0;
}
