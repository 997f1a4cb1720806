/*
 * The reading half of json.h: looking values up, converting them, and cleaning them for Postgres. The text was checked by
 * sl_json_parse (shared/json/json.cc), so what is here may rely on the grammar.
 */
#include "shared/json/json.h"

#include <stdlib.h>

#include "shared/utf8.h"

#define REPLACEMENT_ESCAPE "\\ufffd"
#define REPLACEMENT        0xFFFDu

struct cleaner {
    struct sl_buf *out;
    const char *kept; /* from here up to `at` nothing has been appended yet */
    const char *at;
    const char *end;
    size_t depth;
    size_t replaced;
};

static struct sl_span decode(struct sl_span escaped, struct sl_arena *arena, bool replace_nul,
                             size_t *out_replaced);
static uint32_t take_escape(const char **at, const char *end);
static unsigned read_hex4(const char *digits);
static bool is_surrogate(uint32_t code_point);
static void clean_string(struct cleaner *cleaner);
static void clean_number(struct cleaner *cleaner);
static void pass_container(struct cleaner *cleaner);
static void replace(struct cleaner *cleaner, const char *behind, const char *with);
static const char *string_end(const char *quote);

const struct sl_json *sl_json_get(const struct sl_json *object, const char *key)
{
    return sl_json_child(object, sl_span_of(key));
}

const struct sl_json *sl_json_child(const struct sl_json *object, struct sl_span key)
{
    const struct sl_json *found = NULL;
    if (object == NULL || object->type != SL_JSON_OBJECT) {
        return NULL;
    }
    for (const struct sl_json *at = object->first; at != NULL; at = at->next) {
        if (sl_span_eq(at->key, key)) {
            found = at;
        }
    }
    return found;
}

const struct sl_json *sl_json_at(const struct sl_json *object, const char *path)
{
    return sl_json_at_span(object, sl_span_of(path));
}

const struct sl_json *sl_json_at_span(const struct sl_json *object, struct sl_span path)
{
    struct sl_span key = { 0 };
    while (object != NULL && sl_span_split(&path, '.', &key)) {
        object = sl_json_child(object, key);
    }
    return object;
}

bool sl_json_is_null(const struct sl_json *value)
{
    return value == NULL || value->type == SL_JSON_NULL;
}

bool sl_json_int(const struct sl_json *value, int64_t *out_number)
{
    if (value == NULL || value->type != SL_JSON_NUMBER) {
        return false;
    }
    struct sl_span digits = value->raw;
    bool is_negative = digits.data[0] == '-';
    if (is_negative) {
        digits = sl_span_make(digits.data + 1, digits.bytes - 1);
    }
    /* Counted downwards: the negative side has one number more. */
    int64_t number = 0;
    for (size_t i = 0; i < digits.bytes; i++) {
        int digit = digits.data[i] - '0';
        if (digit < 0 || digit > 9 || number < INT64_MIN / 10 || number * 10 < INT64_MIN + digit) {
            return false;
        }
        number = number * 10 - digit;
    }
    if (!is_negative && number == INT64_MIN) {
        return false;
    }
    *out_number = is_negative ? number : -number;
    return true;
}

struct sl_span sl_json_number_text(const struct sl_json *value)
{
    if (value == NULL || value->type != SL_JSON_NUMBER) {
        return (struct sl_span){ NULL, 0 };
    }
    return value->raw;
}

bool sl_json_true(const struct sl_json *value)
{
    return value != NULL && value->type == SL_JSON_BOOL && value->is_true;
}

struct sl_span sl_json_text(const struct sl_json *value, struct sl_arena *arena, bool replace_nul,
                            size_t *out_replaced)
{
    if (value == NULL || value->type != SL_JSON_STRING) {
        return (struct sl_span){ NULL, 0 };
    }
    struct sl_span inner = sl_span_make(value->raw.data + 1, value->raw.bytes - 2);
    if (inner.bytes == 0 || memchr(inner.data, '\\', inner.bytes) == NULL) {
        return inner;
    }
    return decode(inner, arena, replace_nul, out_replaced);
}

/* Decoding never makes a text longer: the shortest escape of n bytes of UTF-8 is longer than n. */
static struct sl_span decode(struct sl_span escaped, struct sl_arena *arena, bool replace_nul,
                             size_t *out_replaced)
{
    char *text = sl_arena_alloc(arena, escaped.bytes);
    if (text == NULL) {
        return (struct sl_span){ NULL, 0 };
    }
    const char *at = escaped.data;
    const char *end = escaped.data + escaped.bytes;
    size_t bytes = 0;
    size_t replaced = 0;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape == NULL ? end : escape) - at);
        memcpy(text + bytes, at, plain);
        bytes += plain;
        at += plain;
        if (escape == NULL) {
            break;
        }
        uint32_t code_point = take_escape(&at, end);
        if (is_surrogate(code_point) || (code_point == 0 && replace_nul)) {
            code_point = REPLACEMENT;
            replaced++;
        }
        bytes += sl_utf8_put(code_point, text + bytes);
    }
    if (out_replaced != NULL) {
        *out_replaced += replaced;
    }
    return sl_span_make(text, bytes);
}

