#include "publisher/billing/billing_wish.h"

#include <stdio.h>

#include "publisher/billing/billing_problem.h"
#include "tests/support/claims.h"

static struct pub_billing_wish wish;

static int ask(const char *method, const char *path, const char *body)
{
    SL_AUTO(sl_json_parser_free) struct sl_json_parser *parser = sl_json_parser_new(65536);
    SL_DONE(sl_arena_done) struct sl_arena arena;
    sl_arena_init(&arena, 1u << 20);
    char full[256];
    snprintf(full, sizeof full, PUB_BILLING_PREFIX "%s", path);
    char *query = strchr(full, '?');
    struct sl_span asked = { 0 };
    if (query != NULL) {
        *query = '\0';
        asked = sl_span_of(query + 1);
    }
    pub_billing_wish_done(&wish);
    return pub_billing_wish_read(&(struct pub_billing_asked){ .method = sl_span_of(method),
                                                              .path = sl_span_of(full),
                                                              .query = asked,
                                                              .body = sl_span_of(body),
                                                              .parser = parser,
                                                              .arena = &arena },
                                 &wish);
}

CLAIM(billing_wish__each_route_is_one_call_to_stripe)
{
    static const struct {
        const char *method, *path, *body, *stripe_method, *stripe_path, *form;
    } rows[] = {
        { "POST", "customers", "{\"email\":\"a@b\"}", "POST", "/v1/customers", "email=a%40b" },
        { "POST", "customers", "", "POST", "/v1/customers", "" },
        { "PATCH", "customers/cus_1", "{\"name\":null}", "POST", "/v1/customers/cus_1", "name=" },
        { "POST", "subscriptions/sub_1/cancel", "{\"prorate\":true}", "DELETE",
          "/v1/subscriptions/sub_1", "prorate=true" },
        { "POST", "subscriptions/sub_1/cancel",
          "{\"at_period_end\":true,\"metadata\":{\"a\":\"1\"}}", "POST", "/v1/subscriptions/sub_1",
          "cancel_at_period_end=true&metadata[a]=1" },
        { "POST", "invoices/in_1/sync", "", "GET", "/v1/invoices/in_1", "" },
        { "POST", "customers/cus_1/sync?account=acct_1", "{}", "GET", "/v1/customers/cus_1", "" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(ask(rows[i].method, rows[i].path, rows[i].body), 0);
        CU_ASSERT_STRING_EQUAL(wish.method, rows[i].stripe_method);
        CU_ASSERT_STRING_EQUAL(wish.path, rows[i].stripe_path);
        CU_ASSERT_STRING_EQUAL(sl_buf_span(&wish.form).data, rows[i].form);
    }
    CU_ASSERT_STRING_EQUAL(wish.account, "acct_1");
    pub_billing_wish_done(&wish);
}

CLAIM(billing_wish__nested_parameters_are_named_as_stripe_names_them)
{
    CU_ASSERT_EQUAL(
        ask("POST", "customers",
            "{\"a\":{\"b\":[1,{\"c\":false}],\"d\":{}},\"e\":[],\"f\":1.50,\"g\":\"x&=\\u00e9\"}"),
        0);
    CU_ASSERT_STRING_EQUAL(sl_buf_span(&wish.form).data,
                           "a[b][0]=1&a[b][1][c]=false&a[d]=&e=&f=1.50&g=x%26%3D%C3%A9");
    pub_billing_wish_done(&wish);
}

CLAIM(billing_wish__what_cannot_be_meant_is_refused)
{
    static const struct {
        const char *method, *path, *body;
        int status;
    } rows[] = {
        { "POST", "customers", "[]", 400 },
        { "POST", "customers", "{", 400 },
        { "POST", "customers", "{\"a]\":1}", 400 },
        { "POST", "customers", "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":1}}}}}}}", 400 },
        { "POST", "customers?livemode=false", "{}", 400 },
        { "POST", "customers?account=a%0d", "{}", 400 },
        { "PATCH", "customers/cus_1", "", 400 },
        { "PATCH", "customers/..%2fcharges", "{\"a\":1}", 404 },
        { "PATCH", "customers/%00", "{\"a\":1}", 404 },
        { "POST", "subscriptions/sub_1/cancel", "{\"at_period_end\":1}", 400 },
        { "POST", "invoices/in_1/cancel", "", 404 },
        { "POST", "customers/cus_1/sync/more", "", 404 },
        { "POST", "plans/p_1/sync", "", 404 },
        { "POST", "customers/cus_1", "{}", 405 },
        { "PATCH", "invoices/in_1", "{}", 405 },
        { "GET", "subscriptions/sub_1/cancel", "", 405 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(ask(rows[i].method, rows[i].path, rows[i].body), rows[i].status);
        CU_ASSERT_NOT_EQUAL(wish.why[0], '\0');
    }
    pub_billing_wish_done(&wish);
}

CLAIM(billing_wish__stripes_status_is_the_callers_unless_it_is_about_our_key)
{
    static const struct {
        int stripe;
        enum sl_code code;
        int ours;
    } rows[] = {
        { 400, SL_E_BUG, 400 },
        { 401, SL_E_BUG, 502 },
        { 402, SL_E_BUG, 402 },
        { 403, SL_E_BUG, 502 },
        { 404, SL_E_BUG, 404 },
        { 409, SL_E_BUG, 409 },
        { 429, SL_E_BUG, 429 },
        { 500, SL_E_BUG, 502 },
        { 302, SL_E_BUG, 502 },
        { 0, SL_E_DEADLINE, 504 },
        { 0, SL_E_HTTP_UNREACHABLE, 502 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(pub_billing_problem_status(rows[i].stripe, rows[i].code), rows[i].ours);
    }
}
