#include "shared/buf.h"

#include "tests/support/claims.h"

CLAIM(buf__never_passes_its_ceiling_and_stays_failed_until_reset)
{
    static const size_t ceilings[] = { 1, 10, 255, 256, 257, 1000 };
    for (size_t i = 0; i < SL_COUNT(ceilings); i++) {
        SL_DONE(sl_buf_done) struct sl_buf buf;
        sl_buf_init(&buf, ceilings[i]);
        for (size_t j = 0; j < ceilings[i]; j++) {
            CU_ASSERT(sl_buf_append_char(&buf, 'x') && buf.data[buf.used_bytes] == '\0');
        }
        CU_ASSERT(sl_buf_append(&buf, NULL, 0) && sl_buf_ok(&buf));
        CU_ASSERT(!sl_buf_append_char(&buf, 'y') && !sl_buf_ok(&buf));
        CU_ASSERT(buf.used_bytes == ceilings[i]);
        CU_ASSERT(!sl_buf_append(&buf, NULL, 0));
        sl_buf_reset(&buf);
        CU_ASSERT(sl_buf_ok(&buf) && buf.used_bytes == 0 && buf.data[0] == '\0');
        CU_ASSERT(sl_buf_append_text(&buf, "z") && sl_span_is(sl_buf_span(&buf), "z"));
    }
}

CLAIM(buf__a_refused_append_changes_nothing)
{
    SL_DONE(sl_buf_done) struct sl_buf buf;
    sl_buf_init(&buf, 8);
    CU_ASSERT(sl_buf_append_text(&buf, "12345"));
    CU_ASSERT(!sl_buf_append_text(&buf, "6789"));
    CU_ASSERT(!sl_buf_append_text(&buf, "6") && sl_span_is(sl_buf_span(&buf), "12345"));
    sl_buf_reset(&buf);
    CU_ASSERT(sl_buf_append_text(&buf, "12345") && !sl_buf_printf(&buf, "%d", 6789));
    CU_ASSERT(sl_span_is(sl_buf_span(&buf), "12345") && !sl_buf_ok(&buf));
    sl_buf_reset(&buf);
    CU_ASSERT(sl_buf_reserve(&buf, 9) == NULL && !sl_buf_ok(&buf));
    sl_buf_reset(&buf);
    CU_ASSERT(sl_buf_reserve(&buf, (size_t)-1) == NULL);
}

CLAIM(buf__append_print_and_reserve_keep_the_order)
{
    SL_DONE(sl_buf_done) struct sl_buf buf;
    sl_buf_init(&buf, 4096);
    CU_ASSERT(sl_span_is(sl_buf_span(&buf), "") && buf.data == NULL);
    sl_buf_append_text(&buf, "one ");
    sl_buf_printf(&buf, "%s %d ", "two", 3);
    char *room = sl_buf_reserve(&buf, 1000);
    CU_ASSERT_FATAL(room != NULL);
    memcpy(room, "four", 4);
    sl_buf_commit(&buf, 4);
    CU_ASSERT(sl_span_is(sl_buf_span(&buf), "one two 3 four"));
    CU_ASSERT(strlen(buf.data) == buf.used_bytes);
    sl_buf_reset(&buf);
    CU_ASSERT(buf.used_bytes == 0 && sl_buf_append_span(&buf, sl_span_of("again")));
    CU_ASSERT(sl_span_is(sl_buf_span(&buf), "again"));
}

CLAIM(buf__storage_that_was_never_initialised_takes_nothing)
{
    struct sl_buf zeroed = { 0 };
    CU_ASSERT(!sl_buf_append_char(&zeroed, 'x'));
    sl_buf_done(&zeroed);
    sl_buf_done(&zeroed);
}
