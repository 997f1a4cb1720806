#include "shared/event/envelope.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/digest.h"
#include "tests/support/claims.h"

/* Bytes of a map with these pairs behind its head. */
#define MAP(count) ((char)(0x80 | (count)))
#define K_V        "\xa1v"
#define ALL_KEYS   11

static const struct sl_envelope example = {
    .id = { "evt_1", 5 },
    .source = { "stripe", 6 },
    .type = { "invoice.paid", 12 },
    .account = { "", 0 },
    .object = { "in_1", 4 },
    .occurred_at_s = 1700000000,
    .received_at_us = 1700000001000002,
    .content_type = { "application/json", 16 },
    .body = { "{\"id\":\"evt_1\"}", 14 },
};

static bool decode(struct sl_span bytes, struct sl_envelope *out_envelope, enum sl_code *out_code)
{
    /* A copy of exactly its size: reading past it is seen by the sanitizer. Kept until the next call: what was decoded borrows from it. */
    static char *last;
    free(last);
    last = malloc(bytes.bytes + (bytes.bytes == 0 ? 1 : 0));
    memcpy(last, bytes.data, bytes.bytes);
    struct sl_err err = { 0 };
    bool decoded = sl_envelope_decode(sl_span_make(last, bytes.bytes), out_envelope, &err);
    *out_code = decoded ? SL_E_NONE : err.code;
    return decoded;
}

static enum sl_code code_of(struct sl_span bytes)
{
    struct sl_envelope envelope = { .id = { NULL, 0 } };
    enum sl_code code = SL_E_NONE;
    CU_ASSERT(decode(bytes, &envelope, &code) || envelope.id.data == NULL);
    return code;
}

static bool is_same(const struct sl_envelope *a, const struct sl_envelope *b)
{
    return sl_span_eq(a->id, b->id) && sl_span_eq(a->source, b->source) &&
           sl_span_eq(a->type, b->type) && sl_span_eq(a->account, b->account) &&
           a->livemode == b->livemode && sl_span_eq(a->object, b->object) &&
           a->occurred_at_s == b->occurred_at_s && a->received_at_us == b->received_at_us &&
           sl_span_eq(a->content_type, b->content_type) && sl_span_eq(a->body, b->body);
}

static struct sl_span encode(const struct sl_envelope *envelope, struct sl_buf *out)
{
    sl_buf_reset(out);
    bool encoded = sl_envelope_encode(envelope, out, NULL);
    CU_ASSERT(encoded);
    return sl_buf_span(out);
}

/* The example's map with `raw` as the value of `key` (put in its place, or added). */
static struct sl_span with(const char *key, struct sl_span raw, struct sl_buf *out)
{
    SL_DONE(sl_buf_done) struct sl_buf whole;
    sl_buf_init(&whole, SL_ENVELOPE_BYTES_MAX);
    struct sl_span bytes = encode(&example, &whole);
    char head[64];
    int head_bytes = snprintf(head, sizeof head, "%c%s", (char)(0xa0 | strlen(key)), key);
    const char *found = memmem(bytes.data, bytes.bytes, head, (size_t)head_bytes);
    size_t before = found == NULL ? bytes.bytes : (size_t)(found - bytes.data);
    sl_buf_reset(out);
    sl_buf_append(out, bytes.data, before);
    sl_buf_append(out, head, (size_t)head_bytes);
    sl_buf_append_span(out, raw);
    if (found == NULL) {
        out->data[0] = MAP(ALL_KEYS + 1);
        return sl_buf_span(out);
    }
    /* The next key starts where the example's next rule does; find it by decoding what follows. */
    static const char *const order[] = { "v",           "id",           "source", "type",
                                         "account",     "livemode",     "object", "occurred_at",
                                         "received_at", "content_type", "body" };
    for (size_t i = 0; i + 1 < SL_COUNT(order); i++) {
        if (strcmp(order[i], key) == 0) {
            head_bytes = snprintf(head, sizeof head, "%c%s", (char)(0xa0 | strlen(order[i + 1])),
                                  order[i + 1]);
            const char *next =
                memmem(found, (size_t)(bytes.data + bytes.bytes - found), head, (size_t)head_bytes);
            sl_buf_append(out, next, (size_t)(bytes.data + bytes.bytes - next));
        }
    }
    return sl_buf_span(out);
}

