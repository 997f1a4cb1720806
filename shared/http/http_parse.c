#include "shared/http/http_parse.h"

#include "shared/http/http_bytes.h"

/* The longest registered method has 17; for longer ones RFC 9112 section 3 asks for 501. */
#define METHOD_BYTES_MAX  32u
#define LENGTH_DIGITS_MAX 19u /* 10^19 - 1 fits 64 bits */

/* Reading position in a head. A step that returns DONE has moved `at` behind what it read. */
struct cursor {
    struct sl_span bytes; /* cut at SL_HTTP_HEAD_BYTES_MAX */
    size_t at;
    bool is_cut;
    int status; /* of BAD */
    const char *why;
};

/* Which once-only fields a head has had so far. */
enum single { HOST_FIELD, LENGTH, ENCODING, STRIPE_SIGNATURE, AUTHORIZATION, SINGLES };
static const char *const single_names[SINGLES] = {
    [HOST_FIELD] = "Host",
    [LENGTH] = "Content-Length",
    [ENCODING] = "Transfer-Encoding",
    [STRIPE_SIGNATURE] = "Stripe-Signature",
    [AUTHORIZATION] = "Authorization",
};

struct seen {
    bool single[SINGLES];
    bool close;
    bool keep_alive;
};

static enum sl_http_parse read_request_line(struct cursor *cursor, struct sl_http_head *head);
static enum sl_http_parse read_method(struct cursor *cursor, struct sl_http_head *head);
static enum sl_http_parse read_target(struct cursor *cursor, struct sl_http_head *head);
static enum sl_http_parse read_version(struct cursor *cursor, struct sl_http_head *head);
static enum sl_http_parse read_fields(struct cursor *cursor, struct sl_http_head *head);
static enum sl_http_parse read_field(struct cursor *cursor, struct sl_http_field *field);
static enum sl_http_parse read_line_end(struct cursor *cursor);
static enum sl_http_parse bad(struct cursor *cursor, int status, const char *why);
static enum sl_http_parse out_of_bytes(struct cursor *cursor);
static const char *understand(struct sl_http_head *head);
static const char *note_field(struct sl_http_head *head, struct seen *seen,
                              const struct sl_http_field *field);
static const char *note_single(struct sl_http_head *head, enum single which, struct sl_span value);
static void note_connection(struct seen *seen, struct sl_span value);
static bool read_length(struct sl_span digits, uint64_t *out_length);
static bool is_host(struct sl_span value);
static bool is_in_ipv6(char byte);

enum sl_http_parse sl_http_parse_head(struct sl_span bytes, struct sl_http_head *out_head,
                                      size_t *out_used, int *out_status, const char **out_why)
{
    struct cursor cursor = { .bytes = bytes };
    if (bytes.bytes > SL_HTTP_HEAD_BYTES_MAX) {
        cursor.bytes.bytes = SL_HTTP_HEAD_BYTES_MAX;
    }
    cursor.is_cut = bytes.bytes >= SL_HTTP_HEAD_BYTES_MAX;

    enum sl_http_parse verdict = read_request_line(&cursor, out_head);
    if (verdict == SL_HTTP_DONE) {
        verdict = read_fields(&cursor, out_head);
    }
    if (verdict == SL_HTTP_DONE) {
        const char *why = understand(out_head);
        if (why != NULL) {
            verdict = bad(&cursor, 400, why);
        }
    }
    if (verdict == SL_HTTP_DONE) {
        *out_used = cursor.at;
    } else if (verdict == SL_HTTP_BAD) {
        *out_status = cursor.status;
        *out_why = cursor.why;
    }
    return verdict;
}

static enum sl_http_parse read_request_line(struct cursor *cursor, struct sl_http_head *head)
{
    enum sl_http_parse verdict = read_method(cursor, head);
    if (verdict == SL_HTTP_DONE) {
        verdict = read_target(cursor, head);
    }
    if (verdict == SL_HTTP_DONE) {
        verdict = read_version(cursor, head);
    }
    return verdict;
}

static enum sl_http_parse read_method(struct cursor *cursor, struct sl_http_head *head)
{
    const char *data = cursor->bytes.data;
    size_t at = 0;
    while (at < cursor->bytes.bytes && sl_http_is(data[at], SL_HTTP_TOKEN)) {
        at++;
        if (at > METHOD_BYTES_MAX) {
            return bad(cursor, 501, "method too long");
        }
    }
    if (at == cursor->bytes.bytes) {
        return out_of_bytes(cursor);
    }
    if (at == 0 || data[at] != ' ') {
        return bad(cursor, 400, "malformed method");
    }
    head->method = sl_span_make(data, at);
    cursor->at = at + 1;
    return SL_HTTP_DONE;
}

