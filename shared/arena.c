#include "shared/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define BLOCK_BYTES (16u * 1024u)

struct sl_arena_block {
    struct sl_arena_block *next;
    size_t room_bytes;
    size_t used_bytes;
    alignas(max_align_t) char data[];
};

static struct sl_arena_block *add_block(struct sl_arena *arena, size_t bytes);

void sl_arena_init(struct sl_arena *arena, size_t bytes_max)
{
    SL_ASSERT(bytes_max > 0);
    *arena = (struct sl_arena){ .bytes_max = bytes_max };
}

void sl_arena_done(struct sl_arena *arena)
{
    while (arena->blocks != NULL) {
        struct sl_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->used_bytes = 0;
}

void sl_arena_reset(struct sl_arena *arena)
{
    while (arena->blocks != NULL && arena->blocks->next != NULL) {
        struct sl_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    if (arena->blocks != NULL) {
        arena->blocks->used_bytes = 0;
    }
    arena->used_bytes = 0;
}

void *sl_arena_alloc(struct sl_arena *arena, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    if (bytes > arena->bytes_max) {
        return NULL;
    }
    size_t rounded = (bytes + align - 1) / align * align;
    if (rounded > arena->bytes_max - arena->used_bytes) {
        return NULL;
    }
    struct sl_arena_block *block = arena->blocks;
    if (block == NULL || rounded > block->room_bytes - block->used_bytes) {
        block = add_block(arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }
    void *memory = block->data + block->used_bytes;
    block->used_bytes += rounded;
    arena->used_bytes += rounded;
    memset(memory, 0, rounded);
    return memory;
}

static struct sl_arena_block *add_block(struct sl_arena *arena, size_t bytes)
{
    size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct sl_arena_block *block = malloc(sizeof *block + room);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct sl_arena_block){ .next = arena->blocks, .room_bytes = room };
    arena->blocks = block;
    return block;
}

void *sl_arena_array(struct sl_arena *arena, size_t count, size_t item_bytes)
{
    if (item_bytes != 0 && count > SIZE_MAX / item_bytes) {
        return NULL;
    }
    return sl_arena_alloc(arena, count * item_bytes);
}

struct sl_span sl_arena_copy(struct sl_arena *arena, struct sl_span span)
{
    if (span.bytes == SIZE_MAX) {
        return (struct sl_span){ NULL, 0 };
    }
    char *copy = sl_arena_alloc(arena, span.bytes + 1);
    if (copy == NULL) {
        return (struct sl_span){ NULL, 0 };
    }
    if (span.bytes > 0) {
        memcpy(copy, span.data, span.bytes);
    }
    return (struct sl_span){ copy, span.bytes };
}
