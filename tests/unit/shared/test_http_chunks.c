#include <stdio.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "shared/http/http_parse.h"
#include "tests/support/claims.h"

struct decoded {
    enum sl_http_parse parse;
    char body[512];
    size_t body_bytes;
    size_t used; /* of all input */
    int status;
    const char *why;
};

/* Decodes one part of the input; parts are heap copies of exact size. */
static void feed(struct sl_http_chunks *chunks, struct decoded *decoded, struct sl_span part)
{
    char *copy = malloc(part.bytes == 0 ? 1 : part.bytes);
    memcpy(copy, part.data, part.bytes);
    size_t at = 0;
    do {
        struct sl_span body = { 0 };
        size_t used = 0;
        decoded->parse = sl_http_parse_chunks(chunks, sl_span_make(copy + at, part.bytes - at),
                                              &body, &used, &decoded->status, &decoded->why);
        CU_ASSERT_FATAL(used <= part.bytes - at);
        CU_ASSERT_FATAL(body.bytes <= sizeof decoded->body - decoded->body_bytes);
        memcpy(decoded->body + decoded->body_bytes, body.data, body.bytes);
        decoded->body_bytes += body.bytes;
        at += used;
    } while (decoded->parse == SL_HTTP_MORE && at < part.bytes);
    decoded->used += at;
    free(copy);
}

static struct decoded decode_split(struct sl_span bytes, size_t split)
{
    struct sl_http_chunks chunks = { 0 };
    struct decoded decoded = { .status = 0 };
    feed(&chunks, &decoded, sl_span_make(bytes.data, split));
    if (decoded.parse == SL_HTTP_MORE) {
        feed(&chunks, &decoded, sl_span_make(bytes.data + split, bytes.bytes - split));
    }
    return decoded;
}

