#include "ops/replay/replay_chain.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/claims.h"

#define ROWS 4u

struct written {
    char previous[SL_SHA256_HEX_BYTES];
    char text[32];
    char hash[SL_SHA256_HEX_BYTES];
};

/* A chain as it is written: each hash over the raw bytes of the one before and the text. */
static void write_chain(struct written rows[ROWS])
{
    uint8_t head[SL_SHA256_BYTES] = { 0 };
    for (size_t i = 0; i < ROWS; i++) {
        char bytes[SL_SHA256_BYTES + 32];
        snprintf(rows[i].text, sizeof rows[i].text, "[%zu, \"act\"]", i + 1);
        sl_hex_encode(head, sizeof head, rows[i].previous);
        memcpy(bytes, head, sizeof head);
        memcpy(bytes + sizeof head, rows[i].text, strlen(rows[i].text));
        CU_ASSERT_TRUE_FATAL(
            sl_sha256(sl_span_make(bytes, sizeof head + strlen(rows[i].text)), head));
        sl_hex_encode(head, sizeof head, rows[i].hash);
    }
}

static bool add(struct ops_chain *chain, const struct written *row, int64_t seq, struct sl_err *err)
{
    return ops_chain_add(chain,
                         &(struct ops_chain_row){ .seq = seq,
                                                  .text = sl_span_of(row->text),
                                                  .previous = sl_span_of(row->previous),
                                                  .hash = sl_span_of(row->hash) },
                         err);
}

CLAIM(replay_chain__what_was_written_so_is_sound)
{
    struct written rows[ROWS];
    struct ops_chain chain = { 0 };
    struct sl_err err = { 0 };
    write_chain(rows);
    for (size_t i = 0; i < ROWS; i++) {
        CU_ASSERT_TRUE(add(&chain, &rows[i], (int64_t)i + 1, &err));
    }
    CU_ASSERT_EQUAL(chain.rows, ROWS);
}

CLAIM(replay_chain__a_changed_text_is_found)
{
    struct written rows[ROWS];
    struct ops_chain chain = { 0 };
    struct sl_err err = { 0 };
    write_chain(rows);
    rows[1].text[1] = '9';
    CU_ASSERT_TRUE(add(&chain, &rows[0], 1, &err));
    CU_ASSERT_FALSE(add(&chain, &rows[1], 2, &err));
    CU_ASSERT_STRING_EQUAL(err.text, "row 2 is not what was written");
}

CLAIM(replay_chain__a_missing_row_is_found_also_when_the_others_are_renumbered)
{
    struct written rows[ROWS];
    struct ops_chain chain = { 0 };
    struct sl_err err = { 0 };
    write_chain(rows);
    CU_ASSERT_TRUE(add(&chain, &rows[0], 1, &err));
    CU_ASSERT_FALSE(add(&chain, &rows[2], 3, &err));
    CU_ASSERT_STRING_EQUAL(err.text, "row 2 is missing: behind 1 comes 3");
    CU_ASSERT_FALSE(add(&chain, &rows[2], 2, &err));
    CU_ASSERT_STRING_EQUAL(err.text,
                           "row 2 does not follow the row before it: one of them was replaced");
    CU_ASSERT_TRUE(add(&chain, &rows[1], 2, &err));
}
