#include "shared/form.h"

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