CLAIM(envelope__the_written_example_is_what_we_read_and_write)
{
    FILE *file = fopen("schemas/envelope.md", "re");
    CU_ASSERT_FATAL(file != NULL);
    char page[16384] = "";
    size_t page_bytes = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    CU_ASSERT(page_bytes < sizeof page - 1);
    const char *at = strstr(page, "```hex\n");
    CU_ASSERT_FATAL(at != NULL);
    SL_DONE(sl_buf_done) struct sl_buf hex;
    sl_buf_init(&hex, 4096);
    for (at += 7; *at != '`' && *at != '\0'; at++) {
        if (*at != '\n') {
            sl_buf_append_char(&hex, *at);
        }
    }
    uint8_t bytes[1024];
    size_t count = hex.used_bytes / 2;
    CU_ASSERT_FATAL(count <= sizeof bytes && sl_hex_decode(sl_buf_span(&hex), bytes, count));
    struct sl_envelope envelope = { .livemode = true };
    enum sl_code code = SL_E_NONE;
    CU_ASSERT(decode(sl_span_make(bytes, count), &envelope, &code));
    CU_ASSERT(is_same(&envelope, &example));
    CU_ASSERT(envelope.account.data != NULL);
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&out, SL_ENVELOPE_BYTES_MAX);
    CU_ASSERT(sl_span_eq(encode(&example, &out), sl_span_make(bytes, count)));
}

CLAIM(envelope__what_was_written_is_read_at_every_limit)
{
    static char texts[255];
    memset(texts, 'x', sizeof texts);
    char *body = malloc(SL_EVENT_BODY_BYTES_MAX);
    memset(body, 0, SL_EVENT_BODY_BYTES_MAX);
    const struct sl_span longest = { texts, sizeof texts };
    const struct sl_envelope rows[] = {
        example,
        { .id = longest,
          .source = { texts, SL_EVENT_SOURCE_BYTES_MAX },
          .type = longest,
          .account = longest,
          .livemode = true,
          .object = longest,
          .occurred_at_s = SL_EVENT_TIME_S_MAX,
          .received_at_us = SL_EVENT_TIME_S_MAX * 1000000 + 999999,
          .content_type = longest,
          .body = { body, SL_EVENT_BODY_BYTES_MAX } },
        { .id = { "a", 1 }, .source = { "b", 1 }, .type = { "c", 1 }, .body = { "", 0 } },
        { .id = { "\xC3\xAB\xF0\x9F\x8E\x89", 6 },
          .source = { "stripe", 6 },
          .type = { "t", 1 },
          .body = { "\0\xff", 2 } },
    };
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&out, SL_ENVELOPE_BYTES_MAX);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct sl_envelope envelope = { .livemode = false };
        enum sl_code code = SL_E_NONE;
        CU_ASSERT(decode(encode(&rows[i], &out), &envelope, &code) && is_same(&envelope, &rows[i]));
        CU_ASSERT((envelope.object.data == NULL) == (rows[i].object.data == NULL));
        CU_ASSERT((envelope.content_type.data == NULL) == (rows[i].content_type.data == NULL));
        CU_ASSERT(envelope.body.data != NULL && envelope.account.data != NULL);
    }
    free(body);
}

