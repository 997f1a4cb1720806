/*
 * journal_recover - what the last run left, found again before anything is appended.
 *
 * Acts on the folder of an opened store: scans every segment in order, notes what is lost, copies damage aside, and fills the store's list.
 * Never truncates, never rewrites, never appends to what it finds.
 * Law: shared/journal/journal_scan.h per segment; across segments, a number that is missing is a gap, a segment that must be sealed and is not
 * has lost its end, and the last may be torn without alarm. The next number is above every number seen anywhere, names included.
 * Threads: before there are any.
 */
#ifndef SHARED_JOURNAL_RECOVER_H
#define SHARED_JOURNAL_RECOVER_H

#include "shared/journal/journal_store.h"

/* SL_E_JOURNAL_VERSION: a newer program was here and nothing was touched. SL_E_IO, SL_E_MEMORY, SL_E_JOURNAL_UNSAFE. */
bool sl_journal_recover(struct sl_journal_store *store, struct sl_err *err) SL_MUST;

#define SL_JOURNAL_SEGMENTS_MAX 65536u

/* The segments of a folder by name, oldest first. The caller frees *out_first_seqs. */
bool sl_journal_list(int dir_fd, uint64_t **out_first_seqs, size_t *out_count,
                     struct sl_err *err) SL_MUST;

#endif
