#include "consumer/text.h"

#include "shared/utf8.h"

#define REPLACEMENT       "\xEF\xBF\xBD" /* U+FFFD */
#define REPLACEMENT_BYTES 3u

static bool is_clean(struct sl_span text);
static struct sl_span tail(struct sl_span text, size_t from);

struct sl_span con_text_clean(struct sl_arena *arena, struct sl_span text, size_t bytes_max)
{
    if (text.data == NULL) {
        return text;
    }
    /* What lies behind the cut is not looked at; a replacement can only make the text longer. */
    struct sl_span cut = con_text_cut(text, bytes_max);
    if (is_clean(cut)) {
        return cut;
    }
    char *copy = sl_arena_alloc(arena, cut.bytes * REPLACEMENT_BYTES);
    if (copy == NULL) {
        return (struct sl_span){ 0 };
    }
    size_t used = 0;
    for (size_t at = 0; at < cut.bytes;) {
        uint32_t point = 0;
        unsigned bytes = sl_utf8_next(tail(cut, at), &point);
        bool is_bad = bytes == 0 || point == 0;
        memcpy(copy + used, is_bad ? REPLACEMENT : cut.data + at,
               is_bad ? REPLACEMENT_BYTES : bytes);
        used += is_bad ? REPLACEMENT_BYTES : bytes;
        at += bytes == 0 ? 1 : bytes;
    }
    return con_text_cut(sl_span_make(copy, used), bytes_max);
}

static bool is_clean(struct sl_span text)
{
    for (size_t at = 0; at < text.bytes;) {
        unsigned char first = (unsigned char)text.data[at];
        uint32_t point = first;
        unsigned bytes = first < 0x80 ? 1 : sl_utf8_next(tail(text, at), &point);
        if (bytes == 0 || point == 0) {
            return false;
        }
        at += bytes;
    }
    return true;
}

static struct sl_span tail(struct sl_span text, size_t from)
{
    return sl_span_make(text.data + from, text.bytes - from);
}

struct sl_span con_text_cut(struct sl_span text, size_t bytes_max)
{
    if (text.bytes <= bytes_max) {
        return text;
    }
    size_t bytes = bytes_max;
    while (bytes > 0 && ((unsigned char)text.data[bytes] & 0xC0) == 0x80) {
        bytes--;
    }
    return sl_span_make(text.data, bytes);
}
