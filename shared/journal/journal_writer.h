/*
 * journal_writer - the one thread that appends: batches in, fdatasync, answers out.
 *
 * Happy path: the loop copies a record into the batch that is filling (journal_queue); the thread takes the whole batch,
 * numbers and seals its records, writes it with one call at the tracked offset, syncs, and hands it back; the loop tells each caller. While a
 * sync runs the next batch fills, so the disk sets the size of a batch and nobody waits on purpose.
 * Failure modes: a failed write closes the segment for ever; the batch goes once more, whole, to a new one. A failed sync does the same, the
 * file is never synced again and is suspect. If the new segment fails too, the batch's callers are told so and the journal takes nothing
 * until the thread, which tries every second, has made a segment. A sync that runs for more than a second: nothing is taken until it ends. A queue that
 * would take the disk longer than two seconds at its present pace takes no more.
 * Refuses: blocking the loop; saying OK before fdatasync returned 0; growing without a bound; dropping the oldest.
 * Law: reference names in schemas/journal.md, "Appending".
 * Threads: append, reap and the readers of its state belong to the loop; the rest is the thread's.
 */
#ifndef SHARED_JOURNAL_WRITER_H
#define SHARED_JOURNAL_WRITER_H

#include "shared/journal/journal_queue.h"
#include "shared/journal/journal_store.h"
#include "shared/metrics.h"

struct sl_journal_writer;

struct sl_journal_writer_opts {
    struct sl_journal_store *store; /* outlives the writer */
    uint64_t quota_bytes;           /* of all live segments */
    uint64_t free_floor_bytes;      /* of the file system; 0: none */
    size_t queue_records_max;       /* accepted and not reaped */
    size_t queue_bytes_max;         /* on their way to the disk */
    struct sl_series *sync_seconds; /* NULL: not measured there */
};

enum sl_journal_state {
    SL_JOURNAL_OK,
    SL_JOURNAL_FULL,   /* quota, free space, or no room for a segment */
    SL_JOURNAL_SLOW,   /* a sync has been running for more than a second */
    SL_JOURNAL_FAILED, /* the storage refuses writes */
};

/* Starts the thread, which makes the spare. NULL on failure. */
struct sl_journal_writer *sl_journal_writer_new(const struct sl_journal_writer_opts *opts,
                                                struct sl_err *err) SL_MUST;
/* Appends what is queued, seals, ends the thread. What was not reaped yet can be reaped after it. */
void sl_journal_writer_stop(struct sl_journal_writer *writer);
/* After stop and the last reap. Accepts NULL. */
void sl_journal_writer_free(struct sl_journal_writer *writer);

/*
 * Copies the record (its seq is given later). False: it cannot be taken now: SL_E_JOURNAL_FULL, _BUSY, _FAILED; SL_E_LIMIT when it is
 * empty or larger than any record may be. True: reap tells its cookie exactly once.
 */
bool sl_journal_writer_append(struct sl_journal_writer *writer,
                              const struct sl_journal_record *record, uint64_t cookie,
                              struct sl_err *err) SL_MUST;

/* Calls fn for every record that is settled, in order of acceptance. err is set when not ok. fn may append. */
void sl_journal_writer_reap(struct sl_journal_writer *writer,
                            void (*fn)(void *arg, uint64_t cookie, bool ok,
                                       const struct sl_err *err),
                            void *arg);

enum sl_journal_state sl_journal_writer_state(const struct sl_journal_writer *writer);
/* Records accepted and not reaped. */
size_t sl_journal_writer_waiting(const struct sl_journal_writer *writer);

#endif
