#include "shared/amqp/amqp_table.h"

#include "shared/buf.h"
#include "tests/support/claims.h"

/* Appends what was written since `from` as a table or array: puts its length in front. */
static void wrap(struct sl_buf *buf, const char *prefix)
{
    struct sl_buf whole;
    sl_buf_init(&whole, buf->bytes_max);
    size_t bytes = buf->used_bytes;
    sl_buf_append_text(&whole, prefix);
    const char length[] = { (char)(bytes >> 24), (char)(bytes >> 16), (char)(bytes >> 8),
                            (char)bytes };
    sl_buf_append(&whole, length, sizeof length);
    sl_buf_append_span(&whole, sl_buf_span(buf));
    sl_buf_done(buf);
    *buf = whole;
}

static bool is_sound(const void *bytes, size_t count)
{
    return sl_amqp_table_is_sound(sl_span_make(bytes, count));
}

CLAIM(amqp_table__every_field_type_is_walked_and_every_cut_is_noticed)
{
    static const char entries[] = "\1at\1"
                                  "\1bb\2"
                                  "\1cB\3"
                                  "\1ds\0\1"
                                  "\1eu\0\1"
                                  "\1fI\0\0\0\1"
                                  "\1gi\0\0\0\1"
                                  "\1hl\0\0\0\0\0\0\0\1"
                                  "\1iL\0\0\0\0\0\0\0\1"
                                  "\1jf\0\0\0\0"
                                  "\1kd\0\0\0\0\0\0\0\0"
                                  "\1lD\0\0\0\0\1"
                                  "\1mS\0\0\0\3abc"
                                  "\1nx\0\0\0\0"
                                  "\1oT\0\0\0\0\0\0\0\1"
                                  "\1pV"
                                  "\1qA\0\0\0\7t\1S\0\0\0\0"
                                  "\1rF\0\0\0\0";
    SL_DONE(sl_buf_done) struct sl_buf buf;
    sl_buf_init(&buf, 4096);
    sl_buf_append(&buf, entries, sizeof entries - 1);
    wrap(&buf, "");
    CU_ASSERT(is_sound(buf.data, buf.used_bytes));
    for (size_t cut = 0; cut < buf.used_bytes; cut++) {
        CU_ASSERT(!is_sound(buf.data, cut));
    }
    sl_buf_append_text(&buf, "what follows is not part of it");
    CU_ASSERT(is_sound(buf.data, buf.used_bytes));
}

CLAIM(amqp_table__every_wrong_length_or_type_byte_ends_in_an_answer)
{
    static const char good[] = "\0\0\0\31"
                               "\1mS\0\0\0\3abc"
                               "\1rF\0\0\0\10\1qA\0\0\0\1V";
    CU_ASSERT(is_sound(good, sizeof good - 1));
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char bad[sizeof good - 1];
            memcpy(bad, good, sizeof bad);
            bad[at] = (char)byte;
            (void)is_sound(bad, sizeof bad); /* the sanitizers watch */
        }
    }
    CU_ASSERT(!is_sound("\0\0\0\3\1aZ", 7));
    CU_ASSERT(!is_sound("\0\0\0\2\1a", 6));
    CU_ASSERT(!is_sound("\377\377\377\377", 4));
}

CLAIM(amqp_table__nesting_has_an_end)
{
    for (unsigned depth = 1; depth <= 2 * SL_AMQP_TABLE_DEPTH_MAX; depth++) {
        SL_DONE(sl_buf_done) struct sl_buf buf;
        sl_buf_init(&buf, 65536);
        for (unsigned i = 1; i < depth; i++) {
            wrap(&buf, i % 2 == 0 ? "\1a"
                                    "F"
                                  : "\1b"
                                    "F");
        }
        wrap(&buf, "");
        CU_ASSERT(is_sound(buf.data, buf.used_bytes) == (depth <= SL_AMQP_TABLE_DEPTH_MAX));
    }
}

CLAIM(amqp_table__twenty_thousand_nested_arrays_need_no_stack)
{
    enum { LEVELS = 20000, LEVEL_BYTES = 5 };
    SL_DONE(sl_buf_done) struct sl_buf buf;
    sl_buf_init(&buf, 1 << 20);
    for (unsigned i = 0; i < LEVELS; i++) {
        unsigned inside = (LEVELS - i - 1) * LEVEL_BYTES;
        const char level[] = { 'A', (char)(inside >> 24), (char)(inside >> 16), (char)(inside >> 8),
                               (char)inside };
        if (i == 0) {
            unsigned all = 2 + LEVELS * LEVEL_BYTES;
            const char head[] = {
                (char)(all >> 24), (char)(all >> 16), (char)(all >> 8), (char)all, 1, 'a'
            };
            sl_buf_append(&buf, head, sizeof head);
        }
        sl_buf_append(&buf, level, sizeof level);
    }
    CU_ASSERT(!is_sound(buf.data, buf.used_bytes));
}
