/*
 * nearest - the known name that a person probably meant.
 *
 * Decides only. Levenshtein distance, at most SL_NEAREST_EDITS_MAX edits and less than half of the name, for names below 64 bytes.
 * Threads: no state.
 */
#ifndef SHARED_NEAREST_H
#define SHARED_NEAREST_H

#include "shared/span.h"

#define SL_NEAREST_EDITS_MAX 3u

/* One of names, or NULL when none is near. */
const char *sl_nearest(struct sl_span name, const char *const *names, size_t count);

#endif
