#include "shared/nearest.h"

#define WORD_BYTES_MAX 63u
#define SHORT_BYTES    3u

struct name_list {
    const char *const *names;
    size_t count;
};

static const char *next_name(const void *arg, size_t i);

size_t sl_nearest_edits(struct sl_span a, struct sl_span b)
{
    size_t row[WORD_BYTES_MAX + 1];
    if (a.bytes > WORD_BYTES_MAX || b.bytes > WORD_BYTES_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b.bytes; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.bytes; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a.data[i - 1] == b.data[j - 1] ? 0 : 1);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b.bytes];
}

const char *sl_nearest_of(struct sl_span word, const char *(*next)(const void *arg, size_t i),
                          const void *arg)
{
    const char *nearest = NULL;
    size_t part = word.bytes == SHORT_BYTES ? 1 : (word.bytes + 1) / 2;
    size_t fewest = (part < SL_NEAREST_EDITS_MAX ? part : SL_NEAREST_EDITS_MAX) + 1;
    const char *candidate = NULL;
    for (size_t i = 0; (candidate = next(arg, i)) != NULL; i++) {
        size_t edits = sl_nearest_edits(word, sl_span_of(candidate));
        if (edits < fewest) {
            fewest = edits;
            nearest = candidate;
        }
    }
    return nearest;
}

const char *sl_nearest(struct sl_span word, const char *const *names, size_t count)
{
    const struct name_list list = { names, count };
    return sl_nearest_of(word, next_name, &list);
}

static const char *next_name(const void *arg, size_t i)
{
    const struct name_list *list = arg;
    return i < list->count ? list->names[i] : NULL;
}
