#include "shared/backoff.h"

#include <limits.h>

#include "shared/scope.h"

static int64_t ceiling_ms(const struct sl_backoff *backoff);
static uint64_t next_random(uint64_t *state);

int64_t sl_backoff_next_ms(struct sl_backoff *backoff)
{
    SL_ASSERT(backoff->base_ms > 0);
    SL_ASSERT(backoff->cap_ms >= backoff->base_ms);
    SL_ASSERT(backoff->rng != 0);
    uint64_t choices = (uint64_t)ceiling_ms(backoff) + 1;
    if (backoff->tries < UINT_MAX) {
        backoff->tries++;
    }
    return (int64_t)(next_random(&backoff->rng) % choices);
}

/* min(cap, base * 2^tries), without overflow. */
static int64_t ceiling_ms(const struct sl_backoff *backoff)
{
    int64_t ceiling = backoff->base_ms;
    for (unsigned i = 0; i < backoff->tries; i++) {
        if (ceiling > backoff->cap_ms / 2) {
            return backoff->cap_ms;
        }
        ceiling *= 2;
    }
    return ceiling;
}

/* xorshift64*. Source: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

void sl_backoff_reset(struct sl_backoff *backoff)
{
    backoff->tries = 0;
}
