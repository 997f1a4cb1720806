/*
 * replay_chain - is the audit what it was when each of its rows was written?
 *
 * Decides only: is given the rows in order, and computes each hash anew.
 * Law: hash = SHA-256(previous, text); previous of the first is 32 zero bytes; seq counts from 1 without a gap (schemas/replay.md).
 * Threads: one owner.
 */
#ifndef OPS_REPLAY_CHAIN_H
#define OPS_REPLAY_CHAIN_H

#include "shared/digest.h"

struct ops_chain {
    int64_t rows;
    uint8_t head[SL_SHA256_BYTES]; /* hash of the last row */
};

struct ops_chain_row {
    int64_t seq;
    struct sl_span text;     /* what was hashed behind `previous` */
    struct sl_span previous; /* hex */
    struct sl_span hash;     /* hex */
};

/* Zeroed storage is an empty chain. False, with what is wrong with it, for a row that is not the next one. */
bool ops_chain_add(struct ops_chain *chain, const struct ops_chain_row *row,
                   struct sl_err *err) SL_MUST;

#endif