/* The code point of the escape at *at, a pair of surrogates taken together; a lone one is returned as it is. */
static uint32_t take_escape(const char **at, const char *end)
{
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    char letter = (*at)[1];
    if (letter != 'u') {
        *at += 2;
        const char *found = strchr(letters, letter);
        return (unsigned char)(found == NULL ? letter : meanings[found - letters]);
    }
    uint32_t code_point = read_hex4(*at + 2);
    *at += 6;
    bool is_high = code_point >= 0xD800u && code_point <= 0xDBFFu;
    if (!is_high || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') {
        return code_point;
    }
    uint32_t low = read_hex4(*at + 2);
    if (low < 0xDC00u || low > 0xDFFFu) {
        return code_point;
    }
    *at += 6;
    return 0x10000u + ((code_point - 0xD800u) << 10) + (low - 0xDC00u);
}

static unsigned read_hex4(const char *digits)
{
    unsigned number = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = digits[i];
        number = number * 16 + (unsigned)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return number;
}

static bool is_surrogate(uint32_t code_point)
{
    return code_point >= 0xD800u && code_point <= 0xDFFFu;
}

void sl_json_append_clean(const struct sl_json *value, struct sl_buf *out, size_t *out_replaced)
{
    if (value == NULL) {
        sl_buf_append_text(out, "null");
        return;
    }
    const char *begin = value->raw.data;
    struct cleaner cleaner = {
        .out = out, .kept = begin, .at = begin, .end = begin + value->raw.bytes
    };
    while (cleaner.at < cleaner.end) {
        char byte = *cleaner.at;
        if (byte == '"') {
            clean_string(&cleaner);
        } else if (byte == '-' || (byte >= '0' && byte <= '9')) {
            clean_number(&cleaner);
        } else if (byte == '{' || byte == '[') {
            pass_container(&cleaner);
        } else {
            cleaner.depth -= byte == '}' || byte == ']' ? 1 : 0;
            cleaner.at++;
        }
    }
    sl_buf_append(out, cleaner.kept, (size_t)(cleaner.end - cleaner.kept));
    if (out_replaced != NULL) {
        *out_replaced += cleaner.replaced;
    }
}

static void clean_string(struct cleaner *cleaner)
{
    const char *behind = string_end(cleaner->at);
    for (;;) {
        const char *escape = memchr(cleaner->at, '\\', (size_t)(behind - cleaner->at));
        if (escape == NULL) {
            cleaner->at = behind;
            return;
        }
        cleaner->at = escape;
        const char *after = escape;
        uint32_t code_point = take_escape(&after, behind);
        if (code_point == 0 || is_surrogate(code_point)) {
            replace(cleaner, after, REPLACEMENT_ESCAPE);
        }
        cleaner->at = after;
    }
}

/* Behind the closing quote. */
static const char *string_end(const char *quote)
{
    const char *at = quote + 1;
    while (*at != '"') {
        at += *at == '\\' ? 2 : 1;
    }
    return at + 1;
}

static void clean_number(struct cleaner *cleaner)
{
    const char *after = cleaner->at;
    const char *exponent = NULL;
    while (after < cleaner->end && *after != '\0' && strchr("+-.0123456789eE", *after) != NULL) {
        exponent = *after == 'e' || *after == 'E' ? after + 1 : exponent;
        after++;
    }
    bool is_huge = (size_t)(after - cleaner->at) > SL_JSON_CLEAN_NUMBER_BYTES_MAX;
    if (exponent != NULL && !is_huge) {
        /* What follows a number inside a document is never a digit, and strtol saturates. */
        long power = strtol(exponent, NULL, 10);
        is_huge = power > SL_JSON_CLEAN_EXPONENT_MAX || power < -SL_JSON_CLEAN_EXPONENT_MAX;
    }
    if (is_huge) {
        replace(cleaner, after, "null");
    }
    cleaner->at = after;
}

static void pass_container(struct cleaner *cleaner)
{
    if (cleaner->depth < SL_JSON_CLEAN_DEPTH_MAX) {
        cleaner->depth++;
        cleaner->at++;
        return;
    }
    const char *after = cleaner->at;
    size_t inside = 0;
    do {
        if (*after == '"') {
            after = string_end(after);
            continue;
        }
        inside += *after == '{' || *after == '[' ? 1 : 0;
        inside -= *after == '}' || *after == ']' ? 1 : 0;
        after++;
    } while (inside > 0);
    replace(cleaner, after, "null");
    cleaner->at = after;
}

/* Appends what was kept so far, then `with` instead of the text up to `behind`. */
static void replace(struct cleaner *cleaner, const char *behind, const char *with)
{
    sl_buf_append(cleaner->out, cleaner->kept, (size_t)(cleaner->at - cleaner->kept));
    sl_buf_append_text(cleaner->out, with);
    cleaner->kept = behind;
    cleaner->replaced++;
}
