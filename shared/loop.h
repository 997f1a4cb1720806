/*
 * loop - one event loop per thread: readiness, timers, signals.
 *
 * A thin owner around libevent's base, so that programs and deciding files need no libevent header. Edge files that register
 * their own sockets take the base with sl_loop_base.
 * Refuses: work in signal handlers (signals arrive as ordinary callbacks of the loop), periodic timers (re-arm explicitly).
 * Threads: a loop and everything in it belong to one thread.
 */
#ifndef SHARED_LOOP_H
#define SHARED_LOOP_H

#include <stdint.h>

#include "shared/err.h"

struct event_base;
struct sl_loop;
struct sl_timer;

struct sl_loop *sl_loop_new(struct sl_err *err) SL_MUST;
/* Everything registered must be gone, save signals, which the loop owns, and what is owed, which ends now. Accepts NULL. */
void sl_loop_free(struct sl_loop *loop);
struct event_base *sl_loop_base(struct sl_loop *loop);
/* What a library ends only in later turns, such as a question that was cancelled, is owed until it is paid. Each must be payable in a few turns that wait for nothing. */
void sl_loop_owe(struct sl_loop *loop);
void sl_loop_pay(struct sl_loop *loop);

/* Runs until sl_loop_stop. False only when the loop itself broke. */
bool sl_loop_run(struct sl_loop *loop, struct sl_err *err) SL_MUST;
void sl_loop_stop(struct sl_loop *loop);

/* fn runs in the loop for each delivery of the signal. At most SL_LOOP_SIGNALS_MAX signals. */
#define SL_LOOP_SIGNALS_MAX 6
bool sl_loop_on_signal(struct sl_loop *loop, int signal_number, void (*fn)(int, void *), void *arg,
                       struct sl_err *err) SL_MUST;

/* A one-shot timer, idle until armed. NULL without memory. */
struct sl_timer *sl_timer_new(struct sl_loop *loop, void (*fn)(void *), void *arg) SL_MUST;
/* Accepts NULL. */
void sl_timer_free(struct sl_timer *timer);
/* (Re)arms; 0 means the next turn of the loop. */
void sl_timer_arm(struct sl_timer *timer, int64_t wait_ms);
/* Accepts NULL, as what is taken apart may be half made. */
void sl_timer_disarm(struct sl_timer *timer);
bool sl_timer_is_armed(const struct sl_timer *timer);

SL_DEFINE_AUTO(struct sl_loop *, sl_loop_free)
SL_DEFINE_AUTO(struct sl_timer *, sl_timer_free)

#endif
