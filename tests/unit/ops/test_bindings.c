#include "ops/topology/bindings.h"

#include "tests/support/claims.h"

static const char listed[] =
    "[{\"source\":\"\",\"vhost\":\"/\",\"destination\":\"sluice.billing\",\"destination_type\":\"queue\","
    "\"routing_key\":\"sluice.billing\",\"arguments\":{},\"properties_key\":\"sluice.billing\"},"
    "{\"source\":\"sluice.events\",\"vhost\":\"/\",\"destination\":\"sluice.billing\","
    "\"destination_type\":\"queue\",\"routing_key\":\"stripe.#\",\"arguments\":{},"
    "\"properties_key\":\"stripe.%23\"},"
    "{\"source\":\"sluice.delay.01\",\"vhost\":\"/\",\"destination\":\"sluice.delay.00\","
    "\"destination_type\":\"exchange\",\"routing_key\":\"a\",\"arguments\":{},\"properties_key\":\"a\"},"
    "{\"source\":\"sluice.unrouted\",\"vhost\":\"/\",\"destination\":\"sluice.unrouted\","
    "\"destination_type\":\"queue\",\"routing_key\":\"\",\"arguments\":{},\"properties_key\":\"~\"}]";

static bool has(const struct ops_bindings *list, enum sl_amqp_declare_kind kind, const char *source,
                const char *key, const char *destination)
{
    struct sl_amqp_declare declare = {
        .kind = kind, .name = destination, .source = source, .routing_key = key
    };
    return ops_bindings_have(list, &declare);
}

CLAIM(bindings__are_found_by_both_ends_the_kind_and_the_key)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    struct ops_bindings list = { 0 };
    struct sl_err err = { 0 };
    sl_arena_init(&arena, 1u << 20);
    CU_ASSERT_TRUE_FATAL(ops_bindings_parse(sl_span_of(listed), &arena, &list, &err));
    CU_ASSERT_EQUAL(list.count, 4);
    CU_ASSERT_TRUE(has(&list, SL_AMQP_BIND_QUEUE, "sluice.events", "stripe.#", "sluice.billing"));
    CU_ASSERT_FALSE(has(&list, SL_AMQP_BIND_QUEUE, "sluice.events", "stripe", "sluice.billing"));
    CU_ASSERT_FALSE(
        has(&list, SL_AMQP_BIND_EXCHANGE, "sluice.events", "stripe.#", "sluice.billing"));
    CU_ASSERT_TRUE(has(&list, SL_AMQP_BIND_EXCHANGE, "sluice.delay.01", "a", "sluice.delay.00"));
    CU_ASSERT_TRUE(has(&list, SL_AMQP_BIND_QUEUE, "sluice.unrouted", "", "sluice.unrouted"));
}

CLAIM(bindings__what_is_no_list_is_an_error)
{
    static const char *const texts[] = { "{}", "", "[", "{\"error\":\"not_authorised\"}" };
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
        struct ops_bindings list = { 0 };
        struct sl_err err = { 0 };
        sl_arena_init(&arena, 1u << 20);
        CU_ASSERT_FALSE(ops_bindings_parse(sl_span_of(texts[i]), &arena, &list, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_JSON_MALFORMED);
    }
}