static enum sl_http_parse read_target(struct cursor *cursor, struct sl_http_head *head)
{
    const char *data = cursor->bytes.data + cursor->at;
    size_t bytes = cursor->bytes.bytes - cursor->at;
    if (bytes > 0 && data[0] != '/') {
        return bad(cursor, 400, "target is not a path");
    }
    unsigned class = SL_HTTP_PATH;
    size_t question = 0;
    size_t at = 0;
    for (; at < bytes && data[at] != ' '; at++) {
        if (at >= SL_HTTP_TARGET_BYTES_MAX) {
            return bad(cursor, 414, "target too long");
        }
        if (data[at] == '?' && class == SL_HTTP_PATH) {
            class = SL_HTTP_QUERY;
            question = at;
        } else if (!sl_http_is(data[at], class)) {
            return bad(cursor, 400, "byte not allowed in target");
        }
        if (at >= 1 && data[at - 1] == '%' && sl_http_hex_digit(data[at]) < 0) {
            return bad(cursor, 400, "broken percent encoding");
        }
        if (at >= 2 && data[at - 2] == '%' && sl_http_hex_digit(data[at]) < 0) {
            return bad(cursor, 400, "broken percent encoding");
        }
    }
    if (at == bytes) {
        return out_of_bytes(cursor);
    }
    if (data[at - 1] == '%' || (at >= 2 && data[at - 2] == '%')) {
        return bad(cursor, 400, "broken percent encoding");
    }
    bool has_query = class == SL_HTTP_QUERY;
    head->path = sl_span_make(data, has_query ? question : at);
    head->query = (struct sl_span){ NULL, 0 };
    if (has_query) {
        head->query = sl_span_make(data + question + 1, at - question - 1);
    }
    cursor->at += at + 1;
    return SL_HTTP_DONE;
}

static enum sl_http_parse read_version(struct cursor *cursor, struct sl_http_head *head)
{
    static const char pattern[] = "HTTP/#.#";
    const char *data = cursor->bytes.data + cursor->at;
    size_t bytes = cursor->bytes.bytes - cursor->at;
    for (size_t i = 0; i < sizeof pattern - 1; i++) {
        if (i == bytes) {
            return out_of_bytes(cursor);
        }
        bool fits = pattern[i] == '#' ? data[i] >= '0' && data[i] <= '9' : data[i] == pattern[i];
        if (!fits) {
            return bad(cursor, 400, "malformed version");
        }
    }
    if (data[5] != '1' || data[7] > '1') {
        return bad(cursor, 505, "version not supported");
    }
    head->minor_version = data[7] == '1';
    cursor->at += sizeof pattern - 1;
    return read_line_end(cursor);
}

static enum sl_http_parse read_fields(struct cursor *cursor, struct sl_http_head *head)
{
    head->field_count = 0;
    for (;;) {
        if (cursor->at == cursor->bytes.bytes) {
            return out_of_bytes(cursor);
        }
        if (cursor->bytes.data[cursor->at] == '\r') {
            return read_line_end(cursor);
        }
        if (head->field_count == SL_HTTP_FIELDS_MAX) {
            return bad(cursor, 431, "too many fields");
        }
        enum sl_http_parse verdict = read_field(cursor, &head->fields[head->field_count]);
        if (verdict != SL_HTTP_DONE) {
            return verdict;
        }
        head->field_count++;
    }
}

static enum sl_http_parse read_field(struct cursor *cursor, struct sl_http_field *field)
{
    const char *data = cursor->bytes.data;
    size_t end = cursor->bytes.bytes;
    size_t at = cursor->at;
    while (at < end && sl_http_is(data[at], SL_HTTP_TOKEN)) {
        at++;
    }
    if (at == end) {
        return out_of_bytes(cursor);
    }
    if (at == cursor->at || data[at] != ':') {
        return bad(cursor, 400,
                   "malformed field name"); /* also obs-fold and space before the colon */
    }
    field->name = sl_span_make(data + cursor->at, at - cursor->at);

    size_t value_at = at + 1;
    while (value_at < end && (data[value_at] == ' ' || data[value_at] == '\t')) {
        value_at++;
    }
    at = value_at;
    while (at < end && sl_http_is(data[at], SL_HTTP_VALUE)) {
        at++;
    }
    size_t value_end = at;
    while (value_end > value_at && (data[value_end - 1] == ' ' || data[value_end - 1] == '\t')) {
        value_end--;
    }
    field->value = sl_span_make(data + value_at, value_end - value_at);
    cursor->at = at;
    return read_line_end(cursor);
}

/* Exactly CR LF. */
static enum sl_http_parse read_line_end(struct cursor *cursor)
{
    static const char line_end[] = { '\r', '\n' };
    for (size_t i = 0; i < sizeof line_end; i++, cursor->at++) {
        if (cursor->at == cursor->bytes.bytes) {
            return out_of_bytes(cursor);
        }
        if (cursor->bytes.data[cursor->at] != line_end[i]) {
            return bad(cursor, 400, "control byte or malformed line end");
        }
    }
    return SL_HTTP_DONE;
}

