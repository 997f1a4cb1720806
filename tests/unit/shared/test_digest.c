#include "shared/digest.h"

#include <stdlib.h>

#include "tests/support/claims.h"

static bool is_hex(const uint8_t *data, const char *expected)
{
    char text[SL_SHA256_HEX_BYTES];
    sl_hex_encode(data, SL_SHA256_BYTES, text);
    return strcmp(text, expected) == 0;
}

CLAIM(digest__hmac_gives_the_vectors_of_rfc_4231)
{
    static char aa131[131];
    memset(aa131, 0xaa, sizeof aa131);
    const struct {
        struct sl_span secret;
        struct sl_span data;
        const char *mac;
    } rows[] = {
        { SL_SPAN_LITERAL(
              "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
          SL_SPAN_LITERAL("Hi There"),
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { SL_SPAN_LITERAL("Jefe"), SL_SPAN_LITERAL("what do ya want for nothing?"),
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { sl_span_make(aa131, sizeof aa131),
          SL_SPAN_LITERAL("Test Using Larger Than Block-Size Key - Hash Key First"),
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        { SL_SPAN_LITERAL(""), SL_SPAN_LITERAL(""),
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_AUTO(sl_hmac_key_free) struct sl_hmac_key *key = sl_hmac_key_new(rows[i].secret, NULL);
        CU_ASSERT_FATAL(key != NULL);
        uint8_t mac[SL_SHA256_BYTES];
        CU_ASSERT(sl_hmac_sha256(key, &rows[i].data, 1, mac) && is_hex(mac, rows[i].mac));
    }
}

CLAIM(digest__a_key_is_used_again_and_parts_are_one_message)
{
    SL_AUTO(sl_hmac_key_free)
    struct sl_hmac_key *key = sl_hmac_key_new(SL_SPAN_LITERAL("Jefe"), NULL);
    const struct sl_span parts[] = { SL_SPAN_LITERAL("what do ya "),
                                     { NULL, 0 },
                                     SL_SPAN_LITERAL("want for nothing?") };
    uint8_t mac[SL_SHA256_BYTES];
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT(sl_hmac_sha256(key, parts, SL_COUNT(parts), mac));
        CU_ASSERT(is_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
        CU_ASSERT(sl_hmac_sha256(key, parts, 1, mac));
    }
    CU_ASSERT(sl_hmac_sha256(key, NULL, 0, mac));
    CU_ASSERT(is_hex(mac, "923598ca6d64af2a5dba79dcd021a8a0fe5c5f557519adaaf0ad532d4506dd30"));
}

CLAIM(digest__sha256_gives_the_known_hashes)
{
    uint8_t hash[SL_SHA256_BYTES];
    CU_ASSERT(sl_sha256(SL_SPAN_LITERAL("abc"), hash));
    CU_ASSERT(is_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    CU_ASSERT(sl_sha256((struct sl_span){ NULL, 0 }, hash));
    CU_ASSERT(is_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

CLAIM(digest__random_bytes_differ_and_comparison_sees_one_bit)
{
    uint8_t a[32] = { 0 };
    uint8_t b[32] = { 0 };
    CU_ASSERT(sl_random_bytes(a, sizeof a) && sl_random_bytes(b, sizeof b));
    CU_ASSERT(!sl_equal_constant_time(a, b, sizeof a));
    memcpy(b, a, sizeof a);
    CU_ASSERT(sl_equal_constant_time(a, b, sizeof a));
    b[31] ^= 1u;
    CU_ASSERT(!sl_equal_constant_time(a, b, sizeof a));
    CU_ASSERT(sl_equal_constant_time(a, b, 31) && sl_equal_constant_time(a, b, 0));
}

CLAIM(digest__hex_takes_both_cases_and_exactly_its_length)
{
    static const struct {
        const char *text;
        bool is_valid;
    } rows[] = {
        { "00ff7Fa0", true }, { "00FF7fA0", true },  { "00ff7fa", false },  { "00ff7fa00", false },
        { "", false },        { "00ff7fg0", false }, { "0x0ff7fa", false }, { " 0ff7fa0", false },
    };
    static const uint8_t expected[] = { 0x00, 0xff, 0x7f, 0xa0 };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        uint8_t data[4] = { 1, 2, 3, 4 };
        CU_ASSERT(sl_hex_decode(sl_span_of(rows[i].text), data, sizeof data) == rows[i].is_valid);
        CU_ASSERT((memcmp(data, expected, sizeof data) == 0) == rows[i].is_valid);
        CU_ASSERT(rows[i].is_valid || data[0] == 1);
    }
    char text[9];
    sl_hex_encode(expected, sizeof expected, text);
    CU_ASSERT_STRING_EQUAL(text, "00ff7fa0");
}
