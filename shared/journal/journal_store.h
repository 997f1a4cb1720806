/*
 * journal_store - what is in the journal's folder: its segments, its spare, and what is said about them.
 *
 * What it is: the state that the journal's threads share, and the acts on files that are neither appending nor replaying.
 * Files: LOCK · drop-<first number>.slj · spare.slj (room kept for a full disk) · progress · poison/ · <segment>.corrupt-<offset>.
 * Refuses: what journal_folder refuses; truncating or rewriting what it finds.
 * Law: sequence numbers of acknowledged events have no gap; segments are removed oldest first, each only when all its events are resolved.
 * Threads: fields say whose they are; `lock` guards the list of segments and the counters.
 */
#ifndef SHARED_JOURNAL_STORE_H
#define SHARED_JOURNAL_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "shared/journal/journal_finding.h"
#include "shared/journal/journal_folder.h"
#include "shared/journal/journal_format.h"

#define SL_JOURNAL_SEGMENT_BYTES (64u * 1024u * 1024u)
#define SL_JOURNAL_FINDINGS_MAX  64u
#define SL_JOURNAL_SPARE_NAME    "spare.slj"
#define SL_JOURNAL_PROGRESS_NAME "progress"

/* One file of events. All fields under the store's lock, save those that never change. */
struct sl_journal_segment {
    struct sl_journal_segment *newer;
    uint64_t first_seq; /* never changes */
    uint8_t salt[SL_JOURNAL_SALT_BYTES];
    uint64_t next_seq;      /* behind the last durable event */
    uint64_t bytes;         /* a reader reads up to here */
    uint64_t records;       /* durable events in it */
    uint64_t resolved;      /* of those: replayed or moved to poison/ */
    uint64_t oldest_ns;     /* received time of its first event; 0: none */
    uint8_t *resolved_bits; /* bit i: event first_seq + i; NULL: none resolved */
    size_t resolved_bytes;
    uint64_t in_hand;     /* loaded by the reader and not resolved yet */
    uint64_t read_to_seq; /* the reader has loaded or skipped everything up to here */
    uint64_t hole_bytes;  /* damage that has been told already */
    int64_t retry_at_us;  /* the reader leaves it alone until then, after an error */
    bool is_read;         /* the reader has seen its end */
    bool is_active;       /* the writer appends to it */
    bool is_sealed;
    bool is_suspect; /* a write or sync of it failed: replayed first */
};

struct sl_journal_totals {
    uint64_t bytes;          /* in live segments */
    uint64_t appended;       /* acknowledged since the start */
    uint64_t refused;        /* accepted into the queue, then failed */
    uint64_t replayed;       /* since the start */
    uint64_t poisoned;       /* since the start */
    uint64_t found;          /* events the start found, resolved ones included */
    uint64_t found_resolved; /* of those, resolved before the start */
    uint64_t torn_bytes;     /* all of the following: found at the start or later */
    uint64_t corrupt_bytes;
    uint64_t missing;
    uint64_t quarantined; /* whole files */
    uint64_t syncs;
    uint64_t sync_last_us;
    uint64_t sync_max_us;
};

struct sl_journal_store {
    const struct sl_journal_io *io; /* never changes */
    struct sl_journal_folder folder;
    uint64_t segment_bytes;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* for the reader: something became durable, resolved, or is wanted */
    uint64_t changes;       /* how often */
    struct sl_journal_segment *oldest;
    struct sl_journal_segment *newest;
    size_t segment_count;
    uint64_t next_seq; /* of the next durable event */
    struct sl_journal_totals totals;
    struct sl_journal_finding findings[SL_JOURNAL_FINDINGS_MAX];
    size_t finding_count;
    uint64_t findings_lost;
    bool progress_dirty;

    int spare_fd; /* writer's; -1: none */
    int wake_fd; /* eventfd: tells the loop that there is something to hear; -1 before there is a loop */
    _Atomic bool is_waking;
    _Atomic uint64_t bytes;         /* in live segments */
    _Atomic uint64_t poison_events; /* in poison/, as it was last counted */
    _Atomic uint64_t poison_bytes;
    int64_t poison_seen_s; /* the reader's: when the folder had changed then; 0: count again */
};