static enum sl_http_parse bad(struct cursor *cursor, int status, const char *why)
{
    cursor->status = status;
    cursor->why = why;
    return SL_HTTP_BAD;
}

static enum sl_http_parse out_of_bytes(struct cursor *cursor)
{
    return cursor->is_cut ? bad(cursor, 431, "head too large") : SL_HTTP_MORE;
}

/* What the fields mean for the message's framing; NULL, or what is wrong. */
static const char *understand(struct sl_http_head *head)
{
    head->is_chunked = false;
    head->has_length = false;
    head->content_length = 0;
    head->expects_continue = false;
    struct seen seen = { 0 };
    for (size_t i = 0; i < head->field_count; i++) {
        const char *why = note_field(head, &seen, &head->fields[i]);
        if (why != NULL) {
            return why;
        }
    }
    if (head->minor_version == 1 && !seen.single[HOST_FIELD]) {
        return "Host missing";
    }
    if (head->is_chunked && head->has_length) {
        return "Content-Length beside Transfer-Encoding";
    }
    if (head->is_chunked && head->minor_version == 0) {
        return "Transfer-Encoding in HTTP/1.0"; /* RFC 9112 section 6.1: treat the framing as faulty */
    }
    head->keep_alive = !seen.close && (head->minor_version == 1 || seen.keep_alive);
    return NULL;
}

static const char *note_field(struct sl_http_head *head, struct seen *seen,
                              const struct sl_http_field *field)
{
    for (unsigned i = 0; i < SINGLES; i++) {
        if (sl_span_is_nocase(field->name, single_names[i])) {
            if (seen->single[i]) {
                return "field repeated that must be single";
            }
            seen->single[i] = true;
            return note_single(head, (enum single)i, field->value);
        }
    }
    if (sl_span_is_nocase(field->name, "Connection")) {
        note_connection(seen, field->value);
    } else if (sl_span_is_nocase(field->name, "Expect") && head->minor_version == 1 &&
               sl_span_is_nocase(field->value, "100-continue")) {
        head->expects_continue = true;
    }
    return NULL;
}

static const char *note_single(struct sl_http_head *head, enum single which, struct sl_span value)
{
    switch (which) {
    case HOST_FIELD:
        return is_host(value) ? NULL : "malformed Host";
    case LENGTH:
        head->has_length = read_length(value, &head->content_length);
        return head->has_length ? NULL : "malformed Content-Length";
    case ENCODING:
        head->is_chunked = sl_span_is(value, "chunked");
        return head->is_chunked ? NULL : "Transfer-Encoding is not chunked";
    case STRIPE_SIGNATURE:
    case AUTHORIZATION:
    case SINGLES:
        return NULL;
    }
    return NULL;
}

static void note_connection(struct seen *seen, struct sl_span value)
{
    struct sl_span option = { 0 };
    while (sl_span_split(&value, ',', &option)) {
        option = sl_span_trim(option);
        if (sl_span_is_nocase(option, "close")) {
            seen->close = true;
        } else if (sl_span_is_nocase(option, "keep-alive")) {
            seen->keep_alive = true;
        }
    }
}

/* Canonical decimal: no sign, no leading zero, no list. */
static bool read_length(struct sl_span digits, uint64_t *out_length)
{
    if (digits.bytes == 0 || digits.bytes > LENGTH_DIGITS_MAX ||
        (digits.bytes > 1 && digits.data[0] == '0')) {
        return false;
    }
    uint64_t length = 0;
    for (size_t i = 0; i < digits.bytes; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        length = length * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *out_length = length;
    return true;
}

/* A name (no label of it empty) or an address, then perhaps ":" and digits; an IPv6 address stands in brackets. */
static bool is_host(struct sl_span value)
{
    size_t at = 0;
    if (value.bytes > 0 && value.data[0] == '[') {
        at++;
        while (at < value.bytes && is_in_ipv6(value.data[at])) {
            at++;
        }
        if (at == 1 || at == value.bytes || value.data[at] != ']') {
            return false;
        }
        at++;
    } else {
        while (at < value.bytes && sl_http_is(value.data[at], SL_HTTP_HOST) &&
               (at == 0 || value.data[at] != '.' || value.data[at - 1] != '.')) {
            at++;
        }
    }
    bool is_named = at > 0;
    if (at < value.bytes && value.data[at] == ':') {
        at++;
        while (at < value.bytes && value.data[at] >= '0' && value.data[at] <= '9') {
            at++;
        }
    }
    return is_named && at == value.bytes;
}

static bool is_in_ipv6(char byte)
{
    return byte == ':' || byte == '.' || sl_http_hex_digit(byte) >= 0;
}

struct sl_span sl_http_field(const struct sl_http_head *head, const char *name)
{
    for (size_t i = 0; i < head->field_count; i++) {
        if (sl_span_is_nocase(head->fields[i].name, name)) {
            return head->fields[i].value;
        }
    }
    return (struct sl_span){ NULL, 0 };
}
