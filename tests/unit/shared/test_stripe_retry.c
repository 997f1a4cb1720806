#include "shared/stripe/stripe_retry.h"

#include <stdbool.h>

#include "shared/scope.h"
#include "tests/support/claims.h"

static int64_t wait_after(int status, int64_t retry_after_s, unsigned tries, uint64_t random)
{
    const struct sl_stripe_try heard = { .status = status,
                                         .retry_after_s = retry_after_s,
                                         .tries = tries };
    return sl_stripe_retry_ms(&heard, random);
}

CLAIM(stripe_retry__only_what_may_pass_later_is_tried_again)
{
    static const struct {
        int status;
        bool again;
    } rows[] = {
        { 0, true },    { 200, false }, { 400, false }, { 401, false }, { 402, false },
        { 403, false }, { 404, false }, { 409, true },  { 424, false }, { 429, true },
        { 500, true },  { 502, true },  { 503, true },  { 504, true },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(wait_after(rows[i].status, 0, 1, 7) >= 0, rows[i].again);
    }
}

CLAIM(stripe_retry__waits_double_up_to_their_ceiling_and_never_fall_below_half)
{
    static const int64_t ceilings[] = { 500, 1000, 2000, 4000 };
    for (unsigned tries = 1; tries <= SL_COUNT(ceilings); tries++) {
        for (uint64_t random = 0; random < 5000; random += 13) {
            int64_t wait_ms = wait_after(500, 0, tries, random);
            CU_ASSERT(wait_ms >= ceilings[tries - 1] / 2 && wait_ms <= ceilings[tries - 1]);
        }
    }
}

CLAIM(stripe_retry__the_last_try_stands)
{
    CU_ASSERT_EQUAL(wait_after(500, 0, SL_STRIPE_TRIES_MAX, 1), -1);
    CU_ASSERT(wait_after(500, 0, SL_STRIPE_TRIES_MAX - 1, 1) > 0);
}

CLAIM(stripe_retry__stripe_says_when_within_reason)
{
    CU_ASSERT_EQUAL(wait_after(429, 7, 1, 1), 7000);
    CU_ASSERT(wait_after(429, 1, 4, 0) >= 2000); /* ours is longer */
    CU_ASSERT_EQUAL(wait_after(503, SL_STRIPE_RETRY_AFTER_S_MAX + 1, 1, 1), -1);
}
