#include "consumer/fingerprint.h"
#include "consumer/text.h"
#include "tests/support/claims.h"

static void check(struct sl_span text, size_t bytes_max, const char *expected)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 4096);
    struct sl_span clean = con_text_clean(&arena, text, bytes_max);
    CU_ASSERT_TRUE(sl_span_is(clean, expected));
}

CLAIM(text__good_text_stays_as_it_is)
{
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 4096);
    struct sl_span text = SL_SPAN_LITERAL("caf\xC3\xA9");
    CU_ASSERT_PTR_EQUAL(con_text_clean(&arena, text, 100).data, text.data);
    CU_ASSERT_PTR_NULL(con_text_clean(&arena, (struct sl_span){ 0 }, 100).data);
}

CLAIM(text__what_postgres_cannot_hold_is_replaced)
{
    check(SL_SPAN_LITERAL("a\0b"), 100,
          "a\xEF\xBF\xBD"
          "b");
    check(SL_SPAN_LITERAL("\xff\xfe"), 100, "\xEF\xBF\xBD\xEF\xBF\xBD");
    check(SL_SPAN_LITERAL("\xED\xA0\x80x"), 100, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx");
    check(SL_SPAN_LITERAL(""), 100, "");
}

CLAIM(text__a_cut_never_splits_a_character)
{
    check(SL_SPAN_LITERAL("ab\xC3\xA9"), 4, "ab\xC3\xA9");
    check(SL_SPAN_LITERAL("ab\xC3\xA9"), 3, "ab");
    check(SL_SPAN_LITERAL("\xF0\x9F\x98\x80"), 3, "");
    check(SL_SPAN_LITERAL("\xff\xff\xff"), 3, "\xEF\xBF\xBD");
}

static bool same(const char *a, const char *b)
{
    char one[CON_FINGERPRINT_BYTES];
    char two[CON_FINGERPRINT_BYTES];
    struct sl_span word = SL_SPAN_LITERAL("x");
    con_fingerprint(word, word, word, sl_span_of(a), one);
    con_fingerprint(word, word, word, sl_span_of(b), two);
    return strcmp(one, two) == 0;
}

CLAIM(fingerprint__what_differs_from_event_to_event_does_not_count)
{
    CU_ASSERT_TRUE(same("value 123 is out of range", "value 99 is out of range"));
    CU_ASSERT_TRUE(same("no customer cus_A1b2 here", "no customer cus_Zz9 here"));
    CU_ASSERT_TRUE(same("bad value \"a b\"", "bad value \"c\""));
    CU_ASSERT_FALSE(same("too long", "too short"));
    CU_ASSERT_FALSE(same("unclosed \"a", "unclosed \"b"));
}

CLAIM(fingerprint__each_part_counts)
{
    char one[CON_FINGERPRINT_BYTES];
    char two[CON_FINGERPRINT_BYTES];
    struct sl_span a = SL_SPAN_LITERAL("a");
    struct sl_span none = SL_SPAN_LITERAL("");
    con_fingerprint(a, none, none, none, one);
    con_fingerprint(none, a, none, none, two);
    CU_ASSERT_STRING_NOT_EQUAL(one, two);
    CU_ASSERT_EQUAL(strlen(one), 16);
}