CLAIM(envelope__a_writer_leaves_oddities_out_and_refuses_broken_identity)
{
    static char texts[256];
    memset(texts, 'x', sizeof texts);
    const struct sl_span too_long = { texts, sizeof texts };
    const struct sl_span broken[] = { too_long, { "a\xFF", 2 }, { "a\0b", 3 } };
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&out, 2 * SL_ENVELOPE_BYTES_MAX);
    for (size_t i = 0; i < SL_COUNT(broken); i++) {
        struct sl_envelope odd = example;
        odd.object = broken[i];
        odd.content_type = broken[i];
        odd.occurred_at_s = i == 0 ? -1 : INT64_MAX;
        struct sl_envelope read = { .livemode = true };
        enum sl_code code = SL_E_NONE;
        CU_ASSERT(decode(encode(&odd, &out), &read, &code));
        CU_ASSERT(read.object.data == NULL && read.content_type.data == NULL);
        CU_ASSERT(read.occurred_at_s == 0 && sl_span_eq(read.id, example.id));

        struct sl_envelope refused[] = { example, example, example, example };
        refused[0].id = broken[i];
        refused[1].source = broken[i];
        refused[2].type = broken[i];
        refused[3].account = broken[i];
        for (size_t j = 0; j < SL_COUNT(refused); j++) {
            struct sl_err err = { 0 };
            sl_buf_reset(&out);
            CU_ASSERT(!sl_envelope_encode(&refused[j], &out, &err) && err.code == SL_E_LIMIT);
        }
    }
    struct sl_envelope refused = example;
    refused.id = (struct sl_span){ NULL, 0 };
    CU_ASSERT(!sl_envelope_encode(&refused, &out, NULL));
    refused = example;
    char *body = malloc(SL_EVENT_BODY_BYTES_MAX + 1);
    refused.body = sl_span_make(body, SL_EVENT_BODY_BYTES_MAX + 1);
    CU_ASSERT(!sl_envelope_encode(&refused, &out, NULL));
    free(body);

    struct sl_buf tight;
    struct sl_err err = { 0 };
    sl_buf_init(&tight, 100);
    CU_ASSERT(!sl_envelope_encode(&example, &tight, &err) && err.code == SL_E_LIMIT);
    sl_buf_done(&tight);
}

