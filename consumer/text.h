/*
 * text - text from outside, made fit for Postgres, headers and people.
 *
 * Decides only. Malformed UTF-8 and U+0000 become U+FFFD; what is too long is cut between two characters.
 * Threads: no state.
 */
#ifndef CONSUMER_TEXT_H
#define CONSUMER_TEXT_H

#include "shared/arena.h"

/* text itself when there is nothing to change, else a copy in the arena; absent without memory, or when text is. */
struct sl_span con_text_clean(struct sl_arena *arena, struct sl_span text, size_t bytes_max);

/* text itself, shortened to at most bytes_max without cutting a character. */
struct sl_span con_text_cut(struct sl_span text, size_t bytes_max);

#endif
