#include "publisher/guard/flood.h"

#include <stdio.h>

#include "tests/support/claims.h"

static const struct sl_span bad = SL_SPAN_LITERAL("192.0.2.1");
static const struct sl_span good = SL_SPAN_LITERAL("192.0.2.2");

static struct pub_flood *flood_of(int64_t burst)
{
    struct sl_err err = { 0 };
    struct pub_flood *flood = pub_flood_new(burst, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(flood);
    return flood;
}

static bool may_look(struct pub_flood *flood, struct sl_span client, int64_t now_ms)
{
    unsigned retry_after_s = 0;
    bool may = pub_flood_may_look(flood, client, now_ms, &retry_after_s);
    CU_ASSERT_EQUAL(may, retry_after_s == 0);
    return may;
}

CLAIM(flood__who_sends_too_many_is_looked_at_one_time_in_sixteen_and_nobody_else_is_touched)
{
    SL_AUTO(pub_flood_free) struct pub_flood *flood = flood_of(20);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_TRUE(may_look(flood, bad, 0));
        pub_flood_bad(flood, bad, 0);
    }
    unsigned looks = 0;
    for (int i = 0; i < 160; i++) {
        if (may_look(flood, bad, 0)) {
            looks++;
            pub_flood_bad(flood, bad, 0);
        }
        CU_ASSERT_TRUE(may_look(flood, good, 0));
    }
    CU_ASSERT_EQUAL(looks, 10);
    CU_ASSERT_TRUE(may_look(flood, bad, 1000)); /* a twentieth of 20 a second */
}

CLAIM(flood__a_good_sender_behind_the_same_address_keeps_its_place)
{
    SL_AUTO(pub_flood_free) struct pub_flood *flood = flood_of(20);
    for (int i = 0; i < 100; i++) {
        pub_flood_bad(flood, bad, 0);
    }
    CU_ASSERT_FALSE(may_look(flood, bad, 0));
    pub_flood_good(flood, bad, 0);
    CU_ASSERT_TRUE(may_look(flood, bad, 0));
    for (int i = 0; i < 1000; i++) {
        pub_flood_bad(flood, bad, i);
    }
    CU_ASSERT_TRUE(may_look(flood, bad, 1000));
    for (int i = 0; i < 1000; i++) {
        pub_flood_bad(flood, bad, PUB_FLOOD_STANDING_MS + 1);
    }
    CU_ASSERT_FALSE(may_look(flood, bad, PUB_FLOOD_STANDING_MS + 1));
}

CLAIM(flood__an_ipv6_client_is_its_network_and_an_unknown_address_is_one_client)
{
    SL_AUTO(pub_flood_free) struct pub_flood *flood = flood_of(20);
    for (int i = 0; i < 20; i++) {
        char address[40];
        snprintf(address, sizeof address, "2001:db8:1:2::%x", i + 1);
        pub_flood_bad(flood, sl_span_of(address), 0);
        pub_flood_bad(flood, SL_SPAN_LITERAL("unix"), 0);
    }
    CU_ASSERT_FALSE(may_look(flood, SL_SPAN_LITERAL("2001:db8:1:2::ffff"), 0));
    CU_ASSERT_TRUE(may_look(flood, SL_SPAN_LITERAL("2001:db8:1:3::1"), 0));
    CU_ASSERT_FALSE(may_look(flood, SL_SPAN_LITERAL(""), 0));
}

CLAIM(flood__a_million_addresses_take_no_more_memory_and_a_new_one_is_still_seen)
{
    SL_AUTO(pub_flood_free) struct pub_flood *flood = flood_of(20);
    for (unsigned i = 0; i < 1000000; i++) {
        char address[40];
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        pub_flood_bad(flood, sl_span_of(address), i / 1000);
    }
    for (int i = 0; i < 40; i++) {
        pub_flood_bad(flood, bad, 1001);
    }
    CU_ASSERT_FALSE(may_look(flood, bad, 1001));
}
