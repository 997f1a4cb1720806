#include "shared/event/delay_route.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/scope.h"
#include "tests/support/claims.h"

static const struct {
    int64_t seconds;
    const char *exchange;
    const char *key;
} table[] = {
    { 0, "sluice.due", "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.billing" },
    { 1, "sluice.delay.00", "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.billing" },
    { 5, "sluice.delay.02", "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.1.billing" },
    { 1800, "sluice.delay.10", "0.0.0.0.0.0.0.0.0.1.1.1.0.0.0.0.1.0.0.0.billing" },
    { SL_DELAY_S_MAX, "sluice.delay.19", "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.billing" },
};

CLAIM(delay_route__seconds_are_a_key_and_the_exchange_of_their_highest_digit)
{
    for (size_t i = 0; i < SL_COUNT(table); i++) {
        struct sl_delay_route route;
        sl_delay_route(table[i].seconds, "billing", &route);
        CU_ASSERT_STRING_EQUAL(route.exchange, table[i].exchange);
        CU_ASSERT_STRING_EQUAL(route.key, table[i].key);
    }
}

/* What the levels do with the key, as schemas/topology.md describes it: a 1 waits 2^level seconds, a 0 goes straight on. */
CLAIM(delay_route__the_levels_add_up_to_the_wait)
{
    for (int64_t seconds = 1; seconds <= SL_DELAY_S_MAX; seconds += 997) {
        struct sl_delay_route route;
        sl_delay_route(seconds, "email-digest", &route);
        int64_t waited = 0;
        for (int level = atoi(route.exchange + strlen("sluice.delay.")); level >= 0; level--) {
            waited += route.key[2 * (19 - level)] == '1' ? INT64_C(1) << level : 0;
        }
        CU_ASSERT_EQUAL(waited, seconds);
    }
}

CLAIM(delay_route__its_keys_are_told_from_others)
{
    struct sl_delay_route route;
    sl_delay_route(77, "billing", &route);
    CU_ASSERT_TRUE(sl_delay_is_key(sl_span_of(route.key)));
    CU_ASSERT_FALSE(sl_delay_is_key(SL_SPAN_LITERAL("stripe.customer.created")));
    CU_ASSERT_FALSE(sl_delay_is_key(sl_span_make(route.key, 40)));
    CU_ASSERT_FALSE(sl_delay_is_key(sl_span_of(NULL)));
    route.key[6] = '2';
    CU_ASSERT_FALSE(sl_delay_is_key(sl_span_of(route.key)));
}

CLAIM(delay_route__the_longest_name_fits)
{
    char name[SL_DELAY_TARGET_BYTES + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct sl_delay_route route;
    sl_delay_route(SL_DELAY_S_MAX, name, &route);
    CU_ASSERT_STRING_EQUAL(route.key + 40, name);
}

CLAIM(delay_route__an_event_keeps_its_own_key_behind_the_digits)
{
    struct sl_delay_route route;
    sl_delay_event_route(5, SL_SPAN_LITERAL("internal.order.created"), &route);
    CU_ASSERT_STRING_EQUAL(route.exchange, "sluice.delay.02");
    CU_ASSERT_STRING_EQUAL(route.key,
                           "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.1.events.internal.order.created");
    CU_ASSERT_TRUE(sl_delay_is_key(sl_span_of(route.key)));
}

CLAIM(delay_route__a_key_to_a_queue_of_replays_is_told_from_every_other)
{
    struct sl_delay_route route;
    sl_delay_route(5, "billing." SL_DELAY_REPLAY, &route);
    CU_ASSERT_TRUE(sl_delay_is_replay_key(sl_span_of(route.key)));
    sl_delay_route(0, "billing." SL_DELAY_REPLAY, &route);
    CU_ASSERT_TRUE(sl_delay_is_replay_key(sl_span_of(route.key)));
    sl_delay_route(5, "billing", &route);
    CU_ASSERT_FALSE(sl_delay_is_replay_key(sl_span_of(route.key)));
    sl_delay_route(5, "replay", &route);
    CU_ASSERT_FALSE(sl_delay_is_replay_key(sl_span_of(route.key)));
    sl_delay_event_route(5, SL_SPAN_LITERAL("internal.replay"), &route);
    CU_ASSERT_FALSE(sl_delay_is_replay_key(sl_span_of(route.key)));
    sl_delay_event_route(5, SL_SPAN_LITERAL("replay"), &route);
    CU_ASSERT_FALSE(sl_delay_is_replay_key(sl_span_of(route.key)));
    CU_ASSERT_FALSE(sl_delay_is_replay_key(SL_SPAN_LITERAL("billing.replay")));
}
