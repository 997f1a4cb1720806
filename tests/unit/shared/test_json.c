#include "shared/json/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/claims.h"

#define BYTES_MAX (1024u * 1024u)
#define NODES_MAX 10000u

static struct {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_err err;
} fixture;

__attribute__((destructor)) static void fixture_done(void)
{
    sl_json_parser_free(fixture.parser);
    sl_arena_done(&fixture.arena);
}

static const struct sl_json *parse_deep(struct sl_span text, unsigned depth_max, size_t nodes_max)
{
    if (fixture.parser == NULL) {
        fixture.parser = sl_json_parser_new(BYTES_MAX);
        sl_arena_init(&fixture.arena, 64u * BYTES_MAX);
    }
    sl_arena_reset(&fixture.arena);
    fixture.err = (struct sl_err){ 0 };
    /* A copy of exactly its size: reading past it is seen by the sanitizer. */
    char *exact = malloc(text.bytes + 1);
    memcpy(exact, text.data, text.bytes);
    const struct sl_json *root =
        sl_json_parse(fixture.parser, &fixture.arena, sl_span_make(exact, text.bytes), depth_max,
                      nodes_max, &fixture.err);
    free(exact);
    return root;
}

static const struct sl_json *parse(const char *text)
{
    return parse_deep(sl_span_of(text), 8, NODES_MAX);
}

static bool is_text(struct sl_span span, const char *expected)
{
    return sl_span_is(span, expected);
}

/* "[[[…", "]]]…" and the like. */
static struct sl_span repeat(struct sl_buf *out, const char *what, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sl_buf_append_text(out, what);
    }
    return sl_buf_span(out);
}

CLAIM(json__what_is_not_rfc_8259_is_malformed)
{
    static const char *const texts[] = {
        "",
        " ",
        "\n\t",
        "\xEF\xBB\xBF",
        "\xEF\xBB\xBF\xEF\xBB\xBF{}",
        /* trailing bytes and cut documents */
        "{\"a\":1}garbage",
        "{\"id\":\"x\"",
        "{} {}",
        "{},",
        "[1]]",
        "1 2",
        "null,",
        "{\"a\":1}}",
        "{",
        "[",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,",
        "[1,",
        "\"abc",
        "{\"a\":[1,2}",
        "[{\"a\":1]",
        /* separators */
        "[,]",
        "[1,]",
        "[1,,2]",
        "[1 2]",
        "{,}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\"::1}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "{\"a\":}",
        "[\"a\":1]",
        "{\"a\",1}",
        ":",
        ",",
        "[:]",
        /* brackets */
        "}",
        "]",
        "[}",
        "{]",
        "{\"a\":[}}",
        "[[]",
        "[]]",
        "{\"a\":{]}",
        /* values */
        "nul",
        "nulll",
        "True",
        "tru e",
        "TRUE",
        "undefined",
        "NaN",
        "Infinity",
        "'a'",
        "a",
        "\\",
        /* numbers */
        "01",
        "-01",
        "+1",
        "-",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "--1",
        "1.2.3",
        "1e5.5",
        "-a",
        "1a",
        "00",
        /* strings */
        "\"a\"b",
        "\"a\"\"b\"",
        "\"\n\"",
        "\"\t\"",
        "\"\x01\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\uD83\"",
        "\"\\\"",
        "\"\\u\"",
        "{\"\\q\":1}",
        "[\"\\8\"]",
        /* UTF-8 */
        "\"\xFF\"",
        "\"\xC0\xAF\"",
        "\"\xED\xA0\x80\"",
        "\"\xF4\x90\x80\x80\"",
        "\"\xE2\x82\"",
        "\"\x80\"",
        "{\"\xC3\":1}",
        "\xFF{}",
        /* white space that JSON does not have */
        "[1\f]",
        "\v{}",
        "[1,\xC2\xA0]",
        "{}\x1A",
        "[1\x0C]",
        "// c\n1",
        "/**/1",
    };
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        for (unsigned depth_max = 1; depth_max <= 3; depth_max++) {
            bool refused = parse_deep(sl_span_of(texts[i]), depth_max, NODES_MAX) == NULL &&
                           fixture.err.code == SL_E_JSON_MALFORMED;
            CU_ASSERT(refused);
            if (!refused) {
                printf("\n    accepted: %s\n", texts[i]);
            }
        }
    }
    static const char nul_in_string[] = "{\"a\":\"x\0y\"}";
    CU_ASSERT(parse_deep(SL_SPAN_LITERAL(nul_in_string), 3, NODES_MAX) == NULL);
    static const char nul_behind[] = "{}\0";
    CU_ASSERT(parse_deep(SL_SPAN_LITERAL(nul_behind), 3, NODES_MAX) == NULL);
}