#define BYTES(text)                                                                                \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static const struct {
    struct sl_span bytes;
    const char *body;
} good[] = {
    { BYTES("0\r\n\r\n"), "" },
    { BYTES("000\r\n\r\n"), "" },
    { BYTES("5\r\nhello\r\n0\r\n\r\n"), "hello" },
    { BYTES("5\r\nhello\r\n00006\r\n world\r\n0\r\n\r\n"), "hello world" },
    { BYTES("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), "01234567890123456789" },
    { BYTES("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n" },
    { BYTES("3;name=value;q=\"x y\"\r\nabc\r\n0;last\r\n\r\n"), "abc" },
    { BYTES("3\r\nabc\r\n0\r\nX-Sum: 12\r\nY:\r\n\r\n"), "abc" },
};

static const struct sl_span bad[] = {
    BYTES("0x3\r\nabc\r\n0\r\n\r\n"),
    BYTES("+3\r\nabc\r\n0\r\n\r\n"),
    BYTES("-3\r\nabc\r\n0\r\n\r\n"),
    BYTES(" 3\r\nabc\r\n0\r\n\r\n"),
    BYTES("3 \r\nabc\r\n0\r\n\r\n"),
    BYTES("3 ;a\r\nabc\r\n0\r\n\r\n"),
    BYTES("3\nabc\r\n0\r\n\r\n"),
    BYTES("3\rabc\r\n0\r\n\r\n"),
    BYTES("3;a\nabc\r\n0\r\n\r\n"),
    BYTES("3;a\0\r\nabc\r\n0\r\n\r\n"),
    BYTES("3;a\rb\r\nabc\r\n0\r\n\r\n"),
    BYTES("\r\n3\r\nabc\r\n0\r\n\r\n"),
    BYTES(";a\r\nabc\r\n0\r\n\r\n"),
    BYTES("g\r\n"),
    BYTES("3\r\nabcd\r\n0\r\n\r\n"),
    BYTES("3\r\nabc\n0\r\n\r\n"),
    BYTES("3\r\nabc0\r\n\r\n"),
    BYTES("3\r\nabc\r\r\n0\r\n\r\n"),
    BYTES("10000000000000000\r\n"),
    BYTES("00000000000000003\r\nabc\r\n0\r\n\r\n"),
    BYTES("0\r\n\n"),
    BYTES("0\r\nX\r\n\r\n"),
    BYTES("0\r\nX: a\r\n b\r\n\r\n"),
    BYTES("0\r\nX : a\r\n\r\n"),
    BYTES("0\r\n: a\r\n\r\n"),
    BYTES("0\r\nX: a\n\r\n"),
    BYTES("0\r\nX: a\0\r\n\r\n"),
    BYTES("0\r\n\rX"),
};

CLAIM(http_chunks__body_is_the_same_however_it_is_split)
{
    for (size_t i = 0; i < SL_COUNT(good); i++) {
        for (size_t split = 0; split <= good[i].bytes.bytes; split++) {
            struct decoded decoded = decode_split(good[i].bytes, split);
            CU_ASSERT_EQUAL(decoded.parse, SL_HTTP_DONE);
            CU_ASSERT_EQUAL(decoded.used, good[i].bytes.bytes);
            CU_ASSERT(sl_span_is(sl_span_make(decoded.body, decoded.body_bytes), good[i].body));
        }
    }
}

CLAIM(http_chunks__every_prefix_wants_more)
{
    for (size_t i = 0; i < SL_COUNT(good); i++) {
        for (size_t bytes = 0; bytes < good[i].bytes.bytes; bytes++) {
            struct decoded decoded = decode_split(sl_span_make(good[i].bytes.data, bytes), bytes);
            CU_ASSERT_EQUAL(decoded.parse, SL_HTTP_MORE);
            CU_ASSERT_EQUAL(decoded.used, bytes);
        }
    }
}

CLAIM(http_chunks__takes_nothing_behind_the_end)
{
    struct sl_span bytes = BYTES("3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n");
    for (size_t split = 0; split <= bytes.bytes; split++) {
        struct decoded decoded = decode_split(bytes, split);
        CU_ASSERT_EQUAL(decoded.parse, SL_HTTP_DONE);
        CU_ASSERT_EQUAL(decoded.used, sizeof "3\r\nabc\r\n0\r\n\r\n" - 1);
    }
}

CLAIM(http_chunks__malformed_framing_is_400_however_it_is_split)
{
    for (size_t i = 0; i < SL_COUNT(bad); i++) {
        for (size_t split = 0; split <= bad[i].bytes; split++) {
            struct decoded decoded = decode_split(bad[i], split);
            if (decoded.parse != SL_HTTP_BAD) {
                fprintf(stderr, "\nbad chunks %zu split at %zu passed\n", i, split);
            }
            CU_ASSERT_EQUAL(decoded.parse, SL_HTTP_BAD);
            CU_ASSERT_EQUAL(decoded.status, 400);
        }
    }
}

static enum sl_http_parse decode_text(const struct sl_buf *text, const char **out_why)
{
    struct sl_http_chunks chunks = { 0 };
    struct sl_span rest = sl_buf_span(text);
    enum sl_http_parse verdict = SL_HTTP_MORE;
    while (verdict == SL_HTTP_MORE && rest.bytes > 0) {
        struct sl_span body = { 0 };
        size_t used = 0;
        int status = 0;
        verdict = sl_http_parse_chunks(&chunks, rest, &body, &used, &status, out_why);
        rest = sl_span_make(rest.data + used, rest.bytes - used);
    }
    return verdict;
}

/* One byte of body for each line of extension costs the reader much and the sender little. */
CLAIM(http_chunks__a_flood_of_extensions_is_refused)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, 1u << 20);
    for (int i = 0; i < 200; i++) {
        sl_buf_append_text(&text, "1;abcdefghij\r\nx\r\n");
    }
    const char *why = "";
    CU_ASSERT_EQUAL(decode_text(&text, &why), SL_HTTP_BAD);
    CU_ASSERT_STRING_EQUAL(why, "chunk extensions too large");
}

CLAIM(http_chunks__endless_trailers_are_refused)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, 1u << 20);
    sl_buf_append_text(&text, "0\r\n");
    for (int i = 0; i < 2000; i++) {
        sl_buf_append_text(&text, "X: y\r\n");
    }
    const char *why = "";
    CU_ASSERT_EQUAL(decode_text(&text, &why), SL_HTTP_BAD);
    CU_ASSERT_STRING_EQUAL(why, "trailers too large");
}

CLAIM(http_chunks__the_largest_size_is_read_without_overflow)
{
    struct sl_http_chunks chunks = { 0 };
    struct sl_span bytes = BYTES("ffffffffffffffff\r\nabc");
    struct sl_span body = { 0 };
    size_t used = 0;
    int status = 0;
    const char *why = NULL;
    CU_ASSERT_EQUAL(sl_http_parse_chunks(&chunks, bytes, &body, &used, &status, &why),
                    SL_HTTP_MORE);
    CU_ASSERT_EQUAL(body.bytes, 3);
    CU_ASSERT_EQUAL(chunks.left, UINT64_MAX - 3);
}
