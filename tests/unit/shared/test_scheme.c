/*
 * The conformance suite of the schemes other than Stripe's own (test_stripe_signature): published vectors, and what we do with each way a header can
 * be wrong.
 */
#include "shared/signature/scheme.h"

#include <stdio.h>

#include "tests/support/claims.h"

/* Standard Webhooks, libraries/go/webhook_test.go. */
#define SW_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SW_ID     "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define SW_T      "1614265330"
#define SW_BODY   "{\"test\": 2432232314}"
#define SW_SIG    "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define SW_BAD    "AAAA9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
/* docs.github.com, "Validating webhook deliveries": secret and payload to test with. */
#define GH_SECRET "It's a Secret to Everybody"
#define GH_BODY   "Hello, World!"
#define GH_SIG    "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
/* openssl dgst -sha256 -hmac shpss_0123456789abcdef0123456789abcdef -binary | base64 */
#define SH_SECRET "shpss_0123456789abcdef0123456789abcdef"
#define SH_BODY   "{\"id\":820982911946154508}"

static struct sl_scheme scheme_named(const char *name)
{
    struct sl_scheme scheme = { 0 };
    CU_ASSERT_FATAL(sl_scheme_preset(sl_span_of(name), &scheme));
    return scheme;
}

static enum sl_signature_verdict verify(const struct sl_scheme *scheme, const char *secret,
                                        const struct sl_signed *what, int64_t now_s)
{
    SL_AUTO(sl_hmac_key_free)
    struct sl_hmac_key *key = sl_scheme_key_new(scheme, sl_span_of(secret), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    const struct sl_stripe_check check = {
        .keys = &key, .key_count = 1, .now_s = now_s, .tolerance_s = 300
    };
    return sl_scheme_verify(scheme, &check, what, NULL);
}

CLAIM(scheme__standard_webhooks_are_decided_as_the_reference_library_does)
{
    static const struct {
        const char *id;
        const char *time;
        const char *signature;
        const char *body;
        int64_t now_s;
        enum sl_signature_verdict verdict;
    } rows[] = {
        { SW_ID, SW_T, "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_VALID },
        { NULL, SW_T, "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MISSING },
        { "", SW_T, "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MISSING },
        { SW_ID, NULL, "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MISSING },
        { SW_ID, SW_T, NULL, SW_BODY, 1614265330, SL_SIGNATURE_MISSING },
        { SW_ID, SW_T, " ", SW_BODY, 1614265330, SL_SIGNATURE_MISSING },
        { SW_ID, SW_T, "v1," SW_BAD, SW_BODY, 1614265330, SL_SIGNATURE_MISMATCH },
        { SW_ID, SW_T, "v1,", SW_BODY, 1614265330, SL_SIGNATURE_MISMATCH },
        { SW_ID, SW_T, "v1", SW_BODY, 1614265330, SL_SIGNATURE_MISMATCH },
        { SW_ID, SW_T, "v1," SW_SIG " v1," SW_BAD, SW_BODY, 1614265330, SL_SIGNATURE_VALID },
        { SW_ID, SW_T, "v1," SW_BAD " v2," SW_SIG " v1," SW_SIG " v1," SW_BAD, SW_BODY, 1614265330,
          SL_SIGNATURE_VALID },
        { SW_ID, SW_T, "v2," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MALFORMED },
        { SW_ID, SW_T, "v1a," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MALFORMED },
        { SW_ID, SW_T, SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MALFORMED },
        { SW_ID, SW_T, "v1," SW_SIG, SW_BODY " ", 1614265330, SL_SIGNATURE_MISMATCH },
        { "msg_other", SW_T, "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MISMATCH },
        { SW_ID, "1614265331", "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MISMATCH },
        { SW_ID, SW_T, "v1," SW_SIG, SW_BODY, 1614265330 + 300, SL_SIGNATURE_VALID },
        { SW_ID, SW_T, "v1," SW_SIG, SW_BODY, 1614265330 + 301, SL_SIGNATURE_STALE },
        { SW_ID, SW_T, "v1," SW_SIG, SW_BODY, 1614265330 - 300, SL_SIGNATURE_VALID },
        { SW_ID, SW_T, "v1," SW_SIG, SW_BODY, 1614265330 - 301, SL_SIGNATURE_FUTURE },
        { SW_ID, "01614265330", "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MALFORMED },
        { SW_ID, "+1614265330", "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MALFORMED },
        { SW_ID, "1614265330000", "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MALFORMED },
        /* bytes that move from one part of the signed text to the next */
        { SW_ID "." SW_T, "1", "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MALFORMED },
        { "msg p5", SW_T, "v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_MALFORMED },
        /* two headers, joined as HTTP joins them */
        { SW_ID, SW_T, "v1," SW_SIG ", v1," SW_SIG, SW_BODY, 1614265330, SL_SIGNATURE_VALID },
    };
    struct sl_scheme scheme = scheme_named("standard-webhooks");
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        const struct sl_signed what = { .signature = sl_span_of(rows[i].signature),
                                        .time = sl_span_of(rows[i].time),
                                        .id = sl_span_of(rows[i].id),
                                        .body = sl_span_of(rows[i].body) };
        if (verify(&scheme, SW_SECRET, &what, rows[i].now_s) != rows[i].verdict) {
            printf("row %zu: %s\n", i,
                   sl_signature_verdict_name(verify(&scheme, SW_SECRET, &what, rows[i].now_s)));
            CU_FAIL("decided otherwise");
        }
    }
    const struct sl_signed good = { .signature = SL_SPAN_LITERAL("v1," SW_SIG),
                                    .time = SL_SPAN_LITERAL(SW_T),
                                    .id = SL_SPAN_LITERAL(SW_ID),
                                    .body = SL_SPAN_LITERAL(SW_BODY) };
    CU_ASSERT_EQUAL(verify(&scheme, SW_SECRET + strlen("whsec_"), &good, 1614265330),
                    SL_SIGNATURE_VALID);
}

CLAIM(scheme__github_is_decided_by_the_published_vector)
{
    static const struct {
        const char *signature;
        const char *body;
        enum sl_signature_verdict verdict;
    } rows[] = {
        { "sha256=" GH_SIG, GH_BODY, SL_SIGNATURE_VALID },
        { "sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17", GH_BODY,
          SL_SIGNATURE_VALID },
        { "sha256=" GH_SIG, GH_BODY "\n", SL_SIGNATURE_MISMATCH },
        { "sha256=" GH_SIG, "", SL_SIGNATURE_MISMATCH },
        { GH_SIG, GH_BODY, SL_SIGNATURE_MALFORMED },
        { "SHA256=" GH_SIG, GH_BODY, SL_SIGNATURE_MALFORMED },
        { "sha1=" GH_SIG, GH_BODY, SL_SIGNATURE_MALFORMED },
        { "sha256=" GH_SIG "0", GH_BODY, SL_SIGNATURE_MALFORMED },
        { "sha256=", GH_BODY, SL_SIGNATURE_MALFORMED },
        { "sha256= " GH_SIG, GH_BODY, SL_SIGNATURE_MALFORMED },
        { "sha256=" GH_SIG ", sha256=" GH_SIG, GH_BODY, SL_SIGNATURE_MALFORMED },
        { "", GH_BODY, SL_SIGNATURE_MISSING },
        { NULL, GH_BODY, SL_SIGNATURE_MISSING },
    };
    struct sl_scheme scheme = scheme_named("github");
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        const struct sl_signed what = { .signature = sl_span_of(rows[i].signature),
                                        .body = sl_span_of(rows[i].body) };
        CU_ASSERT_EQUAL(verify(&scheme, GH_SECRET, &what, 0), rows[i].verdict);
    }
}

CLAIM(scheme__whatever_is_signed_verifies_and_one_changed_byte_does_not)
{
    static const struct {
        const char *scheme;
        const char *secret;
        const char *signed_text; /* NULL: the scheme's own */
    } rows[] = {
        { "stripe", "whsec_test_secret", NULL },
        { "standard-webhooks", SW_SECRET, NULL },
        { "github", GH_SECRET, NULL },
        { "shopify", SH_SECRET, NULL },
        { "hmac", SH_SECRET, "{timestamp}.{body}" },
        { "hmac", SH_SECRET, "v0:{timestamp}:{body}" },
        { "hmac", SH_SECRET, "{id}|{timestamp}|{body}|end" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_scheme scheme = scheme_named(rows[i].scheme);
        if (rows[i].signed_text != NULL) {
            CU_ASSERT_PTR_NULL(sl_scheme_set_template(&scheme, sl_span_of(rows[i].signed_text)));
            snprintf(scheme.header, sizeof scheme.header, "X-Signature");
            snprintf(scheme.time_header, sizeof scheme.time_header, "X-Timestamp");
            if (strstr(rows[i].signed_text, "{id}") != NULL) {
                snprintf(scheme.id_header, sizeof scheme.id_header, "X-Id");
            }
        }
        SL_AUTO(sl_hmac_key_free)
        struct sl_hmac_key *key = sl_scheme_key_new(&scheme, sl_span_of(rows[i].secret), NULL);
        struct sl_scheme_field fields[SL_SCHEME_FIELDS_MAX];
        size_t count = 0;
        CU_ASSERT_FATAL(sl_scheme_sign(&scheme, key, 1700000000, SL_SPAN_LITERAL("msg_1"),
                                       SL_SPAN_LITERAL(SH_BODY), fields, &count));
        struct sl_signed what = { .signature = sl_span_of(fields[0].value),
                                  .time = SL_SPAN_LITERAL("1700000000"),
                                  .id = SL_SPAN_LITERAL("msg_1"),
                                  .body = SL_SPAN_LITERAL(SH_BODY) };
        CU_ASSERT_STRING_EQUAL(fields[0].name, scheme.header);
        CU_ASSERT_EQUAL(verify(&scheme, rows[i].secret, &what, 1700000000), SL_SIGNATURE_VALID);
        what.body = SL_SPAN_LITERAL("{\"id\":820982911946154509}");
        CU_ASSERT_EQUAL(verify(&scheme, rows[i].secret, &what, 1700000000), SL_SIGNATURE_MISMATCH);
        if (sl_scheme_signs(&scheme, SL_SIGNED_ID)) {
            what.body = SL_SPAN_LITERAL(SH_BODY);
            what.id = SL_SPAN_LITERAL("msg_2");
            CU_ASSERT_EQUAL(verify(&scheme, rows[i].secret, &what, 1700000000),
                            SL_SIGNATURE_MISMATCH);
        }
        what.time = SL_SPAN_LITERAL("1700000001");
        if (scheme.form != SL_FORM_STRIPE && sl_scheme_has_time(&scheme)) {
            CU_ASSERT_EQUAL(verify(&scheme, rows[i].secret, &what, 1700000000),
                            SL_SIGNATURE_MISMATCH);
        }
    }
}

CLAIM(scheme__a_template_that_signs_too_little_is_refused)
{
    static const struct {
        const char *text;
        bool is_fine;
    } rows[] = {
        { "{body}", true },
        { "{id}.{timestamp}.{body}", true },
        { "v0:{timestamp}:{body}", true },
        { "{body}{timestamp}", true },
        { "{timestamp}", false },
        { "", false },
        { "{body}{body}", false },
        { "{timestamp}.{body", false },
        { "{time}.{body}", false },
        { "{body}}", false },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{body}", false },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_scheme scheme = scheme_named("hmac");
        CU_ASSERT_EQUAL(sl_scheme_set_template(&scheme, sl_span_of(rows[i].text)) == NULL,
                        rows[i].is_fine);
    }
}

CLAIM(scheme__unsafe_secrets_are_named_without_showing_them)
{
    static const struct {
        const char *scheme;
        const char *secret;
        const char *why; /* part of the objection; NULL: fine */
    } rows[] = {
        { "standard-webhooks", SW_SECRET, NULL },
        { "standard-webhooks", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL },
        { "standard-webhooks", "", "empty" },
        { "standard-webhooks", "whsec_", "shorter" },
        { "standard-webhooks", "whsec_MfKQ9r8G", "shorter" },
        { "standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "white space" },
        { "standard-webhooks", "whsec_not base64 at all, is it now?", "base64" },
        { "standard-webhooks", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "placeholder" },
        { "github", "a-long-enough-secret-of-ours-1", NULL },
        { "github", "tiny", "shorter" },
        { "github", "two words that are long enough", "white space" },
        { "shopify", SH_SECRET, NULL },
        { "hmac", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "placeholder" },
        { "stripe", "sk_live_0123456789abcdefghijklmn", "API key" },
        { "stripe", "rk_test_0123456789abcdefghijklmn", "API key" },
        { "stripe", "pk_live_0123456789abcdefghijklmn", "API key" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_scheme scheme = scheme_named(rows[i].scheme);
        const char *why = sl_scheme_secret_objection(&scheme, sl_span_of(rows[i].secret));
        CU_ASSERT_EQUAL((why == NULL), (rows[i].why == NULL));
        CU_ASSERT(why == NULL || strstr(why, rows[i].why) != NULL);
        CU_ASSERT(why == NULL || rows[i].secret[0] == '\0' || strstr(why, rows[i].secret) == NULL);
    }
}