CLAIM(envelope__any_other_version_is_named_before_anything_else)
{
    static const struct {
        struct sl_span bytes;
        enum sl_code code;
    } rows[] = {
        { SL_SPAN_LITERAL("\x81" K_V "\x02"), SL_E_EVENT_VERSION },
        { SL_SPAN_LITERAL("\x82\xa2id\x07" K_V "\x02"), SL_E_EVENT_VERSION },
        { SL_SPAN_LITERAL("\x82" K_V "\xcd\x01\x01\xa4"
                          "body\x93\x01\x02\x80"),
          SL_E_EVENT_VERSION },
        { SL_SPAN_LITERAL("\x81" K_V "\x00"), SL_E_EVENT_VERSION },
        { SL_SPAN_LITERAL("\x81" K_V "\xff"), SL_E_EVENT_VERSION },
        { SL_SPAN_LITERAL("\x81" K_V "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), SL_E_EVENT_VERSION },
        { SL_SPAN_LITERAL("\x81" K_V "\x01"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("\x81" K_V "\xa1"
                          "2"),
          SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("\x81" K_V "\xca\x40\x00\x00\x00"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("\x81" K_V "\xc0"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("\x81\xa1w\x02"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("\x81\xc4\x01v\x02"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("\x80"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("\x92\x01\x02"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("\x02"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("\xc0"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL("{\"v\":1}"), SL_E_EVENT_MALFORMED },
        { SL_SPAN_LITERAL(""), SL_E_EVENT_MALFORMED },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(code_of(rows[i].bytes), rows[i].code);
    }
}

CLAIM(envelope__known_keys_keep_their_rules_and_unknown_ones_are_skipped)
{
    static const struct {
        const char *key;
        struct sl_span raw;
        bool is_valid;
    } rows[] = {
        { "v", SL_SPAN_LITERAL("\xcc\x01"), true }, /* any width */
        { "v", SL_SPAN_LITERAL("\xd3\0\0\0\0\0\0\0\x01"), true },
        { "id", SL_SPAN_LITERAL("\xd9\x01x"), true },
        { "id", SL_SPAN_LITERAL("\xa0"), false },
        { "id", SL_SPAN_LITERAL("\xc4\x01x"), false },
        { "id", SL_SPAN_LITERAL("\x07"), false },
        { "id", SL_SPAN_LITERAL("\xc0"), false },
        { "id", SL_SPAN_LITERAL("\xa2x\0"), false },
        { "id", SL_SPAN_LITERAL("\xa2x\xff"), false },
        { "account",
          SL_SPAN_LITERAL("\xa4"
                          "acct"),
          true },
        { "account", SL_SPAN_LITERAL("\xc0"), false },
        { "livemode", SL_SPAN_LITERAL("\xc3"), true },
        { "livemode", SL_SPAN_LITERAL("\x01"), false },
        { "object", SL_SPAN_LITERAL("\xa0"), false },
        { "object", SL_SPAN_LITERAL("\xc0"), false },
        { "occurred_at", SL_SPAN_LITERAL("\x00"), true },
        { "occurred_at", SL_SPAN_LITERAL("\xff"), false },
        { "occurred_at", SL_SPAN_LITERAL("\xcf\x00\x00\x00\x3a\xff\xf4\x41\x7f"), true },
        { "occurred_at", SL_SPAN_LITERAL("\xcf\x00\x00\x00\x3a\xff\xf4\x41\x80"), false },
        { "occurred_at", SL_SPAN_LITERAL("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), false },
        { "occurred_at", SL_SPAN_LITERAL("\xcb\x41\xd9\x54\xfc\x40\x00\x00\x00"), false },
        { "received_at", SL_SPAN_LITERAL("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), false },
        { "content_type", SL_SPAN_LITERAL("\xa1x"), true },
        { "new", SL_SPAN_LITERAL("\xc0"), true },
        { "new",
          SL_SPAN_LITERAL(
              "\x82\x01\x93\xc2\xcb\0\0\0\0\0\0\0\0\xd6\x05\x01\x02\x03\x04\xc0\xc7\x01\x02\x03"),
          true },
        { "new", SL_SPAN_LITERAL("\xa1x\xa1v\x01"), false }, /* behind the map */
    };
    SL_DONE(sl_buf_done) struct sl_buf out;
    sl_buf_init(&out, SL_ENVELOPE_BYTES_MAX);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        enum sl_code code = code_of(with(rows[i].key, rows[i].raw, &out));
        CU_ASSERT_EQUAL(code, rows[i].is_valid ? SL_E_NONE : SL_E_EVENT_MALFORMED);
        if (code != (rows[i].is_valid ? SL_E_NONE : SL_E_EVENT_MALFORMED)) {
            printf("\n    row %zu: %s\n", i, rows[i].key);
        }
    }

    /* A known key twice; a key that is not text; a key missing. */
    struct sl_span whole = encode(&example, &out);
    SL_DONE(sl_buf_done) struct sl_buf twice;
    sl_buf_init(&twice, 4096);
    sl_buf_append_span(&twice, whole);
    sl_buf_append(&twice, "\xa2id\xa1z", 5);
    twice.data[0] = MAP(ALL_KEYS + 1);
    CU_ASSERT_EQUAL(code_of(sl_buf_span(&twice)), SL_E_EVENT_MALFORMED);
    sl_buf_reset(&twice);
    sl_buf_append_span(&twice, whole);
    sl_buf_append(&twice, "\x05\xa1z", 3);
    twice.data[0] = MAP(ALL_KEYS + 1);
    CU_ASSERT_EQUAL(code_of(sl_buf_span(&twice)), SL_E_NONE);
    for (size_t i = 1; i < whole.bytes; i++) {
        out.data[i] ^= 0x01; /* any damage: never a crash, never a read past the end */
        (void)code_of(whole);
        out.data[i] ^= 0x01;
        CU_ASSERT_EQUAL(code_of(sl_span_make(whole.data, i)), SL_E_EVENT_MALFORMED);
    }
    out.data[2] = 'w'; /* "v" is another key now */
    CU_ASSERT_EQUAL(code_of(whole), SL_E_EVENT_MALFORMED);
}

CLAIM(envelope__claims_of_size_are_checked_before_memory_is_asked_for)
{
    static const struct sl_span bombs[] = {
        SL_SPAN_LITERAL("\xdd\xff\xff\xff\xff"),
        SL_SPAN_LITERAL("\xdf\xff\xff\xff\xff"),
        SL_SPAN_LITERAL("\xdc\xff\xff"),
        SL_SPAN_LITERAL("\xde\xff\xff"),
        SL_SPAN_LITERAL("\xc6\xff\xff\xff\xff"),
        SL_SPAN_LITERAL("\xdb\xff\xff\xff\xff"),
        SL_SPAN_LITERAL("\xc9\xff\xff\xff\xff"),
        SL_SPAN_LITERAL("\xdd\xff\xff"),
        SL_SPAN_LITERAL("\x81" K_V "\xdd\xff\xff\xff\xff"),
        SL_SPAN_LITERAL("\x81"),
        SL_SPAN_LITERAL("\x81" K_V "\xc1"), /* a byte that MessagePack never uses */
        SL_SPAN_LITERAL("\xd8\x01"),
        SL_SPAN_LITERAL("\xcf\x01"),
    };
    for (size_t i = 0; i < SL_COUNT(bombs); i++) {
        CU_ASSERT_EQUAL(code_of(bombs[i]), SL_E_EVENT_MALFORMED);
    }

    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, 4 * SL_ENVELOPE_BYTES_MAX);
    for (size_t nesting = 15; nesting <= 17; nesting++) {
        /* The map of version 2 is one level. */
        sl_buf_reset(&text);
        sl_buf_append(&text, "\x82" K_V "\x02\xa1x", 6);
        for (size_t i = 1; i < nesting; i++) {
            sl_buf_append_char(&text, '\x91');
        }
        sl_buf_append_char(&text, '\xc0');
        CU_ASSERT_EQUAL(code_of(sl_buf_span(&text)),
                        nesting <= 16 ? SL_E_EVENT_VERSION : SL_E_EVENT_MALFORMED);
    }
    for (size_t values = 4096; values <= 4097; values++) {
        sl_buf_reset(&text);
        size_t inside = values - 5; /* map, two keys, version, array */
        sl_buf_append(&text, "\x82" K_V "\x02\xa1x\xdc", 7);
        sl_buf_append_char(&text, (char)(inside >> 8));
        sl_buf_append_char(&text, (char)inside);
        for (size_t i = 0; i < inside; i++) {
            sl_buf_append_char(&text, '\xc0');
        }
        CU_ASSERT_EQUAL(code_of(sl_buf_span(&text)),
                        values == 4096 ? SL_E_EVENT_VERSION : SL_E_EVENT_MALFORMED);
    }
    for (size_t more = 0; more <= 1; more++) {
        sl_buf_reset(&text);
        size_t inside = SL_ENVELOPE_BYTES_MAX - 11 + more;
        sl_buf_append(&text, "\x82" K_V "\x02\xa1x\xc6\x00", 8);
        sl_buf_append_char(&text, (char)(inside >> 16));
        sl_buf_append_char(&text, (char)(inside >> 8));
        sl_buf_append_char(&text, (char)inside);
        for (size_t i = 0; i < inside; i++) {
            sl_buf_append_char(&text, 'x');
        }
        CU_ASSERT_EQUAL(code_of(sl_buf_span(&text)),
                        more == 0 ? SL_E_EVENT_VERSION : SL_E_EVENT_MALFORMED);
    }
}
