/*
 * journal_queue - where the loop and the journal's writing thread meet: records go in, batches go to the disk, outcomes come back.
 *
 * The loop puts a record into the batch that is filling; the thread takes whole batches, oldest first, and settles each; the loop reaps what is
 * settled, record by record, in the order of acceptance. A batch is free again as soon as it is settled, not only when it is reaped: a loop
 * that is busy with a burst of requests has room for as many records as the disk has kept up with.
 * Law: at most bytes_max bytes are on their way to the disk, and records_max records are not reaped. What a burst needed is given back when it is over.
 * Refuses: files, deciding whether a record may be taken at all.
 * Threads: put, reap and waiting belong to the loop; wait and settle to the thread; stop to the loop.
 */
#ifndef SHARED_JOURNAL_QUEUE_H
#define SHARED_JOURNAL_QUEUE_H

#include "shared/buf.h"
#include "shared/journal/journal_format.h"

#define SL_JOURNAL_BATCH_RECORDS_MAX 256u
#define SL_JOURNAL_BATCH_BYTES_MAX   (1024u * 1024u)

/* Records on their way to the disk, laid out as they will lie there. */
struct sl_journal_batch {
    struct sl_journal_batch *next;
    struct sl_buf bytes;
    size_t count;
    uint64_t oldest_ns; /* received_ns of the first record */
};

struct sl_journal_queue;

/* Both limits > 0. */
struct sl_journal_queue *sl_journal_queue_new(size_t records_max, size_t bytes_max,
                                              struct sl_err *err) SL_MUST;
/* When the thread has ended. Accepts NULL. */
void sl_journal_queue_free(struct sl_journal_queue *queue);

/* Copies the record. False: there is no room, or no memory. */
bool sl_journal_queue_put(struct sl_journal_queue *queue, const struct sl_journal_record *record,
                          uint64_t cookie) SL_MUST;
/* Calls fn for every record that is settled: os_error 0 is durable. fn may put. */
void sl_journal_queue_reap(struct sl_journal_queue *queue,
                           void (*fn)(void *arg, uint64_t cookie, int os_error), void *arg);
/* Records put and not reaped, and their bytes. */
size_t sl_journal_queue_waiting(const struct sl_journal_queue *queue);
uint64_t sl_journal_queue_waiting_bytes(const struct sl_journal_queue *queue);
/* Batches on their way, the one that fills included. */
size_t sl_journal_queue_batches(struct sl_journal_queue *queue);
/* Nothing is put any more; the thread gets what is there, then false. */
void sl_journal_queue_stop(struct sl_journal_queue *queue);

/*
 * The oldest batch, to be settled; or, after having waited for one, NULL (wait_us 0: as long as it takes): look at what else is due and
 * come again. False: stopped, and nothing is left.
 */
bool sl_journal_queue_wait(struct sl_journal_queue *queue, int64_t wait_us,
                           struct sl_journal_batch **out_batch) SL_MUST;
/* The outcome of the batch that was taken last; it is the queue's again. */
void sl_journal_queue_settle(struct sl_journal_queue *queue, struct sl_journal_batch *batch,
                             int os_error);

SL_DEFINE_AUTO(struct sl_journal_queue *, sl_journal_queue_free)

#endif
