#include "ops/nearest.h"

#include <stdint.h>
#include <string.h>

#define WORD_BYTES_MAX 63u
#define EDITS_MAX      3u

size_t ops_nearest_edits(const char *a, const char *b)
{
    size_t a_bytes = strlen(a);
    size_t b_bytes = strlen(b);
    size_t row[WORD_BYTES_MAX + 1];
    if (a_bytes > WORD_BYTES_MAX || b_bytes > WORD_BYTES_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_bytes; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_bytes];
}

const char *ops_nearest(const char *word, const char *(*next)(const void *arg, size_t i),
                        const void *arg)
{
    const char *nearest = NULL;
    size_t half = (strlen(word) + 1) / 2;
    size_t fewest = (half < EDITS_MAX ? half : EDITS_MAX) + 1;
    const char *candidate = NULL;
    for (size_t i = 0; (candidate = next(arg, i)) != NULL; i++) {
        size_t edits = ops_nearest_edits(word, candidate);
        if (edits < fewest) {
            fewest = edits;
            nearest = candidate;
        }
    }
    return nearest;
}
