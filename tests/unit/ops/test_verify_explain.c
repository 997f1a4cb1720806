#include "ops/verify_explain.h"

#include <stdio.h>

#include "ops/json_shape.h"
#include "tests/support/claims.h"

#define SECRET "whsec_c2x1aWNlLXNhbXBsZS1zZWNyZXQtMDE="
#define BODY   "{\n  \"id\": \"evt_1\",\n  \"list\": [],\n  \"n\": [\n    1,\n    2.50\n  ]\n}"
#define NOW_S  1790000000

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
    struct sl_span secrets[] = { sl_span_of("another_secret_that_is_not_it"), sl_span_of(secret) };
    CU_ASSERT_TRUE(
        ops_verify_explain(secrets, 2, sl_span_of(header), sl_span_of(body), &why, &err));
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
    const char *header;
    const char *said;
} headers[] = {
    { "", "no Stripe-Signature header" },
    { "v1,abcd=", "Standard Webhooks" },
    { "sha256=00", "GitHub" },
    { "Stripe-Signature: t=1,v1=00", "header's name" },
    { "v1=00", "no time" },
    { "t=1,t=2,v1=00", "more than one time" },
    { "t=1790000000123,v1=00", "milliseconds" },
    { "t=soon,v1=00", "not a number" },
    { "t=1,v0=00", "no v1 signature" },
};

CLAIM(verify_explain__says_what_is_wrong_with_a_header)
{
    for (size_t i = 0; i < SL_COUNT(headers); i++) {
        const char *said = ops_verify_header_fault(sl_span_of(headers[i].header));
        CU_ASSERT_PTR_NOT_NULL(strstr(said, headers[i].said));
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
