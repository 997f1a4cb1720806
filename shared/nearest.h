/*
 * nearest - the known word that a mistyped one was probably meant to be.
 *
 * Decides only. A word is near when few insertions, deletions and replacements lead to it: at most SL_NEAREST_EDITS_MAX, and at most half of the
 * mistyped word; of three letters, one.
 * Threads: no state.
 */
#ifndef SHARED_NEAREST_H
#define SHARED_NEAREST_H

#include "shared/span.h"

#define SL_NEAREST_EDITS_MAX 3u

/* Insertions, deletions and replacements between two words of at most 63 bytes; SIZE_MAX for longer ones. */
size_t sl_nearest_edits(struct sl_span a, struct sl_span b);

/* Walks words with next(arg, i), which returns NULL at the end. NULL when none is near. */
const char *sl_nearest_of(struct sl_span word, const char *(*next)(const void *arg, size_t i),
                          const void *arg);

/* One of names, or NULL when none is near. */
const char *sl_nearest(struct sl_span word, const char *const *names, size_t count);

#endif
