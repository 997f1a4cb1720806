/*
 * fuzz http - a request of any bytes: never a crash, the same verdict however the bytes are split, and no ambiguity in what is accepted.
 *
 * The first byte of the input says where it is split. An accepted head is checked against the rules that keep two servers from reading two
 * different requests in the same bytes. Its chunked body is decoded in one piece and in two, and by a decoder that was written from the grammar
 * alone; the three agree.
 */
#include <stdlib.h>

#include "shared/http/http_parse.h"

#define INPUT_MAX 40000u

struct head_verdict {
    enum sl_http_parse parse;
    size_t used;
    int status;
    struct sl_http_head head;
};

struct body_verdict {
    enum sl_http_parse parse;
    size_t used;
    size_t body_bytes;
    char *body;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
static struct sl_span copy(const char *data, size_t bytes);
static void check_prefixes(struct sl_span whole, const struct head_verdict *verdict, size_t split);
static struct head_verdict parse(struct sl_span bytes);
static void check_head(struct sl_span bytes, const struct head_verdict *verdict);
static void check_body(struct sl_span bytes, size_t split);
static struct body_verdict decode(struct sl_span bytes, size_t split);
static struct body_verdict decode_by_grammar(struct sl_span bytes);
static bool is_inside(struct sl_span part, struct sl_span whole);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2 || bytes > INPUT_MAX) {
        return 0;
    }
    struct sl_span whole = copy((const char *)data + 1, bytes - 1);
    size_t split = data[0] * whole.bytes / 255;
    struct head_verdict verdict = parse(whole);
    check_prefixes(whole, &verdict, split);
    if (verdict.parse == SL_HTTP_DONE) {
        check_head(whole, &verdict);
        struct sl_span body = copy(whole.data + verdict.used, whole.bytes - verdict.used);
        check_body(body, body.bytes == 0 ? 0 : split % body.bytes);
        free((char *)(uintptr_t)body.data);
    }
    check_body(whole, split);
    free((char *)(uintptr_t)whole.data);
    return 0;
}

/* On a heap of exactly its size, so that a read behind it is seen. */
static struct sl_span copy(const char *data, size_t bytes)
{
    char *kept = malloc(bytes == 0 ? 1 : bytes);
    MUST(kept != NULL);
    memcpy(kept, data, bytes);
    return sl_span_make(kept, bytes);
}

/* However the bytes arrive, the verdict is the same: a prefix wants more, or is refused for what the whole is refused for. */
static void check_prefixes(struct sl_span whole, const struct head_verdict *verdict, size_t split)
{
    struct sl_span part = copy(whole.data, split);
    struct head_verdict early = parse(part);
    free((char *)(uintptr_t)part.data);
    switch (early.parse) {
    case SL_HTTP_MORE:
        break;
    case SL_HTTP_DONE:
        MUST(verdict->parse == SL_HTTP_DONE && early.used == verdict->used);
        break;
    case SL_HTTP_BAD:
        MUST(verdict->parse == SL_HTTP_BAD && early.status == verdict->status);
        break;
    }
    if (verdict->parse == SL_HTTP_DONE && split < verdict->used) {
        MUST(early.parse == SL_HTTP_MORE);
    }
}

static struct head_verdict parse(struct sl_span bytes)
{
    struct head_verdict verdict = { .status = 0 };
    const char *why = NULL;
    verdict.parse = sl_http_parse_head(bytes, &verdict.head, &verdict.used, &verdict.status, &why);
    if (verdict.parse == SL_HTTP_BAD) {
        MUST(why != NULL && verdict.status >= 400 && verdict.status < 600);
    }
    return verdict;
}

static void check_head(struct sl_span bytes, const struct head_verdict *verdict)
{
    const struct sl_http_head *head = &verdict->head;
    struct sl_span raw = sl_span_make(bytes.data, verdict->used);
    MUST(verdict->used <= bytes.bytes && verdict->used <= SL_HTTP_HEAD_BYTES_MAX);
    MUST(is_inside(head->method, raw) && head->method.bytes > 0);
    MUST(is_inside(head->path, raw) && head->path.data[0] == '/');
    MUST(head->query.data == NULL || is_inside(head->query, raw));
    MUST(!(head->is_chunked && head->has_length));
    MUST(head->field_count <= SL_HTTP_FIELDS_MAX);
    MUST(memcmp(raw.data + raw.bytes - 4, "\r\n\r\n", 4) == 0);
    size_t lengths = 0;
    size_t encodings = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        MUST(is_inside(head->fields[i].name, raw) && is_inside(head->fields[i].value, raw));
        lengths += sl_span_is_nocase(head->fields[i].name, "Content-Length");
        encodings += sl_span_is_nocase(head->fields[i].name, "Transfer-Encoding");
    }
    MUST(lengths == (size_t)head->has_length && encodings == (size_t)head->is_chunked);
    for (size_t i = 0; i < raw.bytes; i++) {
        unsigned char byte = (unsigned char)raw.data[i];
        bool is_line_end = (byte == '\r' && raw.data[i + 1] == '\n') ||
                           (byte == '\n' && i > 0 && raw.data[i - 1] == '\r');
        MUST(is_line_end || (byte >= ' ' && byte != 0x7f) || byte == '\t');
    }
}

