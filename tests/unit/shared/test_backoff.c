#include "shared/backoff.h"

#include <limits.h>

#include "tests/support/claims.h"

#define BASE_MS 100
#define CAP_MS  30000

static struct sl_backoff fresh(uint64_t seed)
{
    return (struct sl_backoff){ .base_ms = BASE_MS, .cap_ms = CAP_MS, .rng = seed };
}

CLAIM(backoff__an_outage_widens_the_waits_to_the_cap_and_a_success_narrows_them)
{
    static const int64_t ceilings_ms[] = { 100,  200,   400,   800,   1600, 3200,
                                           6400, 12800, 25600, 30000, 30000 };
    enum { STEPS = sizeof ceilings_ms / sizeof ceilings_ms[0], FLEET = 2000 };
    int64_t least_ms[STEPS];
    int64_t most_ms[STEPS] = { 0 };
    int64_t sum_ms[STEPS] = { 0 };
    for (int step = 0; step < STEPS; step++) {
        least_ms[step] = INT64_MAX;
    }
    for (uint64_t member = 1; member <= FLEET; member++) {
        struct sl_backoff backoff = fresh(member * UINT64_C(0x9E3779B97F4A7C15));
        for (int step = 0; step < STEPS; step++) {
            int64_t wait_ms = sl_backoff_next_ms(&backoff);
            CU_ASSERT(wait_ms >= 0 && wait_ms <= ceilings_ms[step]);
            sum_ms[step] += wait_ms;
            least_ms[step] = wait_ms < least_ms[step] ? wait_ms : least_ms[step];
            most_ms[step] = wait_ms > most_ms[step] ? wait_ms : most_ms[step];
        }
        CU_ASSERT(backoff.tries == STEPS);
        sl_backoff_reset(&backoff);
        CU_ASSERT(sl_backoff_next_ms(&backoff) <= BASE_MS && backoff.tries == 1);
    }
    /* Full jitter: the fleet is spread over the whole range, evenly. */
    for (int step = 0; step < STEPS; step++) {
        CU_ASSERT(least_ms[step] <= ceilings_ms[step] / 50);
        CU_ASSERT(most_ms[step] >= ceilings_ms[step] - ceilings_ms[step] / 50);
        int64_t mean_ms = sum_ms[step] / FLEET;
        CU_ASSERT(mean_ms > ceilings_ms[step] * 45 / 100 && mean_ms < ceilings_ms[step] * 55 / 100);
    }
}

CLAIM(backoff__two_seeds_do_not_return_together)
{
    struct sl_backoff a = fresh(1);
    struct sl_backoff b = fresh(2);
    int together = 0;
    for (int i = 0; i < 100; i++) {
        together += sl_backoff_next_ms(&a) == sl_backoff_next_ms(&b) ? 1 : 0;
    }
    CU_ASSERT(together < 10);
}

CLAIM(backoff__endless_tries_and_extreme_bounds_never_overflow)
{
    struct sl_backoff tired = fresh(7);
    tired.tries = UINT_MAX;
    for (int i = 0; i < 100; i++) {
        int64_t wait_ms = sl_backoff_next_ms(&tired);
        CU_ASSERT(wait_ms >= 0 && wait_ms <= CAP_MS && tired.tries == UINT_MAX);
    }
    struct sl_backoff wide = { .base_ms = 1, .cap_ms = INT64_MAX, .rng = 7 };
    for (int i = 0; i < 200; i++) {
        CU_ASSERT(sl_backoff_next_ms(&wide) >= 0);
    }
    struct sl_backoff flat = { .base_ms = 5, .cap_ms = 5, .rng = 7 };
    for (int i = 0; i < 100; i++) {
        CU_ASSERT(sl_backoff_next_ms(&flat) <= 5);
    }
}
