/*
 * The conformance suite: the vectors of the official libraries, and what we do where those libraries disagree.
 */
#include "shared/signature/stripe_signature.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "tests/support/claims.h"

#define S     "whsec_test_secret"
#define B     "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}"
#define X10   "xxxxxxxxxx"
#define T     1700000000
#define T_TXT "1700000000"

#define SIG1  "4f1cd7feda9826e746b7d482c4badebb657398df1099e1046364f6196a230150"
#define SIG2  "2672d138c9a412830f3bfe2ecc5bfb3277cf6f5b49d0119d77dd6cb64da1257e"
#define SIG3  "dc80d0334b78e0dbbc3d5352c151a428b746163b94ad381096bb293b9e650f1e"
#define SIG4  "316b9ab98c15bfa039d243f3196acee619cf29749a91a634e6a8154e2f7b6727"
#define SIG5  "d3c4aa0a1a511b40677c569aa6fe7b4be56341c01e8cb0a8a41f84d64daf520b"
#define SIG6  "9699643a59d7f944696bac7db1885c77c2607a27eefd28f0017a966ac1f247d8"
#define SIG7  "7715d679f9ef7de40854945eff829ce0126c9e5c26cc7792d6917dda9eaa30b5"
#define SIG8  "d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990"
#define SIG9  "6971f696daa41c875ba36135c4ee0244a408129b0cfecba8afc63709f07b91bf"
#define SIG10 "78373c6d56f733a964b810b79fd68da6dcc5f9fb1070ceae7dbb1d12e6518a85"
#define SIG11 "3b49d64c28e28214155d88a67006f534650d59b6f10ec0465b1cb8ea10528e73"
#define SIG12 "be8093bd85eb247c1dc8912be4c1d031b290bbdf2ccf27a890ca5f1c926878a6"
#define SIG13 "f9858aaf73789955262209ac3c5560dcd097fd224df24dbf814e96e68d5386af"
#define SIG14 "9753c5b2f646419d395e4024b84d29a179493d1bbaa1bc1b384aefacde13738b"
#define SIG15 "58e943a9bb566f038bfe2e23f228e43d27faf490c6be8eebda0986ee75526575"
#define SIG16 "81d2dbbf6b6f7a35b1aad135f5871c81c7ac8e13f5c55b0236c9dcb3dbeb94ea"
#define SIG17 "f51cb471b499dfae7485cba9aa31df6549b8e098e60f2a2d2a42829d963fe5a4"
#define SIG18 "c55b32a3b39f5959eacdb0abd9c2bfe761ae9550517ecd83463b74870c223200"
#define SIG19 "3c0f289005176e05613efdae3d5b8be870e340983aa1a01ff14a350a0d23bbc0"
#define SIG20 "4904c8ed972cb95e5fe2512957977c97ebac64c7b34df59c36394b020a2d1596"
#define SIG21 "64b0aaebba092db4a5193dabfa5c8647ff204aac622ce2f48b876eb604235d83"

/* A header around signature entries, as Stripe writes it. */
#define H(rest)  "t=" T_TXT "," rest
#define UPPER_V1 "4F1CD7FEDA9826E746B7D482C4BADEBB657398DF1099E1046364F6196A230150"
#define BODY(txt)                                                                                  \
    {                                                                                              \
        (txt), sizeof(txt) - 1                                                                     \
    }

static const struct sl_span body_b = BODY(B);
static const struct sl_span secret_s = BODY(S);
static const struct sl_span secret_rolled = BODY(S "_rolled_key");

static enum sl_signature_verdict verify_by(const struct sl_span *secrets, size_t count,
                                           struct sl_span header, struct sl_span body,
                                           int64_t now_s, int64_t tolerance_s, size_t *out_key)
{
    struct sl_hmac_key *keys[SL_STRIPE_SECRETS_MAX] = { 0 };
    for (size_t i = 0; i < count; i++) {
        keys[i] = sl_hmac_key_new(secrets[i], NULL);
        CU_ASSERT_FATAL(keys[i] != NULL);
    }
    struct sl_stripe_check check = {
        .keys = keys, .key_count = count, .now_s = now_s, .tolerance_s = tolerance_s
    };
    enum sl_signature_verdict verdict = sl_stripe_verify(&check, header, body, out_key);
    for (size_t i = 0; i < count; i++) {
        sl_hmac_key_free(keys[i]);
    }
    return verdict;
}

static enum sl_signature_verdict verify(const char *header, struct sl_span body)
{
    return verify_by(&secret_s, 1, sl_span_of(header), body, T + 10, 300, NULL);
}

static enum sl_signature_verdict verify_at(const char *header, int64_t now_s, int64_t tolerance_s)
{
    return verify_by(&secret_s, 1, sl_span_of(header), body_b, now_s, tolerance_s, NULL);
}

