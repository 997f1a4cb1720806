/*
 * journal_reader_parts - what the two sides of the reader share: its struct.
 *
 * journal_reader.c is the loop's side: it takes events and says what became of each. journal_reader_run.c is the thread's: it reads ahead, notes progress, moves
 * what failed too often out of the way, and lets go of what is resolved. They meet under the store's lock. Nobody else includes this.
 */
#ifndef SHARED_JOURNAL_READER_PARTS_H
#define SHARED_JOURNAL_READER_PARTS_H

#include "shared/journal/journal_event.h"
#include "shared/journal/journal_reader.h"
#include "shared/journal/journal_walk.h"

struct sl_journal_reader {
    struct sl_journal_reader_opts opts;
    struct sl_journal_store *store;
    pthread_t thread;

    /* Under the store's lock. */
    struct sl_journal_events ready;    /* to be taken, in this order */
    struct sl_journal_events poisoned; /* to be moved to poison/ */
    bool is_wanted;                    /* the loop has begun to take */
    bool is_hungry;                    /* the last take got less than it asked for */
    bool has_news;
    bool stop;
    uint64_t resolved_ns; /* received time of the event resolved last */

    /* The loop's. */
    struct sl_journal_event *taken[SL_JOURNAL_TAKEN_MAX];
    size_t taken_count;
    size_t taken_bytes;

    /* The thread's. */
    struct sl_journal_walk walk;
    struct sl_journal_segment *current; /* what walk reads; NULL: none */
    struct sl_buf scratch;
    int64_t tended_us;
};

/* The thread: until stop is set. arg: the reader. */
void *sl_journal_reader_run(void *arg);

#endif
