/*
 * journal_progress - which events of which segment were replayed already, across restarts.
 *
 * Acts: reads and replaces one small file. Losing it costs duplicates, never an event, so whatever is wrong with it is a finding and not a
 * failure; only a newer version stops the start.
 * Law: schemas/journal.md. Entries are bound to a segment by its salt, so that a number that is used again can never inherit them.
 * Threads: save by the reader's thread; the rest before there are threads.
 */
#ifndef SHARED_JOURNAL_PROGRESS_H
#define SHARED_JOURNAL_PROGRESS_H

#include "shared/buf.h"
#include "shared/journal/journal_store.h"

struct sl_journal_progress {
    struct sl_buf bytes; /* the proven file; empty when there is none */
    uint64_t next_seq;   /* of the run that wrote it; 0: unknown */
    bool is_damaged;     /* there is a file, and it proves nothing */
};

/* SL_E_JOURNAL_VERSION only for a newer file; SL_E_IO, SL_E_MEMORY when it cannot be read now. */
bool sl_journal_progress_load(struct sl_journal_progress *progress, const struct sl_journal_io *io,
                              int dir_fd, struct sl_err *err) SL_MUST;
void sl_journal_progress_done(struct sl_journal_progress *progress);
/* The resolved bits of a segment; NULL when none are known. Borrows. */
const uint8_t *sl_journal_progress_bits(const struct sl_journal_progress *progress,
                                        uint64_t first_seq,
                                        const uint8_t salt[SL_JOURNAL_SALT_BYTES],
                                        size_t *out_bytes);

/* Writes it if something changed. 0 or errno. Takes the lock. */
int sl_journal_progress_save(struct sl_journal_store *store, struct sl_buf *scratch);

#endif