CLAIM(stripe_signature__signs_the_vectors_v1_to_v21)
{
    char *megabyte = malloc(1024u * 1024u);
    memset(megabyte, 'a', 1024u * 1024u);
    const struct {
        const char *time;
        struct sl_span body;
        struct sl_span secret;
        const char *signature;
    } rows[] = {
        { T_TXT, body_b, secret_s, SIG1 },
        { "12345", body_b, secret_s, SIG2 },
        { T_TXT, body_b, secret_rolled, SIG3 },
        { T_TXT, BODY(""), secret_s, SIG4 },
        { T_TXT, BODY(B "\n"), secret_s, SIG5 },
        { T_TXT, BODY("{\r\n  \"id\": \"evt_test_webhook\",\r\n  \"object\": \"event\"\r\n}"),
          secret_s, SIG6 },
        { T_TXT, BODY("\xEF\xBB\xBF" B), secret_s, SIG7 },
        { T_TXT, BODY("{\"id\":\"evt_test_webhook\",\"object\":\"event\"}"), secret_s, SIG8 },
        { T_TXT, BODY("{\"id\":\"evt_x\",\"object\":\"event\",\"n\":\"\xFF\"}"), secret_s, SIG9 },
        { T_TXT, BODY("{\"id\":\"evt_x\",\"object\":\"event\",\"n\":\"a\0b\"}"), secret_s, SIG10 },
        { T_TXT,
          BODY("{\"id\":\"evt_x\",\"object\":\"event\",\"name\":\"Zo\xC3\xAB \xF0\x9F\x8E\x89\"}"),
          secret_s, SIG11 },
        { T_TXT, { megabyte, 1024u * 1024u }, secret_s, SIG12 },
        { T_TXT, body_b, BODY("whsec_" X10 X10 X10 X10 X10 X10 X10 X10 X10 "xxxx"), SIG13 },
        { T_TXT, body_b, BODY(S "\n"), SIG14 },
        { T_TXT, body_b, BODY(" " S), SIG15 },
        { T_TXT, body_b, BODY("test_secret"), SIG16 },
        { T_TXT, BODY("} I am not valid JSON; 123]["), secret_s, SIG17 },
        { T_TXT, BODY("{\"id\":\"evt_test_webhook\",\"object\":\"v2.core.event\"}"), secret_s,
          SIG18 },
        { "-5", body_b, secret_s, SIG19 },
        { "01700000000", body_b, secret_s, SIG20 },
        { "99999999999999999999", body_b, secret_s, SIG21 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_AUTO(sl_hmac_key_free) struct sl_hmac_key *key = sl_hmac_key_new(rows[i].secret, NULL);
        const struct sl_span parts[] = { sl_span_of(rows[i].time), SL_SPAN_LITERAL("."),
                                         rows[i].body };
        uint8_t mac[SL_SHA256_BYTES];
        char hex[SL_SHA256_HEX_BYTES];
        CU_ASSERT(sl_hmac_sha256(key, parts, 3, mac));
        sl_hex_encode(mac, sizeof mac, hex);
        CU_ASSERT_STRING_EQUAL(hex, rows[i].signature);

        char header[128];
        char signed_header[SL_STRIPE_HEADER_BYTES];
        snprintf(header, sizeof header, "t=%s,v1=%s", rows[i].time, rows[i].signature);
        int64_t at_s = strtoll(rows[i].time, NULL, 10);
        bool is_canonical = rows[i].time[0] != '0' && strlen(rows[i].time) < 19;
        CU_ASSERT(sl_stripe_sign(key, at_s, rows[i].body, signed_header));
        CU_ASSERT((strcmp(header, signed_header) == 0) == is_canonical);
        bool is_accepted = is_canonical && at_s >= 0;
        CU_ASSERT(verify_by(&rows[i].secret, 1, sl_span_of(header), rows[i].body, at_s + 10, 300,
                            NULL) == (is_accepted ? SL_SIGNATURE_VALID : SL_SIGNATURE_MALFORMED));
    }
    free(megabyte);
}

CLAIM(stripe_signature__agrees_with_the_official_libraries)
{
    static const struct {
        const char *header;
        enum sl_signature_verdict verdict;
    } rows[] = {
        { H("v1=" SIG1), SL_SIGNATURE_VALID },
        { "bad_header", SL_SIGNATURE_MALFORMED },
        { "I'm not even a real signature header", SL_SIGNATURE_MALFORMED },
        { "v1,t=1", SL_SIGNATURE_MALFORMED },
        { "t=", SL_SIGNATURE_MALFORMED },
        { "", SL_SIGNATURE_MISSING },
        { " \t", SL_SIGNATURE_MISSING },
        { NULL, SL_SIGNATURE_MISSING },
        { H("v0=" SIG1), SL_SIGNATURE_MALFORMED },
        { H("v1=bad_signature"), SL_SIGNATURE_MISMATCH },
        { H("v1=deadbeef"), SL_SIGNATURE_MISMATCH },
        { H("v1=" SIG1 ",v1=bad_signature"), SL_SIGNATURE_VALID },
        { H("v1=" SIG1 ",v1=potato"), SL_SIGNATURE_VALID },
        { H("v1=potato,v1=" SIG1), SL_SIGNATURE_VALID },
        { H("v1=" SIG2), SL_SIGNATURE_MISMATCH },
        { H("v1=" SIG14), SL_SIGNATURE_MISMATCH },
        { H("v1=" SIG15), SL_SIGNATURE_MISMATCH },
        { H("v1=" SIG16), SL_SIGNATURE_MISMATCH },
        /* two headers, joined as HTTP joins them */
        { H("v1=" SIG1 ", " H("v1=" SIG1)), SL_SIGNATURE_MALFORMED },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(verify(rows[i].header, body_b), rows[i].verdict);
    }
}

CLAIM(stripe_signature__decides_where_the_official_libraries_disagree)
{
    static const struct {
        const char *header;
        enum sl_signature_verdict verdict;
    } rows[] = {
        { H("v1=" UPPER_V1), SL_SIGNATURE_VALID },
        { H(" v1=" SIG1), SL_SIGNATURE_VALID },
        { H("\t v1=" SIG1), SL_SIGNATURE_VALID },
        { "v1=" SIG1 ",t=" T_TXT, SL_SIGNATURE_VALID },
        { H("v1=" SIG1 ",t=1700000001"), SL_SIGNATURE_MALFORMED },
        { "t=1700000001," H("v1=" SIG1), SL_SIGNATURE_MALFORMED },
        { H(H("v1=" SIG1)), SL_SIGNATURE_MALFORMED },
        { "t=1700000000abc,v1=" SIG1, SL_SIGNATURE_MALFORMED },
        { "t=+1700000000,v1=" SIG1, SL_SIGNATURE_MALFORMED },
        { "t=01700000000,v1=" SIG1, SL_SIGNATURE_MALFORMED },
        { "t=01700000000,v1=" SIG20, SL_SIGNATURE_MALFORMED },
        { "t=1700000000.0,v1=" SIG1, SL_SIGNATURE_MALFORMED },
        { "t= 1700000000,v1=" SIG1, SL_SIGNATURE_MALFORMED },
        { "t=-5,v1=" SIG19, SL_SIGNATURE_MALFORMED },
        { "t=99999999999999999999,v1=" SIG21, SL_SIGNATURE_MALFORMED },
        { "t=1700000000000,v1=" SIG1, SL_SIGNATURE_MALFORMED },
        { H("v1=4f1cd7feda9826e746b7d482c4badebb657398df1099e1046364f6196a2301"),
          SL_SIGNATURE_MISMATCH },
        { H("v1=" SIG1 "50"), SL_SIGNATURE_MISMATCH },
        { H("v1="), SL_SIGNATURE_MISMATCH },
        { H("v1=" SIG1 "="), SL_SIGNATURE_MISMATCH },
        { H("v1=" SIG1 "=,v1=" SIG1), SL_SIGNATURE_VALID },
        { H("v1=" SIG1 ","), SL_SIGNATURE_VALID },
        { H("v2=" SIG1 ",foo=bar,v1=" SIG1), SL_SIGNATURE_VALID },
        { "T=" T_TXT ",v1=" SIG1, SL_SIGNATURE_MALFORMED },
        { H("V1=" SIG1), SL_SIGNATURE_MALFORMED },
        { "v1=" SIG1, SL_SIGNATURE_MALFORMED },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(verify(rows[i].header, body_b), rows[i].verdict);
    }
    static const struct sl_span with_space = BODY(B " ");
    CU_ASSERT_EQUAL(verify(H("v1=" SIG1), with_space), SL_SIGNATURE_MISMATCH);
}

CLAIM(stripe_signature__age_counts_in_both_directions)
{
    static const struct {
        const char *header;
        int64_t now_s;
        int64_t tolerance_s;
        enum sl_signature_verdict verdict;
    } rows[] = {
        { H("v1=" SIG1), T + 15, 10, SL_SIGNATURE_STALE },
        { H("v1=" SIG1), T + 15, 20, SL_SIGNATURE_VALID },
        { H("v1=" SIG1), T + 9, 10, SL_SIGNATURE_VALID },
        { H("v1=" SIG1), T + 299, 300, SL_SIGNATURE_VALID },
        { H("v1=" SIG1), T + 300, 300, SL_SIGNATURE_VALID },
        { H("v1=" SIG1), T + 301, 300, SL_SIGNATURE_STALE },
        { H("v1=" SIG1), T - 300, 300, SL_SIGNATURE_VALID },
        { H("v1=" SIG1), T - 301, 300, SL_SIGNATURE_FUTURE },
        { H("v1=" SIG1), T - 31536000, 300, SL_SIGNATURE_FUTURE },
        { "t=12345,v1=" SIG2, 12345, 0, SL_SIGNATURE_VALID },
        { "t=12345,v1=" SIG2, T, 300, SL_SIGNATURE_STALE },
        /* not authentic comes before its age */
        { H("v1=" SIG2), T + 301, 300, SL_SIGNATURE_MISMATCH },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(verify_at(rows[i].header, rows[i].now_s, rows[i].tolerance_s),
                        rows[i].verdict);
    }
}

CLAIM(stripe_signature__a_rolled_secret_matches_by_either_entry)
{
    static const char both[] = H("v1=" SIG1 ",v1=" SIG3);
    const struct sl_span secrets[] = { BODY("another"), secret_rolled, secret_s };
    size_t key = 99;
    for (size_t first = 0; first < 3; first++) {
        size_t expected = first == 2 ? 0 : 1 - first;
        CU_ASSERT_EQUAL(
            verify_by(secrets + first, 3 - first, sl_span_of(both), body_b, T, 300, &key),
            SL_SIGNATURE_VALID);
        CU_ASSERT_EQUAL(key, expected);
    }
    key = 99;
    CU_ASSERT_EQUAL(verify_by(secrets, 1, sl_span_of(both), body_b, T, 300, &key),
                    SL_SIGNATURE_MISMATCH);
    CU_ASSERT_EQUAL(key, 99);
}

CLAIM(stripe_signature__the_header_is_bounded)
{
    SL_DONE(sl_buf_done) struct sl_buf header;
    sl_buf_init(&header, 8192);
    for (size_t bad_entries = 15; bad_entries <= 16; bad_entries++) {
        sl_buf_reset(&header);
        sl_buf_append_text(&header, "t=" T_TXT);
        for (size_t i = 0; i < bad_entries; i++) {
            sl_buf_append_text(&header, i % 2 == 0 ? ",v1=potato" : ",v1=" SIG2);
        }
        sl_buf_append_text(&header, ",v1=" SIG1);
        CU_ASSERT_EQUAL(verify(header.data, body_b),
                        bad_entries == 15 ? SL_SIGNATURE_VALID : SL_SIGNATURE_MALFORMED);
    }
    sl_buf_reset(&header);
    sl_buf_append_text(&header, H("v1=" SIG1));
    while (header.used_bytes < 4096) {
        sl_buf_append_char(&header, ',');
    }
    CU_ASSERT_EQUAL(verify(header.data, body_b), SL_SIGNATURE_VALID);
    sl_buf_append_char(&header, ',');
    CU_ASSERT_EQUAL(verify(header.data, body_b), SL_SIGNATURE_MALFORMED);
}

CLAIM(stripe_signature__unusable_secrets_are_objected_to_without_naming_them)
{
    static const struct {
        const char *secret;
        const char *objection; /* part of it; NULL: none */
    } rows[] = {
        { "whsec_abcdefgh0123456789ABCDEF", NULL },
        { "abcdefgh0123456789ABCDEF", NULL },
        { "whsec_1234567812345678123", NULL },
        { "", "empty" },
        { "whsec_short0123456789AB", "shorter" },
        { "whsec_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "placeholder" },
        { "whsec_1234567123456712345671234567", "placeholder" },
        { "whsec_abcdefgh0123456789ABCDEF\n", "white space" },
        { " whsec_abcdefgh0123456789ABCDEF", "white space" },
        { "whsec_abcdefgh 0123456789ABCDEF", "white space" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        const char *objection = sl_stripe_secret_objection(sl_span_of(rows[i].secret));
        CU_ASSERT((objection == NULL) == (rows[i].objection == NULL));
        CU_ASSERT(objection == NULL || rows[i].objection == NULL ||
                  strstr(objection, rows[i].objection) != NULL);
    }
    CU_ASSERT(sl_stripe_secret_objection((struct sl_span){ NULL, 0 }) != NULL);
}

CLAIM(stripe_signature__every_verdict_has_its_own_word)
{
    static const char *const words[] = { "valid",    "missing", "malformed",
                                         "mismatch", "stale",   "future" };
    for (size_t i = 0; i < SL_COUNT(words); i++) {
        CU_ASSERT_STRING_EQUAL(sl_signature_verdict_name((enum sl_signature_verdict)i), words[i]);
    }
}
