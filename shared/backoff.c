#include "shared/backoff.h"

#include "shared/scope.h"

static uint64_t next_random(uint64_t *state);

int64_t sl_backoff_next_ms(struct sl_backoff *backoff)
{
    SL_ASSERT(backoff->base_ms > 0);
    SL_ASSERT(backoff->cap_ms >= backoff->base_ms);
    SL_ASSERT(backoff->rng != 0);
    int64_t ceiling_ms = backoff->base_ms;
    for (unsigned i = 0; i < backoff->tries && ceiling_ms < backoff->cap_ms; i++) {
        ceiling_ms = ceiling_ms > backoff->cap_ms / 2 ? backoff->cap_ms : ceiling_ms * 2;
    }
    if (ceiling_ms < backoff->cap_ms) {
        backoff->tries++;
    }
    return (int64_t)(next_random(&backoff->rng) % ((uint64_t)ceiling_ms + 1));
}

/* xorshift64*: spread, not secrecy. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545F4914F6CDD1DULL >> 1;
}

void sl_backoff_reset(struct sl_backoff *backoff)
{
    backoff->tries = 0;
}
