/*
 * span - borrowed bytes with a length.
 *
 * Never owns, never NUL-terminated by contract. {NULL, 0} means absent; a non-NULL data with 0 bytes means empty.
 * Threads: no state.
 */
#ifndef SHARED_SPAN_H
#define SHARED_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct sl_span {
    const char *data;
    size_t bytes;
};

#define SL_SPAN_LITERAL(text) ((struct sl_span){ (text), sizeof(text) - 1 })
/* For printf("%.*s"): spans printed so must be below INT_MAX bytes. */
#define SL_SPAN_ARGS(span) (int)(span).bytes, (span).data

static inline struct sl_span sl_span_of(const char *text)
{
    return (struct sl_span){ text, text == NULL ? 0 : strlen(text) };
}

static inline struct sl_span sl_span_make(const void *data, size_t bytes)
{
    return (struct sl_span){ (const char *)data, bytes };
}

static inline bool sl_span_is(struct sl_span span, const char *text)
{
    size_t bytes = strlen(text);
    return span.data != NULL && span.bytes == bytes && memcmp(span.data, text, bytes) == 0;
}

/* ASCII case-insensitive, for HTTP field names. */
static inline bool sl_span_is_nocase(struct sl_span span, const char *text)
{
    return span.data != NULL && span.bytes == strlen(text) &&
           strncasecmp(span.data, text, span.bytes) == 0;
}

static inline bool sl_span_eq(struct sl_span a, struct sl_span b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

/* Byte order, shorter first on a common prefix: <0, 0, >0. */
static inline int sl_span_cmp(struct sl_span a, struct sl_span b)
{
    size_t common = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0 || a.bytes == b.bytes) {
        return order;
    }
    return a.bytes < b.bytes ? -1 : 1;
}

static inline bool sl_span_starts_with(struct sl_span span, const char *prefix)
{
    size_t bytes = strlen(prefix);
    return span.bytes >= bytes && memcmp(span.data, prefix, bytes) == 0;
}

static inline bool sl_is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Without leading and trailing spaces, tabs, CR and LF. */
static inline struct sl_span sl_span_trim(struct sl_span span)
{
    while (span.bytes > 0 && sl_is_blank(span.data[0])) {
        span.data++;
        span.bytes--;
    }
    while (span.bytes > 0 && sl_is_blank(span.data[span.bytes - 1])) {
        span.bytes--;
    }
    return span;
}

/*
 * Takes the part of *rest before `separator` (or all of it) and moves *rest behind it. Returns false when *rest was absent.
 * After the last part *rest is absent, so an empty trailing part is still returned once.
 */
static inline bool sl_span_split(struct sl_span *rest, char separator, struct sl_span *out_part)
{
    if (rest->data == NULL) {
        return false;
    }
    const char *found =
        rest->bytes == 0 ? NULL : (const char *)memchr(rest->data, separator, rest->bytes);
    if (found == NULL) {
        *out_part = *rest;
        *rest = (struct sl_span){ NULL, 0 };
        return true;
    }
    size_t before = (size_t)(found - rest->data);
    *out_part = (struct sl_span){ rest->data, before };
    *rest = (struct sl_span){ found + 1, rest->bytes - before - 1 };
    return true;
}

#endif
