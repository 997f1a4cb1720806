#include "shared/base64.h"

#include "tests/support/claims.h"

/* RFC 4648 section 10. */
static const struct {
    const char *bytes;
    const char *text;
} rows[] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
    { "\xfb\xff", "+/8=" },
};

CLAIM(base64__writes_and_reads_the_vectors_of_the_standard)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        char text[16];
        uint8_t bytes[8];
        size_t count = 99;
        size_t length = strlen(rows[i].bytes);
        sl_base64_encode((const uint8_t *)rows[i].bytes, length, text);
        CU_ASSERT_STRING_EQUAL(text, rows[i].text);
        CU_ASSERT_FATAL(sl_base64_decode(sl_span_of(rows[i].text), bytes, sizeof bytes, &count));
        CU_ASSERT_EQUAL(count, length);
        CU_ASSERT_EQUAL(memcmp(bytes, rows[i].bytes, length), 0);
    }
}

CLAIM(base64__reads_nothing_that_has_a_second_spelling)
{
    static const char *const texts[] = { "Zg",   "Zg=",      "Zg===",   "Zh==",   "Zm9=",
                                         "Z===", "====",     "Zm 9v",   "Zm9v\n", "Zm9-",
                                         "Zm9_", "Zg==Zg==", "=Zm9v===" };
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        uint8_t bytes[8];
        size_t count = 0;
        CU_ASSERT_FALSE(sl_base64_decode(sl_span_of(texts[i]), bytes, sizeof bytes, &count));
    }
}

CLAIM(base64__never_writes_behind_its_room)
{
    uint8_t bytes[3] = { 7, 7, 7 };
    size_t count = 0;
    CU_ASSERT_FALSE(sl_base64_decode(SL_SPAN_LITERAL("Zm9v"), bytes, 2, &count));
    CU_ASSERT_EQUAL(bytes[2], 7);
}
