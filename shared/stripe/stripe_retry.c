#include "shared/stripe/stripe_retry.h"

#include <stdbool.h>

#define MS_PER_S 1000

static bool is_worth_it(int status);

int64_t sl_stripe_retry_ms(const struct sl_stripe_try *heard, uint64_t random)
{
    if (!is_worth_it(heard->status) || heard->tries >= SL_STRIPE_TRIES_MAX ||
        heard->retry_after_s > SL_STRIPE_RETRY_AFTER_S_MAX) {
        return -1;
    }
    int64_t ceiling_ms = SL_STRIPE_WAIT_MS;
    for (unsigned i = 1; i < heard->tries && ceiling_ms < SL_STRIPE_WAIT_MS_MAX; i++) {
        ceiling_ms *= 2;
    }
    ceiling_ms = ceiling_ms > SL_STRIPE_WAIT_MS_MAX ? SL_STRIPE_WAIT_MS_MAX : ceiling_ms;
    int64_t least_ms = ceiling_ms / 2;
    int64_t wait_ms = least_ms + (int64_t)(random % (uint64_t)(ceiling_ms - least_ms + 1));
    int64_t asked_ms = heard->retry_after_s * MS_PER_S;
    return asked_ms > wait_ms ? asked_ms : wait_ms;
}

static bool is_worth_it(int status)
{
    return status == 0 || status == 409 || status == 429 || status >= 500;
}
