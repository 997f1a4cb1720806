#include "shared/nearest.h"

#define NAME_BYTES_MAX 63u

static size_t edits_between(struct sl_span a, const char *b);

const char *sl_nearest(struct sl_span name, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t nearest_edits = SL_NEAREST_EDITS_MAX + 1;
    for (size_t i = 0; i < count; i++) {
        size_t edits = edits_between(name, names[i]);
        if (edits < nearest_edits && 2 * edits < strlen(names[i])) {
            nearest_edits = edits;
            nearest = names[i];
        }
    }
    return nearest;
}

static size_t edits_between(struct sl_span a, const char *b)
{
    size_t row[NAME_BYTES_MAX + 1];
    size_t b_bytes = strlen(b);
    if (a.bytes > NAME_BYTES_MAX || b_bytes > NAME_BYTES_MAX) {
        return SIZE_MAX / 2;
    }
    for (size_t j = 0; j <= b_bytes; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a.data[i - 1] == b[j - 1] ? 0 : 1);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_bytes];
}