CLAIM(json__what_is_rfc_8259_is_taken_at_every_depth)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "\"\"",
        " \t\r\n{} \n",
        "\xEF\xBB\xBF{}",
        "[[],{},[[]],{\"a\":{}}]",
        "1E5",
        "1e-5",
        "-1.5E+10",
        "0.0",
        "0e0",
        "[0,-0,1.0]",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"",
        "\"\\uD83D\\uDE00\"",
        "\"\\uDE00\\uD83D\"",
        "\"\\u0000\"",
        "\"\\\\u12\"",
        "{\"\":1}",
        "{\"a\":1,\"a\":2}",
        "\"\x7F\"",
        "\"Zo\xC3\xAB \xF0\x9F\x8E\x89\"",
        "[ 1 , 2 ]",
        "{ \"a\" : [ ] , \"b\" : { } }",
        "123456789012345678901234567890",
        "[1e99999,-0.000000000000000000000000000001]",
        "\"]\"",
        "[\"}\",\"{\",\"[\",\",\",\":\"]",
    };
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        for (unsigned depth_max = 1; depth_max <= 3; depth_max++) {
            const struct sl_json *root = parse_deep(sl_span_of(texts[i]), depth_max, NODES_MAX);
            CU_ASSERT(root != NULL);
            if (root == NULL) {
                printf("\n    refused: %s: %s\n", texts[i], fixture.err.text);
            }
        }
    }
}

CLAIM(json__every_node_knows_its_raw_text_and_key)
{
    const struct sl_json *root = parse(
        " { \"a\" : [ 1 , \"x\\\"y\" , { } ] , \"b c\":\ttrue\n,\"n\":null , \"f\" : -1.5e3 } ");
    CU_ASSERT_FATAL(root != NULL);
    CU_ASSERT(root->key.data == NULL && root->next == NULL && root->child_count == 4);
    CU_ASSERT(root->raw.data[0] == '{' && root->raw.data[root->raw.bytes - 1] == '}');
    const struct sl_json *list = root->first;
    CU_ASSERT(is_text(list->key, "a") && is_text(list->raw, "[ 1 , \"x\\\"y\" , { } ]"));
    CU_ASSERT(list->child_count == 3 && list->first->key.data == NULL);
    CU_ASSERT(is_text(list->first->raw, "1") && is_text(list->first->next->raw, "\"x\\\"y\""));
    CU_ASSERT(is_text(list->first->next->next->raw, "{ }"));
    CU_ASSERT(list->first->next->next->is_opened && list->first->next->next->first == NULL);
    CU_ASSERT(list->first->next->next->next == NULL);
    CU_ASSERT(is_text(list->next->key, "b c") && is_text(list->next->raw, "true"));
    CU_ASSERT(sl_json_true(list->next) && !list->next->next->is_true);
    CU_ASSERT(is_text(list->next->next->raw, "null") && sl_json_is_null(list->next->next));
    CU_ASSERT(is_text(list->next->next->next->raw, "-1.5e3"));
    CU_ASSERT(list->next->next->next->next == NULL);
}

