#include "shared/http/form.h"

#include "tests/support/claims.h"

CLAIM(form__names_keep_their_brackets_and_everything_else_is_escaped)
{
    SL_DONE(sl_buf_done) struct sl_buf form = { 0 };
    sl_buf_init(&form, 1024);
    sl_form_put_int(&form, "created[gte]", 1700000000);
    sl_form_put(&form, "email", SL_SPAN_LITERAL("a+b@example.com"));
    sl_form_put(&form, "metadata[a b]", SL_SPAN_LITERAL("\xc3\xbc [x]&=%"));
    sl_form_put(&form, "empty", SL_SPAN_LITERAL(""));
    CU_ASSERT_STRING_EQUAL(sl_buf_span(&form).data,
                           "created[gte]=1700000000&email=a%2Bb%40example.com&metadata[a%20b]="
                           "%C3%BC%20%5Bx%5D%26%3D%25&empty=");
}

CLAIM(form__a_segment_of_a_path_cannot_leave_it)
{
    SL_DONE(sl_buf_done) struct sl_buf path = { 0 };
    sl_buf_init(&path, 1024);
    sl_form_escape(&path, SL_SPAN_LITERAL("../cus_1?x#y"));
    CU_ASSERT_STRING_EQUAL(sl_buf_span(&path).data, "..%2Fcus_1%3Fx%23y");
}

CLAIM(form__what_does_not_fit_fails_the_buffer)
{
    SL_DONE(sl_buf_done) struct sl_buf form = { 0 };
    sl_buf_init(&form, 8);
    sl_form_put(&form, "name", SL_SPAN_LITERAL("longer"));
    CU_ASSERT_FALSE(sl_buf_ok(&form));
}

CLAIM(form__a_query_is_read_pair_by_pair)
{
    struct sl_span rest = SL_SPAN_LITERAL("limit=3&&created%5Bgte%5D=1&flag&=x&a=b=c");
    static const char *const want[][2] = {
        { "limit", "3" }, { "created%5Bgte%5D", "1" }, { "flag", NULL }, { "", "x" },
        { "a", "b=c" },
    };
    struct sl_span name = { 0 };
    struct sl_span value = { 0 };
    for (size_t i = 0; i < SL_COUNT(want); i++) {
        CU_ASSERT_FATAL(sl_form_next(&rest, &name, &value));
        CU_ASSERT(sl_span_is(name, want[i][0]));
        CU_ASSERT(want[i][1] == NULL ? value.data == NULL : sl_span_is(value, want[i][1]));
    }
    CU_ASSERT_FALSE(sl_form_next(&rest, &name, &value));
}

CLAIM(form__what_cannot_be_decoded_is_refused_and_never_cut)
{
    char out[8];
    CU_ASSERT(sl_form_decode(SL_SPAN_LITERAL("a+b%2Bc"), out, sizeof out));
    CU_ASSERT_STRING_EQUAL(out, "a b+c");
    CU_ASSERT(sl_form_decode(SL_SPAN_LITERAL("%c3%BC"), out, sizeof out));
    CU_ASSERT_STRING_EQUAL(out, "\xc3\xbc");
    CU_ASSERT(sl_form_decode(SL_SPAN_LITERAL("1234567"), out, sizeof out));
    static const char *const wrong[] = { "%", "%4", "%zz", "a%", "%00", "12345678" };
    for (size_t i = 0; i < SL_COUNT(wrong); i++) {
        CU_ASSERT_FALSE(sl_form_decode(sl_span_of(wrong[i]), out, sizeof out));
        CU_ASSERT_STRING_EQUAL(out, "");
    }
}
