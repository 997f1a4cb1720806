#include "consumer/fingerprint.h"

#include <inttypes.h>
#include <stdio.h>

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

static uint64_t mix(uint64_t hash, struct sl_span text);
static uint64_t mix_normal(uint64_t hash, struct sl_span text);
static bool is_word(char c);
static bool has_digit(struct sl_span word);

void con_fingerprint(struct sl_span error_class, struct sl_span error_code, struct sl_span type,
                     struct sl_span error, char out_text[CON_FINGERPRINT_BYTES])
{
    uint64_t hash = FNV_OFFSET;
    hash = mix(hash, error_class);
    hash = mix(hash, error_code);
    hash = mix(hash, type);
    hash = mix_normal(hash, error);
    snprintf(out_text, CON_FINGERPRINT_BYTES, "%016" PRIx64, hash);
}

/* With a separator behind it, so that "a","bc" and "ab","c" differ. */
static uint64_t mix(uint64_t hash, struct sl_span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * FNV_PRIME;
    }
    return (hash ^ 0xff) * FNV_PRIME;
}

/* Words that hold a digit and quoted parts count as one and the same word. */
static uint64_t mix_normal(uint64_t hash, struct sl_span text)
{
    for (size_t at = 0; at < text.bytes;) {
        size_t start = at;
        char c = text.data[at];
        if (c == '"' || c == '\'') {
            const char *close = memchr(text.data + at + 1, c, text.bytes - at - 1);
            if (close != NULL) {
                at = (size_t)(close - text.data) + 1;
                hash = mix(hash, SL_SPAN_LITERAL("?"));
                continue;
            }
        }
        while (at < text.bytes && is_word(text.data[at])) {
            at++;
        }
        at += at == start ? 1 : 0;
        struct sl_span word = sl_span_make(text.data + start, at - start);
        hash = mix(hash, has_digit(word) ? SL_SPAN_LITERAL("?") : word);
    }
    return hash;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

static bool has_digit(struct sl_span word)
{
    for (size_t i = 0; i < word.bytes; i++) {
        if (word.data[i] >= '0' && word.data[i] <= '9') {
            return true;
        }
    }
    return false;
}