struct sl_journal_store_opts {
    const char *dir;
    uint64_t segment_bytes;
    bool allow_volatile;
    const struct sl_journal_io *io; /* NULL: the real one */
};

/* Opens the folder. Reads no segment yet (journal_recover does). */
bool sl_journal_store_open(struct sl_journal_store *store, const struct sl_journal_store_opts *opts,
                           struct sl_err *err) SL_MUST;
/* Gives the lock back. Accepts zeroed or half-opened storage. */
void sl_journal_store_done(struct sl_journal_store *store);

/*
 * Opens a folder for looking only: no lock is taken, nothing is made. *out_is_owned: some process holds the lock.
 * The descriptor is the caller's to close; -1 on failure.
 */
int sl_journal_store_look(const char *dir, bool *out_is_owned, struct sl_err *err) SL_MUST;

/* Writer: has a spare, or makes one now. 0 or errno. */
int sl_journal_store_spare(struct sl_journal_store *store);
/*
 * Writer: turns the spare into the segment that starts with next_seq: header, fdatasync, rename, fsync of the folder; only then is it in
 * the list. A file of that name can hold nothing that was acknowledged and is removed. *out_fd is the caller's. 0 or errno.
 */
int sl_journal_store_begin(struct sl_journal_store *store, int *out_fd,
                           struct sl_journal_segment **out_segment);
/* Writer: takes its open segment, in which nothing became durable, out of the list, and removes its file. */
void sl_journal_store_discard(struct sl_journal_store *store, struct sl_journal_segment *segment);
/* Takes the newest segment out of the list and frees it; its file stays (under lock or before there are threads). */
void sl_journal_store_unlink(struct sl_journal_store *store, struct sl_journal_segment *segment);

/* Adds a segment that is newer than all in the list (under lock or before there are threads). NULL without memory. */
struct sl_journal_segment *sl_journal_store_add(struct sl_journal_store *store, uint64_t first_seq,
                                                const uint8_t salt[SL_JOURNAL_SALT_BYTES]);
/* So many more bytes of it are durable (under lock). */
void sl_journal_store_grow(struct sl_journal_store *store, struct sl_journal_segment *segment,
                           uint64_t bytes);
/* Marks an event as replayed or poisoned (under lock). False when it already was, or without memory: then it is replayed again. */
bool sl_journal_store_resolve(struct sl_journal_store *store, struct sl_journal_segment *segment,
                              uint64_t seq);
bool sl_journal_segment_is_resolved(const struct sl_journal_segment *segment, uint64_t seq);

/* Wakes the reader's thread (under lock). */
void sl_journal_store_signal(struct sl_journal_store *store);

/*
 * Removes the oldest segments as long as they are resolved and closed, up to `keep` (may be NULL), which somebody reads. By the
 * reader's thread only. Returns how many are gone.
 */
size_t sl_journal_store_prune(struct sl_journal_store *store,
                              const struct sl_journal_segment *keep);
/* Prune would find something to remove (under lock). */
bool sl_journal_store_is_prunable(const struct sl_journal_store *store);

/* Copies [from, to) of a segment to <name>.corrupt-<from>, once. Reports what fails; the segment itself is never touched. */
void sl_journal_store_copy_aside(struct sl_journal_store *store, const char *name, uint64_t from,
                                 uint64_t to);

/* What counts towards the quota: live segments, and what was set aside. */
uint64_t sl_journal_store_kept_bytes(const struct sl_journal_store *store);

/* Free space of the file system is below floor_bytes. Unknown is not below. */
bool sl_journal_store_is_low(const struct sl_journal_store *store, uint64_t floor_bytes);

/* Keeps a finding for the loop and wakes it. Takes the lock. place may be NULL. */
void sl_journal_store_tell(struct sl_journal_store *store, const struct sl_journal_finding *finding,
                           const char *place);
/* The loop has something to hear: findings, finished batches, events to replay. */
void sl_journal_store_wake(struct sl_journal_store *store);

#endif
