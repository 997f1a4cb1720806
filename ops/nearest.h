/*
 * nearest - which of our words a mistyped word was meant to be.
 *
 * Decides only. A suggestion is made for at most three edits and never for more than half of the word.
 * Threads: no state.
 */
#ifndef OPS_NEAREST_H
#define OPS_NEAREST_H

#include <stddef.h>

/* Insertions, deletions and replacements between two words of at most 63 bytes; SIZE_MAX for longer ones. */
size_t ops_nearest_edits(const char *a, const char *b);

/* Walks words with next(arg, i), which returns NULL at the end. NULL when nothing is near. */
const char *ops_nearest(const char *word, const char *(*next)(const void *arg, size_t i),
                        const void *arg);

#endif
