#include "shared/http/http_parse.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/scope.h"
#include "tests/support/claims.h"

#define HOST "Host: example.com\r\n"
#define POST "POST /webhooks/stripe HTTP/1.1\r\n" HOST

struct verdict {
    enum sl_http_parse parse;
    struct sl_http_head head;
    size_t used;
    int status;
    const char *why;
};

/* Parses a heap copy of exact size, so that a read past the end is seen by the sanitizer. */
static struct verdict parse(struct sl_span bytes)
{
    struct verdict verdict = { .status = 0 };
    char *copy = malloc(bytes.bytes == 0 ? 1 : bytes.bytes);
    memcpy(copy, bytes.data, bytes.bytes);
    verdict.parse = sl_http_parse_head(sl_span_make(copy, bytes.bytes), &verdict.head,
                                       &verdict.used, &verdict.status, &verdict.why);
    free(copy);
    return verdict;
}

static struct verdict parse_kept(const char *text)
{
    struct verdict verdict = { .status = 0 };
    verdict.parse = sl_http_parse_head(sl_span_of(text), &verdict.head, &verdict.used,
                                       &verdict.status, &verdict.why);
    return verdict;
}

#define BYTES(text)                                                                                \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static const struct sl_span good_heads[] = {
    BYTES(POST "\r\n"),
    BYTES(POST "Content-Length: 0\r\n\r\n"),
    BYTES(POST "Content-Length:9999999999999999999\r\n\r\n"),
    BYTES(POST "Content-Length: \t 12 \t\r\nStripe-Signature: t=1,v1=ab\r\n\r\n"),
    BYTES(POST "Transfer-Encoding: chunked\r\n\r\n"),
    BYTES(POST "transfer-encoding: chunked\r\nExpect: 100-continue\r\n\r\n"),
    BYTES(POST "X-Empty:\r\nX-Text: caf\xc3\xa9 \"<{\\}>\" \x80\xff\r\n\r\n"),
    BYTES(POST "Cookie: a\r\nCookie: b\r\nAccept: a\r\nAccept: b\r\n\r\n"),
    BYTES(POST "!#$%&'*+-.^_`|~: odd but legal name\r\n\r\n"),
    BYTES("GET / HTTP/1.0\r\n\r\n"),
    BYTES("GET // HTTP/1.1\r\n" HOST "\r\n"),
    BYTES("GET /a/%2e%2e/b;p=1:@!$&'()*+,=~ HTTP/1.1\r\n" HOST "\r\n"),
    BYTES("GET /a?b=/?&created[gte]=1%20 HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
    BYTES("GET /a? HTTP/1.1\r\nhost:a\r\n\r\n"),
    BYTES("GET / HTTP/1.1\r\nHost: a.b-c_d:8080\r\n\r\n"),
    BYTES("GET / HTTP/1.1\r\nHost: a:\r\n\r\n"),
    BYTES("GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n"),
    BYTES("delete /a HTTP/1.1\r\n" HOST "\r\n"),
};