CLAIM(json__below_depth_max_a_container_is_one_node)
{
    static const char text[] = "{\"a\":{\"b\":[{\"c\":1},[2]],\"d\":{}},\"e\":[3]}";
    const struct sl_json *root = parse_deep(SL_SPAN_LITERAL(text), 2, NODES_MAX);
    CU_ASSERT_FATAL(root != NULL);
    const struct sl_json *b = sl_json_at(root, "a.b");
    CU_ASSERT_FATAL(b != NULL);
    CU_ASSERT(b->type == SL_JSON_ARRAY && !b->is_opened && b->first == NULL && b->child_count == 0);
    CU_ASSERT(is_text(b->raw, "[{\"c\":1},[2]]"));
    CU_ASSERT(is_text(sl_json_at(root, "a.d")->raw, "{}") && !sl_json_at(root, "a.d")->is_opened);
    CU_ASSERT(sl_json_get(b, "c") == NULL && sl_json_at(root, "a.d.x") == NULL);
    CU_ASSERT(sl_json_get(root, "e")->is_opened && sl_json_get(root, "e")->child_count == 1);
    CU_ASSERT(root->child_count == 2);
}

CLAIM(json__ten_thousand_levels_are_data_opened_or_not)
{
    enum { LEVELS = 10000 };
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, BYTES_MAX);
    repeat(&text, "{\"a\":[", LEVELS);
    struct sl_span unbalanced = repeat(&text, "]}", LEVELS - 1);
    CU_ASSERT(parse_deep(unbalanced, 2, NODES_MAX) == NULL);
    struct sl_span deep = repeat(&text, "]}", 1);
    const struct sl_json *root = parse_deep(deep, 2, NODES_MAX);
    CU_ASSERT_FATAL(root != NULL);
    CU_ASSERT(sl_json_get(root, "a")->first->raw.bytes == deep.bytes - 8);
    CU_ASSERT(parse_deep(deep, 3 * LEVELS, 3 * LEVELS) != NULL);
    struct sl_span behind = repeat(&text, "]", 1);
    CU_ASSERT(parse_deep(behind, 2, NODES_MAX) == NULL);

    sl_buf_reset(&text);
    CU_ASSERT(parse_deep(repeat(&text, "[", BYTES_MAX), 3, NODES_MAX) == NULL);
    CU_ASSERT(fixture.err.code == SL_E_JSON_MALFORMED);
    sl_buf_reset(&text);
    repeat(&text, "[", BYTES_MAX / 2);
    CU_ASSERT(parse_deep(repeat(&text, "]", BYTES_MAX / 2), 3, NODES_MAX) != NULL);
}

CLAIM(json__limits_are_errors_of_their_own)
{
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, 2 * BYTES_MAX);
    sl_buf_append_text(&text, "[");
    repeat(&text, "1,", 999);
    struct sl_span thousand = repeat(&text, "1]", 1);
    CU_ASSERT(parse_deep(thousand, 1, 1001) != NULL);
    CU_ASSERT(parse_deep(thousand, 1, 1000) == NULL && fixture.err.code == SL_E_LIMIT);

    sl_buf_reset(&text);
    sl_buf_append_text(&text, "\"");
    repeat(&text, "x", BYTES_MAX - 2);
    CU_ASSERT(parse_deep(repeat(&text, "\"", 1), 1, 1) != NULL);
    CU_ASSERT(parse_deep(repeat(&text, " ", 1), 1, 1) == NULL && fixture.err.code == SL_E_LIMIT);

    struct sl_arena tight;
    sl_arena_init(&tight, 512);
    CU_ASSERT(sl_json_parse(fixture.parser, &tight, SL_SPAN_LITERAL("[1,2,3,4,5,6,7,8]"), 1, 100,
                            &fixture.err) == NULL);
    CU_ASSERT(fixture.err.code == SL_E_MEMORY);
    sl_arena_done(&tight);
}

CLAIM(json__complaints_say_where_and_quote_nothing)
{
    CU_ASSERT(parse("{\"secret\":canary}") == NULL);
    CU_ASSERT(strstr(fixture.err.text, "canary") == NULL);
    CU_ASSERT(strstr(fixture.err.text, "byte 10") != NULL);
}

CLAIM(json__the_last_of_duplicate_keys_counts)
{
    const struct sl_json *root = parse("{\"a\":1,\"b\":{\"x\":1},\"a\":2,\"b\":{\"x\":2}}");
    int64_t number = 0;
    CU_ASSERT(sl_json_int(sl_json_get(root, "a"), &number) && number == 2);
    CU_ASSERT(sl_json_int(sl_json_at(root, "b.x"), &number) && number == 2);
    CU_ASSERT(root->child_count == 4);
}

