#include "consumer/patience.h"

#include "shared/scope.h"

#include "tests/support/claims.h"

#define NOBODY    (-1)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)

static struct con_patience half_an_hour(void)
{
    return (struct con_patience){ .timeout_ms = 30 * MINUTE_MS };
}

CLAIM(patience__a_worker_with_nothing_in_hand_stays)
{
    struct con_patience patience = half_an_hour();
    CU_ASSERT_EQUAL(con_patience_look(&patience, 9 * HOUR_MS, NOBODY), CON_PATIENCE_STAY);
}

CLAIM(patience__what_is_held_for_three_quarters_of_the_timeout_is_given_back_once)
{
    struct con_patience patience = half_an_hour();
    int64_t limit_ms = 1350000;
    CU_ASSERT_EQUAL(con_patience_look(&patience, 5 + limit_ms - 1, 5), CON_PATIENCE_STAY);
    CU_ASSERT_EQUAL(con_patience_look(&patience, 5 + limit_ms, 5), CON_PATIENCE_GIVE_BACK);
    CU_ASSERT_EQUAL(con_patience_look(&patience, 6 + limit_ms, 5), CON_PATIENCE_STAY);
}

CLAIM(patience__after_a_rest_it_takes_again_and_counts_anew)
{
    struct con_patience patience = half_an_hour();
    CU_ASSERT_EQUAL(con_patience_look(&patience, HOUR_MS, 0), CON_PATIENCE_GIVE_BACK);
    CU_ASSERT_EQUAL(con_patience_look(&patience, HOUR_MS + 5 * MINUTE_MS - 1, NOBODY),
                    CON_PATIENCE_STAY);
    int64_t again_ms = HOUR_MS + 5 * MINUTE_MS;
    CU_ASSERT_EQUAL(con_patience_look(&patience, again_ms, NOBODY), CON_PATIENCE_TAKE);
    CU_ASSERT_EQUAL(con_patience_look(&patience, again_ms + 1, again_ms), CON_PATIENCE_STAY);
    CU_ASSERT_EQUAL(con_patience_look(&patience, again_ms + 30 * MINUTE_MS, again_ms),
                    CON_PATIENCE_GIVE_BACK);
}

CLAIM(patience__a_rest_ends_when_what_was_in_the_way_is_gone)
{
    struct con_patience patience = half_an_hour();
    CU_ASSERT_FALSE(con_patience_end(&patience));
    CU_ASSERT_EQUAL(con_patience_look(&patience, HOUR_MS, 0), CON_PATIENCE_GIVE_BACK);
    CU_ASSERT_TRUE(con_patience_end(&patience));
    CU_ASSERT_EQUAL(con_patience_look(&patience, HOUR_MS + 1, HOUR_MS), CON_PATIENCE_STAY);
}

/* Looks as a worker does, with an event that can never be applied while the database answers. */
CLAIM(patience__looking_as_advised_is_never_too_late_and_a_night_stays_below_the_delivery_limit)
{
    static const int64_t timeouts_ms[] = { 2000, 10000, 30 * MINUTE_MS, 24 * HOUR_MS };
    for (size_t i = 0; i < SL_COUNT(timeouts_ms); i++) {
        struct con_patience patience = { .timeout_ms = timeouts_ms[i] };
        int64_t oldest_ms = 0;
        int64_t returns = 0;
        for (int64_t now_ms = 0; now_ms < 18 * timeouts_ms[i];
             now_ms += con_patience_look_ms(&patience)) {
            enum con_patience_advice advice = con_patience_look(&patience, now_ms, oldest_ms);
            CU_ASSERT_TRUE(oldest_ms < 0 || now_ms - oldest_ms < timeouts_ms[i]);
            returns += advice == CON_PATIENCE_GIVE_BACK;
            oldest_ms = advice == CON_PATIENCE_GIVE_BACK ? NOBODY
                        : advice == CON_PATIENCE_TAKE    ? now_ms
                                                         : oldest_ms;
        }
        CU_ASSERT_TRUE(returns >= 17 && returns < 20);
    }
}
