#include "ops/doctor/value_rules.h"

#include "shared/scope.h"
#include "tests/support/claims.h"

CLAIM(value_rules__a_key_of_stripes_tells_its_mode)
{
    CU_ASSERT_EQUAL(ops_key_mode(NULL), OPS_KEY_NONE);
    CU_ASSERT_EQUAL(ops_key_mode(""), OPS_KEY_NONE);
    CU_ASSERT_EQUAL(ops_key_mode("sk_test_51H"), OPS_KEY_TEST);
    CU_ASSERT_EQUAL(ops_key_mode("rk_live_51H"), OPS_KEY_LIVE);
    CU_ASSERT_EQUAL(ops_key_mode("pk_live_51H"), OPS_KEY_LIVE);
    CU_ASSERT_EQUAL(ops_key_mode("whsec_51H"), OPS_KEY_STRANGE);
}

CLAIM(value_rules__production_is_called_by_several_names)
{
    static const char *const are[] = { "production", "Prod", "PRODUCTION", "eu-prod", "live" };
    static const char *const are_not[] = { "staging", "preproduction", "product", "", "dev" };
    for (size_t i = 0; i < SL_COUNT(are); i++) {
        CU_ASSERT_TRUE(ops_is_production(are[i]));
    }
    for (size_t i = 0; i < SL_COUNT(are_not); i++) {
        CU_ASSERT_FALSE(ops_is_production(are_not[i]));
    }
    CU_ASSERT_FALSE(ops_is_production(NULL));
}

CLAIM(value_rules__what_was_left_to_be_filled_in_is_a_placeholder)
{
    static const char *const are[] = {
        "changeme",
        "CHANGE_ME_LATER",
        "your-secret-here",
        "<from the vault>",
        "whsec_xxxxxxxx",
        "postgres://user:pass@db.example.com/app",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "TODO",
    };
    static const char *const are_not[] = {
        "whsec_d9f2c1a7e3b04856",
        "postgres://sluice:k3T9@db.internal:5432/app",
        "true",
        "8080",
        "",
        "https://3f2a@o1.ingest.sentry.io/42",
    };
    for (size_t i = 0; i < SL_COUNT(are); i++) {
        CU_ASSERT_PTR_NOT_NULL(ops_placeholder(sl_span_of(are[i])));
    }
    for (size_t i = 0; i < SL_COUNT(are_not); i++) {
        CU_ASSERT_PTR_NULL(ops_placeholder(sl_span_of(are_not[i])));
    }
}

CLAIM(value_rules__a_token_is_long_plain_and_no_placeholder)
{
    CU_ASSERT_PTR_NULL(ops_token_objection(SL_SPAN_LITERAL("3b6f0a1c9d8e7f605142738495a6b7c8")));
    CU_ASSERT_PTR_NOT_NULL(ops_token_objection(SL_SPAN_LITERAL("3b6f0a1c")));
    CU_ASSERT_PTR_NOT_NULL(
        ops_token_objection(SL_SPAN_LITERAL("3b6f0a1c9d8e7f605142738495a6 b7c8")));
    CU_ASSERT_PTR_NOT_NULL(
        ops_token_objection(SL_SPAN_LITERAL("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")));
}

CLAIM(value_rules__this_machine_has_its_own_names)
{
    CU_ASSERT_TRUE(ops_is_loopback("localhost"));
    CU_ASSERT_TRUE(ops_is_loopback("127.0.0.1"));
    CU_ASSERT_TRUE(ops_is_loopback("::1"));
    CU_ASSERT_FALSE(ops_is_loopback("mq.internal"));
    CU_ASSERT_FALSE(ops_is_loopback("10.0.0.1"));
}
