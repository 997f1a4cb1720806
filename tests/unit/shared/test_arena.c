#include "shared/arena.h"

#include <stdalign.h>

#include "tests/support/claims.h"

#define MAX_BYTES 100000u

static bool is_zero(const unsigned char *memory, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (memory[i] != 0) {
            return false;
        }
    }
    return true;
}

CLAIM(arena__memory_is_aligned_zeroed_and_apart_unit_after_unit)
{
    struct sl_arena arena;
    sl_arena_init(&arena, MAX_BYTES);
    for (int unit = 0; unit < 5; unit++) {
        unsigned char *last = NULL;
        size_t last_bytes = 0;
        for (size_t bytes = 0; bytes < 300; bytes += 7) {
            unsigned char *memory = sl_arena_alloc(&arena, bytes);
            CU_ASSERT_FATAL(memory != NULL);
            CU_ASSERT((uintptr_t)memory % alignof(max_align_t) == 0 && is_zero(memory, bytes));
            CU_ASSERT(last == NULL || memory >= last + last_bytes || memory < last);
            memset(memory, 0xff, bytes);
            last = memory;
            last_bytes = bytes;
        }
        unsigned char *large = sl_arena_alloc(&arena, 50000);
        CU_ASSERT(large != NULL && is_zero(large, 50000));
        sl_arena_reset(&arena);
        CU_ASSERT(arena.used_bytes == 0);
    }
    sl_arena_done(&arena);
}

CLAIM(arena__its_ceiling_is_a_null_and_a_reset_gives_it_all_back)
{
    struct sl_arena arena;
    sl_arena_init(&arena, MAX_BYTES);
    for (int unit = 0; unit < 3; unit++) {
        size_t count = 0;
        while (sl_arena_alloc(&arena, 1000) != NULL) {
            count++;
        }
        CU_ASSERT(count >= 98 && count <= 100);
        CU_ASSERT(sl_arena_alloc(&arena, MAX_BYTES) == NULL);
        CU_ASSERT(arena.used_bytes <= MAX_BYTES);
        sl_arena_reset(&arena);
        CU_ASSERT(sl_arena_alloc(&arena, MAX_BYTES) != NULL);
        CU_ASSERT(sl_arena_alloc(&arena, 1) == NULL);
        sl_arena_reset(&arena);
    }
    sl_arena_done(&arena);
    sl_arena_done(&arena);
}

CLAIM(arena__sizes_that_would_overflow_are_refused)
{
    struct sl_arena arena;
    sl_arena_init(&arena, MAX_BYTES);
    CU_ASSERT(sl_arena_array(&arena, SIZE_MAX / 2, 3) == NULL);
    CU_ASSERT(sl_arena_array(&arena, 3, SIZE_MAX / 2) == NULL);
    CU_ASSERT(sl_arena_array(&arena, SIZE_MAX, 1) == NULL);
    CU_ASSERT(sl_arena_array(&arena, 10, 0) != NULL);
    CU_ASSERT(sl_arena_array(&arena, 10, 100) != NULL);
    CU_ASSERT(sl_arena_copy(&arena, sl_span_make("x", SIZE_MAX)).data == NULL);
    sl_arena_done(&arena);
}

CLAIM(arena__a_copy_is_terminated_and_an_empty_one_is_not_absent)
{
    struct sl_arena arena;
    sl_arena_init(&arena, MAX_BYTES);
    struct sl_span copy = sl_arena_copy(&arena, SL_SPAN_LITERAL("a\0b"));
    CU_ASSERT(copy.bytes == 3 && memcmp(copy.data, "a\0b", 4) == 0);
    struct sl_span empty = sl_arena_copy(&arena, (struct sl_span){ NULL, 0 });
    CU_ASSERT(empty.data != NULL && empty.bytes == 0 && empty.data[0] == '\0');
    sl_arena_done(&arena);
}
