/*
 * stripe_keys - which of the configured keys is used for what.
 *
 * Decides only. Whatever only reads uses STRIPE_RESTRICTED_KEY when it is set, so that the key that may change things is not needed for it; else STRIPE_API_KEY.
 * Refuses: keys of two modes, because an answer would then be about other objects than the question.
 * Source: https://docs.stripe.com/keys.
 * Threads: no state.
 */
#ifndef SHARED_STRIPE_KEYS_H
#define SHARED_STRIPE_KEYS_H

#include "shared/buf.h"

struct sl_stripe_keys {
    const char *reads;  /* NULL: Stripe cannot be asked; borrowed, as the next */
    const char *writes; /* NULL: nothing can be changed at Stripe */
    bool livemode;
};

/* Either key may be NULL. A mistake is appended as a line that names the variables. */
void sl_stripe_keys_choose(struct sl_stripe_keys *out, const char *api_key,
                           const char *restricted_key, struct sl_buf *mistakes);

#endif
