#include "consumer/culprit.h"

#define WORD_BYTES_MIN 6u /* shorter ones are in every event */
#define WORDS_MAX      24u
#define SCAN_BYTES_MAX (64u * 1024u * 1024u) /* of bodies, for all words together */

static bool next_word(const char **at, struct sl_span *out_word);
static bool is_word_byte(char c);
static bool find_only(struct sl_span word, const struct con_event *events, struct con_slice slice,
                      size_t *bytes_left, size_t *out_index);

bool con_culprit_find(const char *detail, const struct con_event *events, struct con_slice slice,
                      size_t *out_index)
{
    size_t bytes_left = SCAN_BYTES_MAX;
    struct sl_span word;
    for (unsigned words = 0; words < WORDS_MAX && next_word(&detail, &word); words++) {
        if (find_only(word, events, slice, &bytes_left, out_index)) {
            return true;
        }
    }
    return false;
}

static bool next_word(const char **at, struct sl_span *out_word)
{
    while (**at != '\0') {
        const char *start = *at;
        while (is_word_byte(**at)) {
            (*at)++;
        }
        *out_word = sl_span_make(start, (size_t)(*at - start));
        if (out_word->bytes >= WORD_BYTES_MIN) {
            return true;
        }
        *at += **at == '\0' ? 0 : 1;
    }
    return false;
}

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

static bool find_only(struct sl_span word, const struct con_event *events, struct con_slice slice,
                      size_t *bytes_left, size_t *out_index)
{
    size_t found = 0;
    for (size_t i = slice.first; i < slice.first + slice.count && found < 2; i++) {
        const struct con_event *event = &events[i];
        struct sl_span body = event->envelope.body;
        bool is_meant = event->verdict == CON_PENDING || event->verdict == CON_IGNORED;
        if (!is_meant || body.data == NULL) {
            continue;
        }
        if (body.bytes > *bytes_left) {
            return false;
        }
        *bytes_left -= body.bytes;
        if (memmem(body.data, body.bytes, word.data, word.bytes) != NULL) {
            found++;
            *out_index = i;
        }
    }
    return found == 1;
}
