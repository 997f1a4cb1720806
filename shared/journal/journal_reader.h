/*
 * journal_reader - the replay side: events out of the segments, oldest first, until each is resolved.
 *
 * Happy path: once the loop has taken for the first time, a thread reads ahead (suspect segments first, then oldest first, the one being
 * written up to its last durable byte) into a bounded store of ready events; the loop takes some, publishes them, and says what became
 * of each. The thread notes progress once a second and removes segments whose events are all resolved.
 * Failure modes: an event that failed too often goes to poison/ and counts as resolved; a segment that cannot be read is left for ten seconds
 * while the others go on; what cannot be noted or removed is tried again, and a crash before it only brings events twice.
 * Refuses: deciding when to replay, how fast, and what a failure is: that is the caller's.
 * Threads: take, ack, fail, defer and put_back belong to the loop; the rest is the thread's.
 */
#ifndef SHARED_JOURNAL_READER_H
#define SHARED_JOURNAL_READER_H

#include "shared/journal/journal_store.h"

/* Events that the loop may hold at a time, and bytes of them (one event always fits). */
#define SL_JOURNAL_TAKEN_MAX       128u
#define SL_JOURNAL_TAKEN_BYTES_MAX (8u * 1024u * 1024u)
/* Read ahead of the loop. */
#define SL_JOURNAL_READY_MAX       256u
#define SL_JOURNAL_READY_BYTES_MAX (2u * 1024u * 1024u)

struct sl_journal_reader;

struct sl_journal_reader_opts {
    struct sl_journal_store *store; /* outlives the reader */
    unsigned tries_max;             /* failures of one event before it is moved to poison/ */
};

/* Starts the thread; it reads nothing before the first take. NULL on failure. */
struct sl_journal_reader *sl_journal_reader_new(const struct sl_journal_reader_opts *opts,
                                                struct sl_err *err) SL_MUST;
/* Notes progress, removes what is resolved, ends the thread, forgets what is loaded. Accepts NULL. */
void sl_journal_reader_free(struct sl_journal_reader *reader);

/*
 * Up to `max` events, oldest first, each to be settled with ack, fail, defer or put_back; payloads are borrowed until then. Fewer than asked
 * for: more may come, and sl_journal_reader_has_news says so once.
 */
size_t sl_journal_reader_take(struct sl_journal_reader *reader,
                              struct sl_journal_record *out_records, size_t max) SL_MUST;
/* Confirmed, and not returned: never offered again. */
void sl_journal_reader_ack(struct sl_journal_reader *reader, uint64_t seq);
/* This event was refused for what it is (unreadable, too large): offered again behind the others, or moved to poison/. */
void sl_journal_reader_fail(struct sl_journal_reader *reader, uint64_t seq);
/* Refused for the state its queues are in (nacked, returned): offered again behind the others, and this was no try. */
void sl_journal_reader_defer(struct sl_journal_reader *reader, uint64_t seq);
/* Nothing was learnt about it (the broker went away): offered again first, and this was no try. */
void sl_journal_reader_put_back(struct sl_journal_reader *reader, uint64_t seq);

/* True once after a take that got less than it asked for, when there is something to take now. */
bool sl_journal_reader_has_news(struct sl_journal_reader *reader);
/* When the oldest event that waits was received; 0: none waits. At worst a little too old. */
uint64_t sl_journal_reader_oldest_ns(const struct sl_journal_reader *reader);

#endif
