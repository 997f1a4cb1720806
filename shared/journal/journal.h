/*
 * journal - the drop journal: where an event lives that was answered 202 while the broker was away.
 *
 * The whole of it for its owner: append, hear when it is durable, replay, settle. Underneath: journal_writer (thread that appends and syncs),
 * journal_reader (thread that reads back, notes progress, removes), journal_store (the folder), journal_recover (what the last run left).
 *
 * Promise: after on_appended(ok) neither kill -9 nor a power cut loses the event, given a disk that keeps what fdatasync says it keeps. An
 * event is offered for replay until it is acked, so it may come twice, never not at all. Full means refused: the oldest is never dropped.
 * Refuses: blocking its loop; a second owner; a folder others can read; storage that a restart empties (unless told); logging (findings are
 * given to the owner); knowing what a payload means.
 * Law: schemas/journal.md.
 * Threads: every function belongs to the loop it was opened with; callbacks come from that loop, never from inside a call (save close).
 */
#ifndef SHARED_JOURNAL_H
#define SHARED_JOURNAL_H

#include <stdint.h>

#include "shared/journal/journal_finding.h"
#include "shared/journal/journal_format.h"
#include "shared/journal/journal_writer.h"
#include "shared/loop.h"

struct sl_journal;

struct sl_journal_opts {
    const char *dir;           /* made if missing, 0700; its parent must exist */
    uint64_t quota_bytes;      /* of events kept; on disk up to two segments more */
    uint64_t free_floor_bytes; /* free space to leave on the file system; 0: none */
    uint64_t segment_bytes;    /* 0: 64 MiB, less for a small quota */
    size_t queue_records_max;  /* appends not told yet; 0: 4096 */
    size_t queue_bytes_max;    /* of their records; 0: 64 MiB */
    bool allow_volatile; /* storage that a restart empties will do: is_durable is then false */
    unsigned tries_max;  /* failures of one event before it goes to poison/; 0: 5 */
    struct sl_loop *loop;
    struct sl_series *sync_seconds; /* histogram of fdatasync; NULL: none */
    const struct sl_journal_io *io; /* NULL: the real one */
    void *arg;
    /* The event of `cookie` is durable, or is not (then nothing may be answered 2xx for it). Once for each accepted append. */
    void (*on_appended)(void *arg, uint64_t cookie, bool ok, const struct sl_err *err);
    /* After a take that got less than it asked for: there is something to take now. May be NULL. */
    void (*on_replay_ready)(void *arg);
    /* Something a person should know, of the start too (then from the loop's first turn). May be NULL. */
    void (*on_finding)(void *arg, const struct sl_journal_finding *finding);
};

struct sl_journal_stats {
    enum sl_journal_state state;
    bool is_durable;
    uint64_t bytes;         /* of live segments; with poison_bytes against quota_bytes */
    uint64_t poison_events; /* set aside in poison/, of this run and earlier ones */
    uint64_t poison_bytes;
    uint64_t quota_bytes;
    uint64_t pending;   /* events kept and not resolved */
    uint64_t oldest_ns; /* when the oldest of them was received; 0: none */
    size_t segments;
    size_t waiting; /* appends not told yet */
    /* Of this run: appended = acknowledged; found + appended = found_resolved + replayed + poisoned + pending + missing later. */
    struct sl_journal_totals totals;
};

/* Recovers what is there, starts the threads. NULL: SL_E_JOURNAL_UNSAFE, _VOLATILE, _LOCKED, _VERSION, SL_E_IO, SL_E_MEMORY. */
struct sl_journal *sl_journal_open(const struct sl_journal_opts *opts, struct sl_err *err) SL_MUST;
/*
 * Writes what was accepted and tells its callers (on_appended comes from inside), notes progress, gives the folder back. Accepts NULL.
 * Waits for the disk.
 */
void sl_journal_close(struct sl_journal *journal);

/*
 * Takes a copy. True: on_appended tells. False: it cannot be taken now: SL_E_JOURNAL_FULL, _BUSY (the queue is full, or the disk does not follow), _FAILED,
 * SL_E_MEMORY; SL_E_LIMIT: never.
 * provider is the caller's own number; it comes back with the event.
 */
bool sl_journal_append(struct sl_journal *journal, struct sl_span payload, uint16_t provider,
                       uint64_t received_ns, uint64_t cookie, struct sl_err *err) SL_MUST;

/*
 * Up to `max` events to replay, oldest first, payloads borrowed until each is settled by exactly one of ack, fail, defer and put_back. At most
 * SL_JOURNAL_TAKEN_MAX (journal_reader.h) are out at a time. Reading goes on in the background: the first take of a replay gets none.
 */
size_t sl_journal_take(struct sl_journal *journal, struct sl_journal_record *out_records,
                       size_t max) SL_MUST;
/* Confirmed and not returned. */
void sl_journal_ack(struct sl_journal *journal, uint64_t seq);
/* This event was refused for what it is: once more later, behind the others; after tries_max it goes to poison/. */
void sl_journal_fail(struct sl_journal *journal, uint64_t seq);
/* It was refused for the state of its queues: once more later, behind the others, however often. */
void sl_journal_defer(struct sl_journal *journal, uint64_t seq);
/* The broker went away meanwhile: as if it had not been taken. */
void sl_journal_put_back(struct sl_journal *journal, uint64_t seq);

enum sl_journal_state sl_journal_state(const struct sl_journal *journal);
/* "ok", "full", "slow", "failed". */
const char *sl_journal_state_name(enum sl_journal_state state);
void sl_journal_read_stats(const struct sl_journal *journal, struct sl_journal_stats *out_stats);

SL_DEFINE_AUTO(struct sl_journal *, sl_journal_close)

#endif
