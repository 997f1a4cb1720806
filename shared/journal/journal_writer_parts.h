/*
 * journal_writer_parts - what the two sides of the writer share: its struct.
 *
 * journal_writer.c is the loop's side: it admits events, queues them, and tells what became of each. journal_writer_run.c is the thread's: it writes and syncs batches,
 * and sees to it that there is a segment to write to. They meet at the queue and at atomics. Nobody else includes this.
 */
#ifndef SHARED_JOURNAL_WRITER_PARTS_H
#define SHARED_JOURNAL_WRITER_PARTS_H

#include "shared/journal/journal_writer.h"

struct sl_journal_writer {
    struct sl_journal_writer_opts opts;
    struct sl_journal_store *store;
    struct sl_journal_queue *queue;
    bool is_stopped; /* the loop's */

    /* Both sides. */
    _Atomic int broken_errno;      /* why no segment can be made; 0: fine */
    _Atomic bool is_low;           /* free space below the floor */
    _Atomic int64_t sync_began_us; /* 0: no sync is running */
    _Atomic int64_t commit_us;     /* the last batch took so long */

    /* The thread's. */
    pthread_t thread;
    int fd;
    struct sl_journal_segment *segment; /* NULL: none is open */
    uint64_t offset;                    /* behind the last durable byte */
    uint32_t salt_crc;
    uint32_t rolling_crc;
    int64_t tended_us;
    int64_t slow_told_us;
    bool was_used; /* a batch came since the last look at an idle segment */
};

/* The thread: until the queue is stopped and empty. arg: the writer. */
void *sl_journal_writer_run(void *arg);
/* What is due besides batches: space, the spare, a segment after a failure, an idle segment that was replayed. The thread's, and once before it begins. */
void sl_journal_writer_tend(struct sl_journal_writer *writer);

#endif
