/*
 * backoff - how long to wait before the next attempt.
 *
 * Decides only: never sleeps, never reads a clock.
 * Law: full jitter, wait = random(0, min(cap, base * 2^tries)), so that a fleet does not return all at once.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; the 30 s ceiling is runbooks/rabbitmq-unavailable.md.
 * Threads: one struct has one owner.
 */
#ifndef SHARED_BACKOFF_H
#define SHARED_BACKOFF_H

#include <stdint.h>

struct sl_backoff {
    int64_t base_ms; /* first wait is at most this, > 0 */
    int64_t cap_ms;  /* longest wait, >= base_ms */
    unsigned tries;  /* attempts since the last success */
    uint64_t rng;    /* seeded once by the owner from sl_random_bytes; never 0 */
};

/* Next wait in milliseconds, in [0, cap_ms]; counts a try. */
int64_t sl_backoff_next_ms(struct sl_backoff *backoff);
/* After a success. */
void sl_backoff_reset(struct sl_backoff *backoff);

#endif