CLAIM(json__only_whole_numbers_within_int64_are_integers)
{
    static const struct {
        const char *text;
        bool is_int;
        int64_t number;
    } rows[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "-1", true, -1 },
        { "1700000000", true, 1700000000 },
        { "9223372036854775807", true, INT64_MAX },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775808", true, INT64_MIN },
        { "-9223372036854775809", false, 0 },
        { "92233720368547758070", false, 0 },
        { "123456789012345678901234567890", false, 0 },
        { "1.0", false, 0 },
        { "1e2", false, 0 },
        { "\"1\"", false, 0 },
        { "null", false, 0 },
        { "true", false, 0 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        int64_t number = 42;
        CU_ASSERT(sl_json_int(parse(rows[i].text), &number) == rows[i].is_int);
        CU_ASSERT(number == (rows[i].is_int ? rows[i].number : 42));
    }
    CU_ASSERT(is_text(sl_json_number_text(parse(" 1.50e1 ")), "1.50e1"));
    CU_ASSERT(sl_json_number_text(parse("\"1\"")).data == NULL);
}

CLAIM(json__absent_null_and_foreign_types_are_the_same_to_readers)
{
    int64_t number = 0;
    const struct sl_json *root = parse("{\"a\":null,\"b\":\"true\",\"c\":[1]}");
    CU_ASSERT(sl_json_is_null(NULL) && sl_json_is_null(sl_json_get(root, "a")));
    CU_ASSERT(sl_json_is_null(sl_json_get(root, "zz")) && !sl_json_is_null(sl_json_get(root, "b")));
    CU_ASSERT(sl_json_get(NULL, "a") == NULL && sl_json_at(NULL, "a.b") == NULL);
    CU_ASSERT(sl_json_at(root, "a.b.c") == NULL && sl_json_at(root, "c.0") == NULL);
    CU_ASSERT(!sl_json_true(sl_json_get(root, "b")) && !sl_json_true(NULL));
    CU_ASSERT(!sl_json_int(NULL, &number) && sl_json_number_text(NULL).data == NULL);
    CU_ASSERT(sl_json_text(NULL, &fixture.arena, true, NULL).data == NULL);
    CU_ASSERT(sl_json_text(sl_json_get(root, "c"), &fixture.arena, true, NULL).data == NULL);
}

CLAIM(json__strings_are_decoded_and_replacements_counted)
{
    static const struct {
        const char *json;
        const char *plain; /* U+0000 kept; NULL: same as clean */
        const char *clean; /* U+0000 replaced */
        size_t bytes;      /* of plain */
        size_t replaced;   /* in clean */
    } rows[] = {
        { "\"\"", NULL, "", 0, 0 },
        { "\"abc\"", NULL, "abc", 3, 0 },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", NULL, "\"\\/\b\f\n\r\t", 8, 0 },
        { "\"\\u0041\\u00e9\\u20AC\"", NULL, "A\xC3\xA9\xE2\x82\xAC", 6, 0 },
        { "\"x\\uD83D\\uDE00y\"", NULL, "x\xF0\x9F\x98\x80y", 6, 0 },
        { "\"\\ud83d\"", NULL, "\xEF\xBF\xBD", 3, 1 },
        { "\"\\ude00\\ud83d\"", NULL, "\xEF\xBF\xBD\xEF\xBF\xBD", 6, 2 },
        { "\"\\ud83d\\ud83d\\ude00\"", NULL, "\xEF\xBF\xBD\xF0\x9F\x98\x80", 7, 1 },
        { "\"\\ud83dx\"", NULL, "\xEF\xBF\xBDx", 4, 1 },
        { "\"\\ud83d\\n\"", NULL, "\xEF\xBF\xBD\n", 4, 1 },
        { "\"\\\\ud83d\"", NULL, "\\ud83d", 6, 0 },
        { "\"a\\u0000b\"", "a\0b",
          "a\xEF\xBF\xBD"
          "b",
          3, 1 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        const struct sl_json *value = parse(rows[i].json);
        size_t replaced = 100;
        CU_ASSERT(is_text(sl_json_text(value, &fixture.arena, true, &replaced), rows[i].clean));
        CU_ASSERT(replaced == 100 + rows[i].replaced);
        struct sl_span plain = sl_json_text(value, &fixture.arena, false, NULL);
        const char *expected = rows[i].plain == NULL ? rows[i].clean : rows[i].plain;
        CU_ASSERT(plain.bytes == rows[i].bytes && memcmp(plain.data, expected, plain.bytes) == 0);
    }
    const struct sl_json *borrowed = parse("\"no escapes\"");
    CU_ASSERT(sl_json_text(borrowed, &fixture.arena, true, NULL).data == borrowed->raw.data + 1);
}

