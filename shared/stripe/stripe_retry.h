/*
 * stripe_retry - whether a call to Stripe is made again, and when.
 *
 * Decides only. Again: no answer at all, 409 (another call held the object's lock), 429, 500 and above. An answer below 500 otherwise stands: the same call
 * would hear it again. Wait: at least Retry-After, else full jitter from SL_STRIPE_WAIT_MS doubling with each try up to SL_STRIPE_WAIT_MS_MAX, never
 * less than half of it.
 * Safe because a call that changes something carries the same Idempotency-Key in every try.
 * Source: https://docs.stripe.com/error-low-level, https://docs.stripe.com/rate-limits.
 * Threads: no state.
 */
#ifndef SHARED_STRIPE_RETRY_H
#define SHARED_STRIPE_RETRY_H

#include <stdint.h>

#define SL_STRIPE_TRIES_MAX         5u
#define SL_STRIPE_WAIT_MS           500
#define SL_STRIPE_WAIT_MS_MAX       8000
#define SL_STRIPE_RETRY_AFTER_S_MAX 60 /* a longer one is not waited for */

struct sl_stripe_try {
    int status; /* 0: no answer */
    int64_t retry_after_s;
    unsigned tries; /* made so far, this one included */
};

/* Milliseconds until the next try, from any random number; -1: what was heard stands. */
int64_t sl_stripe_retry_ms(const struct sl_stripe_try *heard, uint64_t random);

#endif
