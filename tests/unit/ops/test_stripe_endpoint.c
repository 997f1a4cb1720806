#include "ops/stripe/stripe_endpoint.h"

#include <string.h>

#include "tests/support/claims.h"

static struct sl_json_parser *parser;
static struct sl_arena arena;

__attribute__((destructor)) static void done(void)
{
    sl_json_parser_free(parser);
    sl_arena_done(&arena);
}

static struct ops_stripe_endpoint endpoint_of(const char *text)
{
    struct sl_err err;
    if (parser == NULL) {
        parser = sl_json_parser_new(65536);
        sl_arena_init(&arena, 1u << 20);
    }
    sl_arena_reset(&arena);
    struct ops_stripe_endpoint endpoint;
    const struct sl_json *root = sl_json_parse(parser, &arena, sl_span_of(text), 4, 1000, &err);
    CU_ASSERT_FATAL(root != NULL);
    ops_stripe_endpoint_read(root, &arena, &endpoint);
    return endpoint;
}

static bool is_ours(const char *url)
{
    const struct ops_stripe_endpoint endpoint = { .url = sl_span_of(url) };
    return ops_stripe_endpoint_is_ours(&endpoint, "https://hooks.example.com");
}

CLAIM(stripe_endpoint__only_our_paths_below_our_address_are_ours)
{
    CU_ASSERT(is_ours("https://hooks.example.com/webhooks/stripe"));
    CU_ASSERT(is_ours("https://hooks.example.com/api/v1/billing/webhook"));
    CU_ASSERT_FALSE(is_ours("https://hooks.example.com/webhooks/stripe/"));
    CU_ASSERT_FALSE(is_ours("https://hooks.example.com.evil.example/webhooks/stripe"));
    CU_ASSERT_FALSE(is_ours("http://hooks.example.com/webhooks/stripe"));
    CU_ASSERT_FALSE(is_ours("https://hooks"));
}

CLAIM(stripe_endpoint__one_that_is_enabled_for_everything_is_well)
{
    struct ops_stripe_endpoint endpoint =
        endpoint_of("{\"id\":\"we_1\",\"status\":\"enabled\",\"enabled_events\":[\"*\"]}");
    SL_DONE(sl_buf_done) struct sl_buf wrong = { 0 };
    sl_buf_init(&wrong, 4096);
    ops_stripe_endpoint_judge(&endpoint, &wrong);
    CU_ASSERT_EQUAL(wrong.used_bytes, 0);
}

CLAIM(stripe_endpoint__what_is_wrong_is_said_with_what_to_do)
{
    struct ops_stripe_endpoint endpoint = endpoint_of(
        "{\"id\":\"we_1\",\"status\":\"disabled\",\"enabled_events\":[\"customer.created\"]}");
    SL_DONE(sl_buf_done) struct sl_buf wrong = { 0 };
    sl_buf_init(&wrong, 4096);
    ops_stripe_endpoint_judge(&endpoint, &wrong);
    const char *text = sl_buf_span(&wrong).data;
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "we_1 is disabled"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "sluice reconcile stripe"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "customer.updated"));
    CU_ASSERT_PTR_NULL(strstr(text, "customer.created"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "…; add them"));
}
