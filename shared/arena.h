/*
 * arena - memory of one request, one delivery or one batch, released all at once.
 *
 * Owns its blocks. Nothing allocated here outlives the next reset. Has a ceiling; passing it is a NULL, never an abort.
 * Threads: one owner.
 */
#ifndef SHARED_ARENA_H
#define SHARED_ARENA_H

#include "shared/scope.h"
#include "shared/span.h"

struct sl_arena_block;

struct sl_arena {
    struct sl_arena_block *blocks; /* newest first */
    size_t used_bytes;             /* handed out since the last reset */
    size_t bytes_max;
};

void sl_arena_init(struct sl_arena *arena, size_t bytes_max);
void sl_arena_done(struct sl_arena *arena);
/* Forgets everything; keeps the first block for the next unit of work. */
void sl_arena_reset(struct sl_arena *arena);

/* Zeroed, aligned for any type; NULL at the ceiling or without memory. bytes may be 0. */
void *sl_arena_alloc(struct sl_arena *arena, size_t bytes) SL_MUST;
/* Zeroed array; NULL also when count * size would overflow. */
void *sl_arena_array(struct sl_arena *arena, size_t count, size_t item_bytes) SL_MUST;
/* Copy with a NUL behind it; data is NULL when there was no memory. */
struct sl_span sl_arena_copy(struct sl_arena *arena, struct sl_span span) SL_MUST;

#endif