static bool is_inside(struct sl_span part, struct sl_span whole)
{
    return part.data >= whole.data && part.bytes <= whole.bytes &&
           (size_t)(part.data - whole.data) <= whole.bytes - part.bytes;
}

static void check_body(struct sl_span bytes, size_t split)
{
    struct body_verdict whole = decode(bytes, bytes.bytes);
    struct body_verdict parts = decode(bytes, split);
    struct body_verdict grammar = decode_by_grammar(bytes);
    MUST(whole.parse == parts.parse && whole.parse == grammar.parse);
    if (whole.parse == SL_HTTP_DONE) {
        MUST(whole.used == parts.used && whole.used == grammar.used);
        MUST(whole.body_bytes == parts.body_bytes && whole.body_bytes == grammar.body_bytes);
        MUST(memcmp(whole.body, parts.body, whole.body_bytes) == 0);
        MUST(memcmp(whole.body, grammar.body, whole.body_bytes) == 0);
    }
    free(whole.body);
    free(parts.body);
    free(grammar.body);
}

static struct body_verdict decode(struct sl_span bytes, size_t split)
{
    struct body_verdict verdict = { .parse = SL_HTTP_MORE, .body = malloc(bytes.bytes + 1) };
    MUST(verdict.body != NULL);
    struct sl_http_chunks chunks = { 0 };
    size_t end = split;
    while (verdict.parse == SL_HTTP_MORE && verdict.used < bytes.bytes) {
        struct sl_span part = copy(bytes.data + verdict.used, end - verdict.used);
        struct sl_span body = { 0 };
        size_t used = 0;
        int status = 0;
        const char *why = NULL;
        verdict.parse = sl_http_parse_chunks(&chunks, part, &body, &used, &status, &why);
        MUST(used <= part.bytes && is_inside(body, part));
        MUST(verdict.parse != SL_HTTP_BAD || (why != NULL && status == 400));
        memcpy(verdict.body + verdict.body_bytes, body.data, body.bytes);
        verdict.body_bytes += body.bytes;
        verdict.used += used;
        free((char *)(uintptr_t)part.data);
        if (verdict.used == end) {
            end = bytes.bytes;
        }
    }
    return verdict;
}

/* ---- the grammar of RFC 9112 section 7.1 and our limits, read line by line ---- */

static bool take_line(struct sl_span *rest, struct sl_span *out_line);
static bool is_value(struct sl_span text);
static bool is_trailer(struct sl_span line);
static size_t count_size_digits(struct sl_span line);

enum { EXTENSIONS_MAX = 1024, TRAILERS_MAX = 4096, DIGITS_MAX = 16 };

struct reader {
    struct sl_span rest;
    size_t extensions; /* bytes, of the whole body */
    size_t trailers;
};

/* Whether this line, or what there is of it, may be a chunk's size and extension. *out_size is meant for whole lines. */
static bool read_size(struct reader *reader, struct sl_span line, bool is_whole, uint64_t *out_size)
{
    size_t digits = count_size_digits(line);
    struct sl_span extension = sl_span_make(line.data + digits, line.bytes - digits);
    if (digits > DIGITS_MAX || (digits == 0 && (is_whole || line.bytes > 0)) ||
        (extension.bytes > 0 && extension.data[0] != ';')) {
        return false;
    }
    *out_size = 0;
    for (size_t i = 0; i < digits; i++) {
        char digit[2] = { line.data[i], '\0' };
        *out_size = *out_size * 16 + strtoul(digit, NULL, 16);
    }
    reader->extensions += extension.bytes == 0 ? 0 : extension.bytes - 1;
    return reader->extensions <= EXTENSIONS_MAX && is_value(extension);
}

