#include "ops/signature/verify_explain.h"

#include <stdio.h>

#include "ops/json_shape.h"
#include "ops/signature/verify_header.h"
#include "tests/support/claims.h"

#define SECRET_BARE "c2x1aWNlLXNhbXBsZS1zZWNyZXQtMDE="
#define SECRET      "whsec_" SECRET_BARE
#define BODY        "{\n  \"id\": \"evt_1\",\n  \"list\": [],\n  \"n\": [\n    1,\n    2.50\n  ]\n}"
#define NOW_S       1790000000

static void sign(struct sl_span secret, const char *body, char header[SL_STRIPE_HEADER_BYTES])
{
    struct sl_err err = { 0 };
    SL_AUTO(sl_hmac_key_free) struct sl_hmac_key *key = sl_hmac_key_new(secret, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_TRUE_FATAL(sl_stripe_sign(key, NOW_S, sl_span_of(body), header));
}

static struct ops_explanation explain(const char *secret, const char *header, const char *body)
{
    struct ops_explanation why = { 0 };
    struct sl_err err = { 0 };
    struct sl_scheme scheme = { 0 };
    CU_ASSERT_TRUE(sl_scheme_preset(SL_SPAN_LITERAL("stripe"), &scheme));
    struct sl_span secrets[] = { sl_span_of("another_secret_that_is_not_it"), sl_span_of(secret) };
    CU_ASSERT_TRUE(ops_verify_explain(
        &scheme, secrets, 2,
        &(struct sl_signed){ .signature = sl_span_of(header), .body = sl_span_of(body) }, &why,
        &err));
    return why;
}

static const struct {
    const char *received;
    const char *id;
} bodies[] = {
    { "{\"id\":\"evt_1\",\"list\":[],\"n\":[1,2.50]}", "two_spaces" },
    { "{\"id\": \"evt_1\", \"list\": [], \"n\": [1, 2.50]}", "two_spaces" },
    { BODY "\n", "without_line_end" },
    { "\xef\xbb\xbf" BODY, "without_bom" },
    { "{\r\n  \"id\": \"evt_1\",\r\n  \"list\": [],\r\n  \"n\": [\r\n    1,\r\n    2.50\r\n  ]\r\n}",
      "lf" },
};

CLAIM(verify_explain__names_what_happened_to_the_body)
{
    char header[SL_STRIPE_HEADER_BYTES];
    sign(sl_span_of(SECRET), BODY, header);
    for (size_t i = 0; i < SL_COUNT(bodies); i++) {
        struct ops_explanation why = explain(SECRET, header, bodies[i].received);
        CU_ASSERT_TRUE_FATAL(why.is_found);
        CU_ASSERT_EQUAL(why.secret, 1);
        CU_ASSERT_PTR_NULL(why.secret_is);
        CU_ASSERT_STRING_EQUAL(why.body_id, bodies[i].id);
        CU_ASSERT_PTR_NOT_NULL(why.body_is);
    }
}

CLAIM(verify_explain__names_what_happened_to_the_secret)
{
    char header[SL_STRIPE_HEADER_BYTES];
    sign(sl_span_of(SECRET), BODY, header);
    CU_ASSERT_STRING_EQUAL(explain(" " SECRET "\t", header, BODY).secret_id, "trimmed");
    CU_ASSERT_STRING_EQUAL(explain("\"" SECRET "\"", header, BODY).secret_id, "unquoted");

    sign(sl_span_of(SECRET + 6), BODY, header);
    CU_ASSERT_STRING_EQUAL(explain(SECRET, header, BODY).secret_id, "without_prefix");

    sign(sl_span_of("sluice-sample-secret-01"), BODY, header);
    CU_ASSERT_STRING_EQUAL(explain(SECRET, header, BODY).secret_id, "base64_decoded");
}

CLAIM(verify_explain__does_not_guess_when_the_contents_differ)
{
    char header[SL_STRIPE_HEADER_BYTES];
    sign(sl_span_of(SECRET), BODY, header);
    CU_ASSERT_FALSE(explain(SECRET, header, "{\"id\":\"evt_2\"}").is_found);
    CU_ASSERT_FALSE(explain("whsec_quite_another_one_0123456789", header, BODY).is_found);
    CU_ASSERT_FALSE(explain(SECRET, header, "").is_found);
}

static const struct {
    const char *scheme;
    const char *header;
    const char *time;
    const char *said;
} headers[] = {
    { "stripe", "", NULL, "no Stripe-Signature header" },
    { "stripe", "v1,abcd=", NULL, "Standard Webhooks" },
    { "stripe", "sha256=00", NULL, "GitHub" },
    { "stripe", "Stripe-Signature: t=1,v1=00", NULL, "header's name" },
    { "stripe", "\"t=1,v1=00\"", NULL, "quotation marks" },
    { "stripe", "t%3D1%2Cv1%3D00", NULL, "URL-encoded" },
    { "stripe", "t=1,\n v1=00", NULL, "broken into lines" },
    { "stripe", "v1=00", NULL, "no time" },
    { "stripe", "t=1,t=2,v1=00", NULL, "more than one time" },
    { "stripe", "t=1790000000123,v1=00", NULL, "milliseconds" },
    { "stripe", "t=soon,v1=00", NULL, "not a number" },
    { "stripe", "t=1,v0=00", NULL, "no v1 signature" },
    { "standard-webhooks", "v1,abcd=", NULL, "no webhook-timestamp header" },
    { "standard-webhooks", "v1,abcd=", "1790000000123", "milliseconds" },
    { "standard-webhooks", "v2,abcd=", "1790000000", "no v1 signature" },
    { "standard-webhooks", "t=1,v1=00", "1790000000", "Stripe's form" },
    { "github", "sha1=00", NULL, "SHA-1" },
    { "github", "sha256=00", NULL, "64 hex digits" },
    { "github", "00", NULL, "does not begin" },
    { "shopify", "abcd", NULL, "base64 text of 32 bytes" },
};

CLAIM(verify_explain__says_what_is_wrong_with_a_header)
{
    for (size_t i = 0; i < SL_COUNT(headers); i++) {
        struct sl_scheme scheme = { 0 };
        char said[OPS_FAULT_BYTES];
        CU_ASSERT_TRUE(sl_scheme_preset(sl_span_of(headers[i].scheme), &scheme));
        ops_verify_header_fault(&scheme,
                                &(struct sl_signed){ .signature = sl_span_of(headers[i].header),
                                                     .time = sl_span_of(headers[i].time),
                                                     .id = SL_SPAN_LITERAL("msg_1") },
                                said);
        if (strstr(said, headers[i].said) == NULL) {
            printf("row %zu: %s\n", i, said);
            CU_FAIL("said something else");
        }
    }
}

CLAIM(verify_explain__knows_how_secrets_of_other_schemes_are_taken_wrongly)
{
    static const struct {
        const char *scheme;
        const char *key; /* what the sender signed with */
        const char *id;
    } rows[] = {
        { "standard-webhooks", SECRET, "literal" },
        { "standard-webhooks", SECRET_BARE, "without_prefix" },
        { "github", "sluice-sample-secret-01", "base64_decoded" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_scheme scheme = { 0 };
        struct sl_err err = { 0 };
        CU_ASSERT_TRUE(sl_scheme_preset(sl_span_of(rows[i].scheme), &scheme));
        SL_AUTO(sl_hmac_key_free)
        struct sl_hmac_key *key = sl_hmac_key_new(sl_span_of(rows[i].key), &err);
        struct sl_scheme_field fields[SL_SCHEME_FIELDS_MAX];
        size_t count = 0;
        CU_ASSERT_TRUE_FATAL(sl_scheme_sign(&scheme, key, NOW_S, SL_SPAN_LITERAL("msg_1"),
                                            SL_SPAN_LITERAL(BODY), fields, &count));
        struct ops_explanation why = { 0 };
        struct sl_span secret = SL_SPAN_LITERAL(SECRET);
        CU_ASSERT_TRUE(
            ops_verify_explain(&scheme, &secret, 1,
                               &(struct sl_signed){ .signature = sl_span_of(fields[0].value),
                                                    .time = SL_SPAN_LITERAL("1790000000"),
                                                    .id = SL_SPAN_LITERAL("msg_1"),
                                                    .body = SL_SPAN_LITERAL(BODY "\n") },
                               &why, &err));
        CU_ASSERT_TRUE_FATAL(why.is_found);
        CU_ASSERT_STRING_EQUAL(why.secret_id, rows[i].id);
        CU_ASSERT_STRING_EQUAL(why.body_id, "without_line_end");
    }
}

static const struct {
    enum ops_json_shape shape;
    const char *text;
} shapes[] = {
    { OPS_JSON_COMPACT, "{\"id\":\"evt_1\",\"list\":[],\"n\":[1,2.50]}" },
    { OPS_JSON_SPACED, "{\"id\": \"evt_1\", \"list\": [], \"n\": [1, 2.50]}" },
    { OPS_JSON_TWO, BODY },
};

CLAIM(json_shape__every_shape_can_be_made_of_every_other)
{
    for (size_t from = 0; from < SL_COUNT(shapes); from++) {
        for (size_t to = 0; to < SL_COUNT(shapes); to++) {
            SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
            sl_buf_init(&out, 4096);
            CU_ASSERT_TRUE(ops_json_reshape(sl_span_of(shapes[from].text), shapes[to].shape, &out));
            CU_ASSERT_STRING_EQUAL(out.data, shapes[to].text);
        }
    }
}

CLAIM(json_shape__leaves_strings_alone_and_ends_on_any_input)
{
    static const struct {
        const char *text;
        const char *compact;
    } rows[] = {
        { "{ \"a b\\\" , : {\" : \" [ ] \" }", "{\"a b\\\" , : {\":\" [ ] \"}" },
        { "\"open", "\"open" },
        { "\"open\\", "\"open\\" },
        { "]]}}", "]]}}" },
        { "[[[[", "[[[[" },
        { "[ ]", "[]" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
        sl_buf_init(&out, 4096);
        CU_ASSERT_TRUE(ops_json_reshape(sl_span_of(rows[i].text), OPS_JSON_COMPACT, &out));
        CU_ASSERT_STRING_EQUAL(out.data, rows[i].compact);
        sl_buf_reset(&out);
        CU_ASSERT_TRUE(ops_json_reshape(sl_span_of(rows[i].text), OPS_JSON_TWO_LOOSE, &out));
    }
}
