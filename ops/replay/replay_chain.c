#include "ops/replay/replay_chain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool ops_chain_add(struct ops_chain *chain, const struct ops_chain_row *row, struct sl_err *err)
{
    uint8_t previous[SL_SHA256_BYTES];
    uint8_t hash[SL_SHA256_BYTES];
    uint8_t computed[SL_SHA256_BYTES];
    if (row->seq != chain->rows + 1) {
        return sl_fail(err, SL_E_CONFIG,
                       "row %" PRId64 " is missing: behind %" PRId64 " comes %" PRId64,
                       chain->rows + 1, chain->rows, row->seq);
    }
    if (!sl_hex_decode(row->previous, previous, sizeof previous) ||
        memcmp(previous, chain->head, sizeof previous) != 0) {
        return sl_fail(err, SL_E_CONFIG,
                       "row %" PRId64
                       " does not follow the row before it: one of them was replaced",
                       row->seq);
    }
    size_t bytes = sizeof previous + row->text.bytes;
    char *hashed = malloc(bytes);
    if (hashed == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a row of the audit");
    }
    memcpy(hashed, previous, sizeof previous);
    memcpy(hashed + sizeof previous, row->text.data, row->text.bytes);
    bool is_computed = sl_sha256(sl_span_make(hashed, bytes), computed);
    free(hashed);
    if (!is_computed) {
        return sl_fail(err, SL_E_BUG, "SHA-256 failed");
    }
    if (!sl_hex_decode(row->hash, hash, sizeof hash) || memcmp(computed, hash, sizeof hash) != 0) {
        return sl_fail(err, SL_E_CONFIG, "row %" PRId64 " is not what was written", row->seq);
    }
    memcpy(chain->head, computed, sizeof computed);
    chain->rows = row->seq;
    return true;
}