static bool read_trailer(struct reader *reader, struct sl_span line, bool is_whole)
{
    reader->trailers += line.bytes + (is_whole ? 1 : 0); /* its CR is counted too */
    bool has_colon = line.bytes == 0 || memchr(line.data, ':', line.bytes) != NULL;
    return reader->trailers <= TRAILERS_MAX && (line.bytes == 0 || is_trailer(line)) &&
           (has_colon || !is_whole);
}

/* The bytes end in a line: it may go on if nothing follows, or only a CR where a line may end. */
static bool may_go_on(struct reader *reader, struct sl_span line, bool is_trailing)
{
    if (reader->rest.bytes == 0) {
        return true;
    }
    bool may_end = is_trailing ? line.bytes == 0 || memchr(line.data, ':', line.bytes) != NULL
                               : count_size_digits(line) > 0;
    return may_end && reader->rest.bytes == 1 && reader->rest.data[0] == '\r' &&
           reader->trailers + is_trailing <= TRAILERS_MAX;
}

static enum sl_http_parse read_data(struct reader *reader, uint64_t size, struct body_verdict *out)
{
    size_t here = size < reader->rest.bytes ? (size_t)size : reader->rest.bytes;
    memcpy(out->body + out->body_bytes, reader->rest.data, here);
    out->body_bytes += here;
    reader->rest = sl_span_make(reader->rest.data + here, reader->rest.bytes - here);
    size_t end = reader->rest.bytes < 2 ? reader->rest.bytes : 2;
    if (memcmp(reader->rest.data, "\r\n", end) != 0) {
        return SL_HTTP_BAD;
    }
    reader->rest = sl_span_make(reader->rest.data + end, reader->rest.bytes - end);
    return here < size || end < 2 ? SL_HTTP_MORE : SL_HTTP_DONE;
}

/* MORE where the bytes end; what is wrong is found at the first byte that no continuation could mend. */
static struct body_verdict decode_by_grammar(struct sl_span bytes)
{
    struct body_verdict verdict = { .parse = SL_HTTP_DONE, .body = malloc(bytes.bytes + 1) };
    MUST(verdict.body != NULL);
    struct reader reader = { .rest = bytes };
    bool is_trailing = false;
    while (verdict.parse == SL_HTTP_DONE) {
        struct sl_span line = { 0 };
        uint64_t size = 0;
        bool is_whole = take_line(&reader.rest, &line);
        bool is_right = is_trailing ? read_trailer(&reader, line, is_whole)
                                    : read_size(&reader, line, is_whole, &size);
        if (!is_right || !is_whole) {
            bool is_open = is_right && may_go_on(&reader, line, is_trailing);
            verdict.parse = is_open ? SL_HTTP_MORE : SL_HTTP_BAD;
        } else if (is_trailing && line.bytes == 0) {
            verdict.used = (size_t)(reader.rest.data - bytes.data);
            break;
        } else if (size > 0) {
            verdict.parse = read_data(&reader, size, &verdict);
        } else {
            is_trailing = true;
        }
    }
    return verdict;
}

/* Up to CR LF; *rest moves behind it. False: no CR LF; the line is then all before the first CR or LF, and *rest what follows. */
static bool take_line(struct sl_span *rest, struct sl_span *out_line)
{
    size_t at = 0;
    while (at < rest->bytes && rest->data[at] != '\r' && rest->data[at] != '\n') {
        at++;
    }
    *out_line = sl_span_make(rest->data, at);
    *rest = sl_span_make(rest->data + at, rest->bytes - at);
    bool is_whole = rest->bytes >= 2 && memcmp(rest->data, "\r\n", 2) == 0;
    if (is_whole) {
        *rest = sl_span_make(rest->data + 2, rest->bytes - 2);
    }
    return is_whole;
}

static bool is_value(struct sl_span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Of a name and perhaps a colon and a value. */
static bool is_trailer(struct sl_span line)
{
    size_t name = 0;
    while (name < line.bytes && line.data[name] != ':') {
        unsigned char byte = (unsigned char)line.data[name];
        bool is_letter = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                         (byte >= 'a' && byte <= 'z');
        if (!is_letter && (byte == '\0' || strchr("!#$%&'*+-.^_`|~", byte) == NULL)) {
            return false;
        }
        name++;
    }
    return name > 0 && is_value(sl_span_make(line.data + name, line.bytes - name));
}

static size_t count_size_digits(struct sl_span line)
{
    size_t digits = 0;
    while (digits < line.bytes && line.data[digits] != '\0' &&
           strchr("0123456789abcdefABCDEF", line.data[digits]) != NULL) {
        digits++;
    }
    return digits;
}