CLAIM(json__clean_text_differs_only_where_jsonb_would_refuse)
{
    static const struct {
        const char *json;
        const char *clean; /* NULL: unchanged */
        size_t replaced;
    } rows[] = {
        { "{ \"a\" : [1, 2.50, -3e2, \"x\\ty\"] }", NULL, 0 },
        { "\"\\u0000\"", "\"\\ufffd\"", 1 },
        { "{\"k\\u0000\":\"\\ud800\",\"b\":\"\\\\u0000\"}",
          "{\"k\\ufffd\":\"\\ufffd\",\"b\":\"\\\\u0000\"}", 2 },
        { "\"\\uD83D\\uDE00\\u0041\"", NULL, 0 },
        { "[[[[[[[[[[\"\\u0000\\udead\"]]]]]]]]]]", "[[[[[[[[[[\"\\ufffd\\ufffd\"]]]]]]]]]]", 2 },
        { "[1e400,1e401,-1E-401,1e-400,0.1e+999999999999999999999]",
          "[1e400,null,null,1e-400,null]", 3 },
        { "123456789012345678901234567890.5", NULL, 0 },
        { "[\"1e999\",\"[[\",\"\\\"]\"]", NULL, 0 },
    };
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&out, 4 * BYTES_MAX);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        for (unsigned depth_max = 1; depth_max <= 12; depth_max += 11) {
            size_t replaced = 0;
            sl_buf_reset(&out);
            sl_json_append_clean(parse_deep(sl_span_of(rows[i].json), depth_max, NODES_MAX), &out,
                                 &replaced);
            const char *expected = rows[i].clean == NULL ? rows[i].json : rows[i].clean;
            CU_ASSERT(is_text(sl_buf_span(&out), expected) && replaced == rows[i].replaced);
        }
    }
    sl_buf_reset(&out);
    sl_json_append_clean(NULL, &out, NULL);
    CU_ASSERT(is_text(sl_buf_span(&out), "null"));
}

CLAIM(json__clean_text_has_a_bounded_depth_and_bounded_numbers)
{
    SL_DONE(sl_buf_done) struct sl_buf text;
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&text, BYTES_MAX);
    sl_buf_init(&out, BYTES_MAX);
    size_t replaced = 0;
    repeat(&text, "[", SL_JSON_CLEAN_DEPTH_MAX);
    sl_buf_append_text(&text, "{\"a\":\"]}\"},7");
    struct sl_span deep = repeat(&text, "]", SL_JSON_CLEAN_DEPTH_MAX);
    sl_json_append_clean(parse_deep(deep, 3, NODES_MAX), &out, &replaced);
    CU_ASSERT(replaced == 1);
    CU_ASSERT(memcmp(out.data + SL_JSON_CLEAN_DEPTH_MAX, "null,7]", 7) == 0);
    CU_ASSERT(out.used_bytes == 2 * SL_JSON_CLEAN_DEPTH_MAX + 6);

    sl_buf_reset(&text);
    sl_buf_reset(&out);
    sl_buf_append_text(&text, "[");
    repeat(&text, "9", SL_JSON_CLEAN_NUMBER_BYTES_MAX);
    sl_buf_append_text(&text, ",");
    repeat(&text, "9", SL_JSON_CLEAN_NUMBER_BYTES_MAX + 1);
    sl_json_append_clean(parse_deep(repeat(&text, "]", 1), 3, NODES_MAX), &out, &replaced);
    CU_ASSERT(replaced == 2 && out.used_bytes == SL_JSON_CLEAN_NUMBER_BYTES_MAX + 7);
}
