#include "shared/json/json_write.h"

#include <stdio.h>

#include "shared/json/json.h"
#include "tests/support/claims.h"

CLAIM(json_write__commas_and_nesting_are_the_writers_business)
{
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&out, 4096);
    struct sl_json_writer json = sl_json_writer_make(&out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "t", sl_span_of("x"));
    sl_json_put_text(&json, "absent", (struct sl_span){ NULL, 0 });
    sl_json_put_text(&json, "empty", sl_span_of(""));
    sl_json_put_int(&json, "least", INT64_MIN);
    sl_json_put_bool(&json, "yes", true);
    sl_json_put_null(&json, "nothing");
    sl_json_put_array(&json, "list");
    sl_json_array_begin(&json);
    sl_json_array_end(&json);
    sl_json_put_int(&json, NULL, 1);
    sl_json_object_begin(&json);
    sl_json_object_end(&json);
    sl_json_put_raw(&json, NULL, sl_span_of("[1.50]"));
    sl_json_array_end(&json);
    sl_json_put_object(&json, "map");
    sl_json_key(&json, sl_span_of("a\"b"));
    sl_json_put_bool(&json, NULL, false);
    sl_json_key(&json, sl_span_of("c"));
    sl_json_object_begin(&json);
    sl_json_object_end(&json);
    sl_json_object_end(&json);
    sl_json_put_int(&json, "last", 2);
    sl_json_object_end(&json);
    CU_ASSERT(sl_buf_ok(&out));
    CU_ASSERT_STRING_EQUAL(
        out.data, "{\"t\":\"x\",\"absent\":null,\"empty\":\"\",\"least\":-9223372036854775808,"
                  "\"yes\":true,\"nothing\":null,\"list\":[[],1,{},[1.50]],"
                  "\"map\":{\"a\\\"b\":false,\"c\":{}},\"last\":2}");
}

CLAIM(json_write__what_could_fool_a_reader_is_escaped_or_replaced)
{
    static const struct {
        struct sl_span text;
        const char *quoted;
    } rows[] = {
        { SL_SPAN_LITERAL("plain ~ text"), "\"plain ~ text\"" },
        { SL_SPAN_LITERAL("\"\\/"), "\"\\\"\\\\/\"" },
        { SL_SPAN_LITERAL("a\r\nb\tc"), "\"a\\r\\nb\\tc\"" },
        { SL_SPAN_LITERAL("\x1b[31mred\x07"), "\"\\u001b[31mred\\u0007\"" },
        { SL_SPAN_LITERAL("a\0b"), "\"a\\u0000b\"" },
        { SL_SPAN_LITERAL("\x7f\xC2\x80\xC2\x9B\xC2\xA0"), "\"\\u007f\\u0080\\u009b\xC2\xA0\"" },
        { SL_SPAN_LITERAL("\xE2\x80\xA8\xE2\x80\xA9"), "\"\\u2028\\u2029\"" },
        { SL_SPAN_LITERAL("\xE2\x80\xAE\xE2\x81\xA6\xD8\x9C\xE2\x80\x8F"),
          "\"\\u202e\\u2066\\u061c\\u200f\"" },
        { SL_SPAN_LITERAL("Zo\xC3\xAB \xF0\x9F\x8E\x89"), "\"Zo\xC3\xAB \xF0\x9F\x8E\x89\"" },
        { SL_SPAN_LITERAL("\xFFx\xC3"), "\"\xEF\xBF\xBDx\xEF\xBF\xBD\"" },
        { SL_SPAN_LITERAL("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
        { { NULL, 0 }, "\"\"" },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(sl_buf_done) struct sl_buf out;
        sl_buf_init(&out, 4096);
        sl_json_append_quoted(&out, rows[i].text);
        CU_ASSERT_STRING_EQUAL(out.data, rows[i].quoted);
    }
}

CLAIM(json_write__any_bytes_become_json_that_our_reader_takes)
{
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&out, 65536);
    struct sl_json_parser *parser = sl_json_parser_new(65536);
    struct sl_arena arena;
    sl_arena_init(&arena, 1024u * 1024u);
    uint64_t random = 88172645463325252u;
    size_t refused = 0;
    for (int i = 0; i < 5000; i++) {
        char bytes[32];
        for (size_t j = 0; j < sizeof bytes; j += sizeof random) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            memcpy(bytes + j, &random, sizeof random);
        }
        sl_buf_reset(&out);
        sl_arena_reset(&arena);
        sl_json_append_quoted(&out, sl_span_make(bytes, (size_t)i % sizeof bytes));
        refused += sl_json_parse(parser, &arena, sl_buf_span(&out), 1, 1, NULL) == NULL ? 1 : 0;
    }
    CU_ASSERT_EQUAL(refused, 0);
    sl_json_parser_free(parser);
    sl_arena_done(&arena);
}
