#include "ops/replay/replay_route.h"

#include "tests/support/claims.h"

CLAIM(replay_route__a_letter_goes_to_the_replays_of_its_own_subsystem_only)
{
    struct ops_replay_route route;
    struct sl_err err;
    CU_ASSERT_TRUE(ops_replay_route(SL_SPAN_LITERAL("billing"),
                                    SL_SPAN_LITERAL("stripe.invoice.paid"), &route, &err));
    CU_ASSERT_STRING_EQUAL(route.exchange, "sluice.due");
    CU_ASSERT_STRING_EQUAL(route.key, "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.billing.replay");
}

CLAIM(replay_route__what_was_bound_to_no_queue_goes_where_it_went_first)
{
    struct ops_replay_route route;
    struct sl_err err;
    CU_ASSERT_TRUE(ops_replay_route(SL_SPAN_LITERAL("unrouted"), SL_SPAN_LITERAL("shop.order.new"),
                                    &route, &err));
    CU_ASSERT_STRING_EQUAL(route.exchange, "sluice.events");
    CU_ASSERT_STRING_EQUAL(route.key, "shop.order.new");
    struct sl_span delayed =
        SL_SPAN_LITERAL("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.1.search-index");
    CU_ASSERT_TRUE(ops_replay_route(SL_SPAN_LITERAL("unrouted"), delayed, &route, &err));
    CU_ASSERT_STRING_EQUAL(route.exchange, "sluice.due");
    CU_ASSERT_TRUE(sl_span_is(delayed, route.key));
}

CLAIM(replay_route__without_a_key_or_with_an_impossible_name_it_is_refused)
{
    struct ops_replay_route route;
    struct sl_err err;
    char name[300];
    memset(name, 'a', sizeof name);
    CU_ASSERT_FALSE(
        ops_replay_route(SL_SPAN_LITERAL("unrouted"), (struct sl_span){ 0 }, &route, &err));
    CU_ASSERT_FALSE(
        ops_replay_route(sl_span_make(name, sizeof name), (struct sl_span){ 0 }, &route, &err));
    CU_ASSERT_FALSE(ops_replay_route(SL_SPAN_LITERAL("unrouted"), sl_span_make(name, sizeof name),
                                     &route, &err));
}
