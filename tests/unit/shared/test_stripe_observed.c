#include "shared/stripe/stripe_observed.h"

#include <stdio.h>

#include "tests/support/claims.h"

static struct sl_arena arena;
static struct sl_buf body;
static struct sl_envelope event;

static bool observe(const char *object, int64_t date_s, int64_t elapsed_us)
{
    struct sl_err err = { 0 };
    SL_AUTO(sl_json_parser_free) struct sl_json_parser *parser = sl_json_parser_new(65536);
    sl_arena_done(&arena);
    sl_arena_init(&arena, 1u << 20);
    sl_buf_done(&body);
    sl_buf_init(&body, 4096);
    const struct sl_json *root = sl_json_parse(parser, &arena, sl_span_of(object), 4, 100, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    const struct sl_stripe_observation seen = { .object = root,
                                                .account = "acct_1",
                                                .livemode = true,
                                                .date_s = date_s,
                                                .elapsed_us = elapsed_us,
                                                .now_us = 0x1234 };
    return sl_stripe_observed(&seen, &arena, &body, &event, &err);
}

static void done(void)
{
    sl_arena_done(&arena);
    sl_buf_done(&body);
}

CLAIM(stripe_observed__the_object_travels_unchanged_in_an_event_of_our_own)
{
    CU_ASSERT_TRUE(observe(
        "{\"id\":\"cus_1\",\"object\":\"customer\",\"livemode\":false,\"created\":50,\"x\":1.0}",
        100, 1));
    CU_ASSERT_TRUE(sl_span_is(event.type, "sluice.customer.observed"));
    CU_ASSERT_TRUE(sl_span_is(event.source, "stripe"));
    CU_ASSERT_TRUE(sl_span_is(event.object, "cus_1"));
    CU_ASSERT_TRUE(sl_span_is(event.account, "acct_1"));
    CU_ASSERT_FALSE(event.livemode);
    CU_ASSERT_TRUE(sl_span_starts_with(event.id, "evt_sluice_00000000001234_"));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        body.data,
        "\"data\":{\"object\":{\"id\":\"cus_1\",\"object\":\"customer\",\"livemode\":false,\"created\":50,\"x\":1.0}}"));
    done();
}

CLAIM(stripe_observed__its_time_is_before_stripe_read_it_and_not_before_it_existed)
{
    static const struct {
        int64_t date_s, elapsed_us, created_s, want_s;
    } rows[] = {
        { 100, 1, 50, 99 },        { 100, 1000000, 50, 99 }, { 100, 1000001, 50, 98 },
        { 100, 300000, 100, 100 }, { 0, 300000, 70, 70 },    { 0, 0, 0, 0 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        char object[128];
        snprintf(object, sizeof object, "{\"id\":\"in_1\",\"object\":\"invoice\",\"created\":%d}",
                 (int)rows[i].created_s);
        CU_ASSERT_TRUE(observe(object, rows[i].date_s, rows[i].elapsed_us));
        CU_ASSERT_EQUAL(event.occurred_at_s, rows[i].want_s);
    }
    done();
}

CLAIM(stripe_observed__what_has_ended_is_told_as_the_end)
{
    static const struct {
        const char *object, *type;
    } rows[] = {
        { "{\"id\":\"cus_1\",\"object\":\"customer\",\"deleted\":true}",
          "sluice.customer.deleted" },
        { "{\"id\":\"sub_1\",\"object\":\"subscription\",\"status\":\"canceled\"}",
          "sluice.subscription.deleted" },
        { "{\"id\":\"sub_1\",\"object\":\"subscription\",\"status\":\"active\"}",
          "sluice.subscription.observed" },
        { "{\"id\":\"in_1\",\"object\":\"invoice\",\"status\":\"void\"}",
          "sluice.invoice.observed" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_TRUE(observe(rows[i].object, 100, 1));
        CU_ASSERT_TRUE(sl_span_is(event.type, rows[i].type));
        CU_ASSERT_TRUE(event.livemode); /* nothing says: the key's */
    }
    done();
}

CLAIM(stripe_observed__what_billing_does_not_know_or_is_too_large_is_refused)
{
    char large[5000];
    int head = snprintf(large, sizeof large, "{\"id\":\"in_1\",\"object\":\"invoice\",\"a\":\"");
    memset(large + head, 'x', sizeof large - (size_t)head);
    memcpy(large + sizeof large - 3, "\"}", 3);
    CU_ASSERT_FALSE(observe("{\"id\":\"ch_1\",\"object\":\"charge\"}", 100, 1));
    CU_ASSERT_FALSE(observe("{\"object\":\"customer\"}", 100, 1));
    CU_ASSERT_FALSE(observe("[]", 100, 1));
    CU_ASSERT_FALSE(observe(large, 100, 1));
    done();
}