static const struct {
    struct sl_span bytes;
    int status;
} bad_heads[] = {
    /* Framing: RFC 9112 sections 6.1 to 6.3. */
    { BYTES(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: +5\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: -5\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 0x5\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 5,5\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 5 5\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 05\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 5.0\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 1e3\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length:\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 18446744073709551616\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length: 99999999999999999999999999\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding: chunked;x=1\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding: identity\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding:\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
    { BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"), 400 },
    { BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
    /* Line ends, white space, control bytes: sections 2.2 and 5. */
    { BYTES("GET / HTTP/1.1\n" HOST "\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a\r\n\rX"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\rHost: a\r\n\r\n"), 400 },
    { BYTES(POST "X: a\r\n b\r\n\r\n"), 400 },
    { BYTES(POST "X: a\r\n\tb\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n"), 400 },
    { BYTES(POST "X : a\r\n\r\n"), 400 },
    { BYTES(POST "X\t: a\r\n\r\n"), 400 },
    { BYTES(POST "Content-Length : 5\r\n\r\n"), 400 },
    { BYTES(POST ": a\r\n\r\n"), 400 },
    { BYTES(POST "X\r\n\r\n"), 400 },
    { BYTES(POST "X(: a\r\n\r\n"), 400 },
    { BYTES(POST "X: a\0b\r\n\r\n"), 400 },
    { BYTES(POST "X\0: a\r\n\r\n"), 400 },
    { BYTES(POST "X: a\x7f\r\n\r\n"), 400 },
    { BYTES(POST "X: a\x1b[31m\r\n\r\n"), 400 },
    { BYTES(POST "X\x80: a\r\n\r\n"), 400 },
    { BYTES("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES(" GET / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET / HTTP/1.1 \r\n" HOST "\r\n"), 400 },
    { BYTES("GET /  HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    /* Targets: section 3.2. */
    { BYTES("GET http://example.com/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("CONNECT example.com:443 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET a HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /a\\b HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /a[b] HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /<a> HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /caf\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /% HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /%4 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /%4g HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /%?a HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET /?%%41 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    /* Versions. */
    { BYTES("GET /\r\n"), 400 },
    { BYTES("GET / \r\n\r\n"), 400 },
    { BYTES("GET / http/1.1\r\n" HOST "\r\n"), 400 },
    { BYTES("GET / HTTP/11\r\n" HOST "\r\n"), 400 },
    { BYTES("GET / HTTP/1.10\r\n" HOST "\r\n"), 400 },
    { BYTES("GET / HTTP/1.2\r\n" HOST "\r\n"), 505 },
    { BYTES("GET / HTTP/2.0\r\n" HOST "\r\n"), 505 },
    { BYTES("GET / HTTP/0.9\r\n" HOST "\r\n"), 505 },
    { BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400 },
    { BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400 },
    /* Host: RFC 9112 section 3.2. */
    { BYTES("GET / HTTP/1.1\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), 400 },
    { BYTES("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a..b\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: []\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: [a.b]c\r\n\r\n"), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a[::1]\r\n\r\n"), 400 },
    /* Fields that decide about trust. */
    { BYTES(POST "Stripe-Signature: t=1,v1=aa\r\nstripe-signature: t=1,v1=bb\r\n\r\n"), 400 },
    { BYTES(POST "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"), 400 },
    { BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n"), 501 },
};

CLAIM(http_parse__accepts_what_the_grammar_allows)
{
    for (size_t i = 0; i < SL_COUNT(good_heads); i++) {
        struct verdict verdict = parse(good_heads[i]);
        CU_ASSERT_EQUAL(verdict.parse, SL_HTTP_DONE);
        CU_ASSERT_EQUAL(verdict.used, good_heads[i].bytes);
    }
}

CLAIM(http_parse__every_prefix_of_a_valid_head_wants_more)
{
    for (size_t i = 0; i < SL_COUNT(good_heads); i++) {
        for (size_t bytes = 0; bytes < good_heads[i].bytes; bytes++) {
            struct verdict verdict = parse(sl_span_make(good_heads[i].data, bytes));
            CU_ASSERT_EQUAL(verdict.parse, SL_HTTP_MORE);
        }
    }
}

CLAIM(http_parse__rejects_and_never_repairs)
{
    for (size_t i = 0; i < SL_COUNT(bad_heads); i++) {
        struct verdict verdict = parse(bad_heads[i].bytes);
        if (verdict.parse != SL_HTTP_BAD || verdict.status != bad_heads[i].status) {
            fprintf(stderr, "\nbad head %zu: %.*s -> %d %d\n", i, SL_SPAN_ARGS(bad_heads[i].bytes),
                    (int)verdict.parse, verdict.status);
        }
        CU_ASSERT_EQUAL(verdict.parse, SL_HTTP_BAD);
        CU_ASSERT_EQUAL(verdict.status, bad_heads[i].status);
        CU_ASSERT_PTR_NOT_NULL(verdict.why);
    }
}

/* However the bytes arrive, the verdict and the reason are the same. */
CLAIM(http_parse__a_prefix_of_a_bad_head_wants_more_or_fails_alike)
{
    for (size_t i = 0; i < SL_COUNT(bad_heads); i++) {
        struct verdict whole = parse(bad_heads[i].bytes);
        for (size_t bytes = 0; bytes < bad_heads[i].bytes.bytes; bytes++) {
            struct verdict part = parse(sl_span_make(bad_heads[i].bytes.data, bytes));
            CU_ASSERT_NOT_EQUAL(part.parse, SL_HTTP_DONE);
            if (part.parse == SL_HTTP_BAD) {
                CU_ASSERT_EQUAL(part.status, whole.status);
                CU_ASSERT_PTR_EQUAL(part.why, whole.why);
            }
        }
    }
}

/* Every byte value at every place of a head: no crash, and never a bare control byte in what was accepted. */
CLAIM(http_parse__one_changed_byte_never_lets_a_control_byte_in)
{
    static const char text[] = "POST /a?b=%41 HTTP/1.1\r\nHost: a.b:1\r\nX-Y: v w\r\n"
                               "Content-Length: 12\r\nConnection: close\r\n\r\n";
    for (size_t at = 0; at < sizeof text - 1; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char changed[sizeof text];
            memcpy(changed, text, sizeof text);
            changed[at] = (char)byte;
            struct verdict verdict = parse(sl_span_make(changed, sizeof text - 1));
            bool is_control = (byte < ' ' && byte != '\t') || byte == 0x7f;
            if (is_control && changed[at] != text[at]) {
                CU_ASSERT_NOT_EQUAL(verdict.parse, SL_HTTP_DONE);
            }
        }
    }
}

CLAIM(http_parse__fields_are_found_trimmed_and_without_regard_to_case)
{
    struct verdict verdict = parse_kept(
        "POST /webhooks/stripe?a=1&b HTTP/1.1\r\nhOSt: example.com\r\nX-One: \t first \t \r\n"
        "x-one: second\r\nX-Empty: \r\nContent-Length: 17\r\n\r\n{\"id\"");
    CU_ASSERT_EQUAL_FATAL(verdict.parse, SL_HTTP_DONE);
    CU_ASSERT(sl_span_is(verdict.head.method, "POST"));
    CU_ASSERT(sl_span_is(verdict.head.path, "/webhooks/stripe"));
    CU_ASSERT(sl_span_is(verdict.head.query, "a=1&b"));
    CU_ASSERT_EQUAL(verdict.head.field_count, 5);
    CU_ASSERT(sl_span_is(sl_http_field(&verdict.head, "Host"), "example.com"));
    CU_ASSERT(sl_span_is(sl_http_field(&verdict.head, "X-ONE"), "first"));
    CU_ASSERT(sl_span_is(sl_http_field(&verdict.head, "x-empty"), ""));
    CU_ASSERT_PTR_NULL(sl_http_field(&verdict.head, "X-Absent").data);
    CU_ASSERT(verdict.head.has_length);
    CU_ASSERT_EQUAL(verdict.head.content_length, 17);
    CU_ASSERT_FALSE(verdict.head.is_chunked);
    CU_ASSERT_FALSE(verdict.head.expects_continue);
}

CLAIM(http_parse__a_query_is_absent_or_empty_or_there)
{
    CU_ASSERT_PTR_NULL(parse_kept("GET /a HTTP/1.0\r\n\r\n").head.query.data);
    CU_ASSERT(sl_span_is(parse_kept("GET /a? HTTP/1.0\r\n\r\n").head.query, ""));
    CU_ASSERT(sl_span_is(parse_kept("GET /a?b? HTTP/1.0\r\n\r\n").head.query, "b?"));
}

CLAIM(http_parse__keep_alive_follows_version_and_connection)
{
    static const struct {
        const char *head;
        bool keep_alive;
    } cases[] = {
        { "GET / HTTP/1.1\r\n" HOST "\r\n", true },
        { "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", true },
        { "GET / HTTP/1.0\r\n\r\n", false },
        { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
        { "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct verdict verdict = parse_kept(cases[i].head);
        CU_ASSERT_EQUAL(verdict.parse, SL_HTTP_DONE);
        CU_ASSERT_EQUAL(verdict.head.keep_alive, cases[i].keep_alive);
    }
}

CLAIM(http_parse__only_http_1_1_may_expect_100_continue)
{
    CU_ASSERT(parse_kept(POST "Expect: 100-Continue\r\n\r\n").head.expects_continue);
    CU_ASSERT_FALSE(parse_kept(POST "Expect: else\r\n\r\n").head.expects_continue);
    CU_ASSERT_FALSE(
        parse_kept("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").head.expects_continue);
}

/* A head of exactly `bytes`, padded in one field. */
static char *padded_head(size_t bytes)
{
    static const char start[] = POST "X-Pad: ";
    char *text = malloc(bytes + 1);
    memset(text, 'a', bytes);
    memcpy(text, start, sizeof start - 1);
    memcpy(text + bytes - 4, "\r\n\r\n", 5);
    return text;
}

CLAIM(http_parse__a_head_may_have_exactly_16_kib)
{
    char *fits = padded_head(SL_HTTP_HEAD_BYTES_MAX);
    CU_ASSERT_EQUAL(parse(sl_span_of(fits)).parse, SL_HTTP_DONE);
    struct verdict part = parse(sl_span_make(fits, SL_HTTP_HEAD_BYTES_MAX - 1));
    CU_ASSERT_EQUAL(part.parse, SL_HTTP_MORE);
    free(fits);

    char *over = padded_head(SL_HTTP_HEAD_BYTES_MAX + 1);
    struct verdict verdict = parse(sl_span_of(over));
    CU_ASSERT_EQUAL(verdict.parse, SL_HTTP_BAD);
    CU_ASSERT_EQUAL(verdict.status, 431);
    verdict = parse(sl_span_make(over, SL_HTTP_HEAD_BYTES_MAX));
    CU_ASSERT_EQUAL(verdict.status, 431);
    free(over);
}

static char *head_of_fields(size_t count)
{
    static const char field[] = "X: y\r\n";
    char *text = malloc(sizeof POST + count * sizeof field + 3);
    size_t used = (size_t)sprintf(text, "%s", POST);
    for (size_t i = 1; i < count; i++) {
        used += (size_t)sprintf(text + used, "%s", field);
    }
    sprintf(text + used, "\r\n");
    return text;
}

CLAIM(http_parse__a_head_may_have_exactly_64_fields)
{
    char *fits = head_of_fields(SL_HTTP_FIELDS_MAX);
    struct verdict verdict = parse(sl_span_of(fits));
    CU_ASSERT_EQUAL(verdict.parse, SL_HTTP_DONE);
    CU_ASSERT_EQUAL(verdict.head.field_count, SL_HTTP_FIELDS_MAX);
    free(fits);

    char *over = head_of_fields(SL_HTTP_FIELDS_MAX + 1);
    verdict = parse(sl_span_of(over));
    CU_ASSERT_EQUAL(verdict.parse, SL_HTTP_BAD);
    CU_ASSERT_EQUAL(verdict.status, 431);
    free(over);
}

CLAIM(http_parse__a_target_may_have_exactly_2048_bytes)
{
    for (size_t over = 0; over < 2; over++) {
        char text[SL_HTTP_TARGET_BYTES_MAX + 64];
        char target[SL_HTTP_TARGET_BYTES_MAX + 2];
        memset(target, 'a', sizeof target);
        target[0] = '/';
        target[SL_HTTP_TARGET_BYTES_MAX + over] = '\0';
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "\r\n", target);
        struct verdict verdict = parse(sl_span_of(text));
        CU_ASSERT_EQUAL(verdict.parse, over == 0 ? SL_HTTP_DONE : SL_HTTP_BAD);
        CU_ASSERT_EQUAL(verdict.status, over == 0 ? 0 : 414);
    }
}
