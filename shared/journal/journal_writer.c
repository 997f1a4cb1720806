#include "shared/journal/journal_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"

#define REMAINDER_PARTS                                                                            \
    1024u /* of the quota: with less than this left there is no room for many an event, and it is called full */
#define RETRY_US      1000000 /* between attempts to make a segment, and looks at an idle one */
#define SYNC_WARN_US  100000
#define SYNC_TRIP_US  1000000
#define QUEUE_TRIP_US 2000000 /* schemas/journal.md, "Appending" */

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

enum failed_at { FAILED_WRITE, FAILED_SYNC };

struct reaping {
    void (*fn)(void *arg, uint64_t cookie, bool ok, const struct sl_err *err);
    void *arg;
};

static bool admit(const struct sl_journal_writer *writer, size_t bytes, struct sl_err *err);
static void tell_outcome(void *arg, uint64_t cookie, int os_error);
static void *write_batches(void *arg);
static void end_segment(struct sl_journal_writer *writer);
static struct sl_journal_batch *next_batch(struct sl_journal_writer *writer);
static void tend(struct sl_journal_writer *writer);
static void look_at_space(struct sl_journal_writer *writer);
static void finish(struct sl_journal_writer *writer, struct sl_journal_batch *batch, int os_error);
static int commit(struct sl_journal_writer *writer, struct sl_journal_batch *batch);
static int begin(struct sl_journal_writer *writer);
static int append(struct sl_journal_writer *writer, struct sl_journal_batch *batch);
static void note_durable(struct sl_journal_writer *writer, const struct sl_journal_batch *batch);
static int timed_sync(struct sl_journal_writer *writer);
static void note_sync(struct sl_journal_writer *writer, int64_t took_us);
static void give_up(struct sl_journal_writer *writer, enum failed_at where, int os_error);
static void seal(struct sl_journal_writer *writer);
static void retire(struct sl_journal_writer *writer);
static void close_segment(struct sl_journal_writer *writer);
static void set_broken(struct sl_journal_writer *writer, int os_error);

struct sl_journal_writer *sl_journal_writer_new(const struct sl_journal_writer_opts *opts,
                                                struct sl_err *err)
{
    struct sl_journal_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the journal's writer");
        return NULL;
    }
    writer->opts = *opts;
    writer->store = opts->store;
    writer->fd = -1;
    writer->is_stopped = true;
    writer->queue = sl_journal_queue_new(opts->queue_records_max, opts->queue_bytes_max, err);
    if (writer->queue == NULL) {
        sl_journal_writer_free(writer);
        return NULL;
    }
    tend(writer);

    /* Signals belong to the loop. Blocked, SIGXFSZ too becomes an EFBIG. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&writer->thread, NULL, write_batches, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        sl_journal_writer_free(writer);
        sl_fail(err, SL_E_MEMORY, "cannot start the journal's writer: %s", strerror(failed));
        return NULL;
    }
    writer->is_stopped = false;
    return writer;
}

void sl_journal_writer_stop(struct sl_journal_writer *writer)
{
    if (writer->is_stopped) {
        return;
    }
    sl_journal_queue_stop(writer->queue);
    pthread_join(writer->thread, NULL);
    writer->is_stopped = true;
}

void sl_journal_writer_free(struct sl_journal_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    SL_ASSERT(writer->is_stopped);
    sl_journal_queue_free(writer->queue);
    free(writer);
}

bool sl_journal_writer_append(struct sl_journal_writer *writer,
                              const struct sl_journal_record *record, uint64_t cookie,
                              struct sl_err *err)
{
    if (record->payload.bytes == 0 || record->payload.bytes > SL_JOURNAL_PAYLOAD_BYTES_MAX) {
        return sl_fail(err, SL_E_LIMIT, "a record of %zu bytes cannot be kept",
                       record->payload.bytes);
    }
    return admit(writer, sl_journal_record_bytes(record->payload.bytes), err) &&
           (sl_journal_queue_put(writer->queue, record, cookie) ||
            sl_fail(err, SL_E_JOURNAL_BUSY, "the journal's queue is full"));
}

static bool admit(const struct sl_journal_writer *writer, size_t bytes, struct sl_err *err)
{
    if (writer->is_stopped) {
        return sl_fail(err, SL_E_JOURNAL_FAILED, "the journal is closed");
    }
    switch (sl_journal_writer_state(writer)) {
    case SL_JOURNAL_OK:
        break;
    case SL_JOURNAL_FULL:
        return sl_fail(err, SL_E_JOURNAL_FULL, "the journal's storage has no room");
    case SL_JOURNAL_SLOW:
        return sl_fail(err, SL_E_JOURNAL_BUSY, "the journal's storage does not answer");
    case SL_JOURNAL_FAILED:
        return sl_fail(err, SL_E_JOURNAL_FAILED, "the journal's storage refuses writes: %s",
                       strerror(atomic_load(&writer->broken_errno)));
    }
    if (sl_journal_store_kept_bytes(writer->store) + sl_journal_queue_waiting_bytes(writer->queue) +
            bytes >
        writer->opts.quota_bytes) {
        return sl_fail(err, SL_E_JOURNAL_FULL, "the journal is full (quota %llu bytes)",
                       (unsigned long long)writer->opts.quota_bytes);
    }
    int64_t batches = (int64_t)sl_journal_queue_batches(writer->queue);
    int64_t queue_us = batches * atomic_load(&writer->commit_us);
    if (batches > 1 && queue_us > QUEUE_TRIP_US) {
        return sl_fail(err, SL_E_JOURNAL_BUSY, "the journal's storage does not follow (%lld ms)",
                       (long long)queue_us / 1000);
    }
    return true;
}

void sl_journal_writer_reap(struct sl_journal_writer *writer,
                            void (*fn)(void *arg, uint64_t cookie, bool ok,
                                       const struct sl_err *err),
                            void *arg)
{
    struct reaping reaping = { .fn = fn, .arg = arg };
    sl_journal_queue_reap(writer->queue, tell_outcome, &reaping);
}

static void tell_outcome(void *arg, uint64_t cookie, int os_error)
{
    const struct reaping *reaping = arg;
    struct sl_err err = { 0 };
    if (os_error != 0) {
        bool is_room = os_error == ENOSPC || os_error == EDQUOT;
        sl_fail(&err, is_room ? SL_E_JOURNAL_FULL : SL_E_JOURNAL_FAILED,
                "the journal could not keep the event: %s", strerror(os_error));
    }
    reaping->fn(reaping->arg, cookie, os_error == 0, &err);
}

enum sl_journal_state sl_journal_writer_state(const struct sl_journal_writer *writer)
{
    int broken = atomic_load(&writer->broken_errno);
    if (broken != 0) {
        return broken == ENOSPC || broken == EDQUOT ? SL_JOURNAL_FULL : SL_JOURNAL_FAILED;
    }
    uint64_t full_bytes = writer->opts.quota_bytes - writer->opts.quota_bytes / REMAINDER_PARTS;
    if (atomic_load(&writer->is_low) || sl_journal_store_kept_bytes(writer->store) >= full_bytes) {
        return SL_JOURNAL_FULL;
    }
    int64_t began_us = atomic_load(&writer->sync_began_us);
    return began_us != 0 && sl_clock_mono_us() - began_us > SYNC_TRIP_US ? SL_JOURNAL_SLOW
                                                                         : SL_JOURNAL_OK;
}

size_t sl_journal_writer_waiting(const struct sl_journal_writer *writer)
{
    return sl_journal_queue_waiting(writer->queue);
}

static void *write_batches(void *arg)
{
    struct sl_journal_writer *writer = arg;
    struct sl_journal_batch *batch = NULL;
    while ((batch = next_batch(writer)) != NULL) {
        writer->was_used = true;
        int64_t began_us = sl_clock_mono_us();
        int os_error = commit(writer, batch);
        atomic_store(&writer->commit_us, sl_clock_mono_us() - began_us);
        finish(writer, batch, os_error);
    }
    end_segment(writer);
    return NULL;
}

/* At a clean stop: sealed, or gone when nothing in it is needed. */
static void end_segment(struct sl_journal_writer *writer)
{
    struct sl_journal_segment *segment = writer->segment;
    if (segment == NULL) {
        return;
    }
    if (segment->records == 0) {
        close_segment(writer);
        return;
    }
    retire(writer);
    if (writer->segment != NULL) {
        seal(writer);
    }
}

/* Waits for a batch, tending what else is due; NULL: stopped and nothing is left. */
static struct sl_journal_batch *next_batch(struct sl_journal_writer *writer)
{
    struct sl_journal_batch *batch = NULL;
    bool is_over = false;
    while (batch == NULL && !is_over) {
        tend(writer);
        bool is_timed = writer->segment != NULL || writer->store->spare_fd < 0 ||
                        atomic_load(&writer->broken_errno) != 0 || atomic_load(&writer->is_low);
        is_over = !sl_journal_queue_wait(writer->queue, is_timed ? RETRY_US : 0, &batch);
    }
    return batch;
}

/* What is due besides batches: space, the spare, a segment after a failure, an idle segment that was replayed. */
static void tend(struct sl_journal_writer *writer)
{
    look_at_space(writer);
    int64_t now_us = sl_clock_mono_us();
    if (writer->tended_us != 0 && now_us - writer->tended_us < RETRY_US) {
        return;
    }
    writer->tended_us = now_us;
    int broken = atomic_load(&writer->broken_errno);
    int failed = broken == 0 ? 0 : begin(writer);
    if (failed == 0) {
        failed = sl_journal_store_spare(writer->store);
        failed = writer->segment != NULL ? 0 : failed; /* the open segment still takes events */
    }
    set_broken(writer, failed);
    if (writer->segment != NULL && !writer->was_used) {
        retire(writer);
    }
    writer->was_used = false;
}

static void look_at_space(struct sl_journal_writer *writer)
{
    bool is_low = sl_journal_store_is_low(writer->store, writer->opts.free_floor_bytes);
    if (is_low != atomic_exchange(&writer->is_low, is_low)) {
        sl_journal_store_tell(
            writer->store,
            &(struct sl_journal_finding){ .what = is_low ? SL_JOURNAL_TELL_SPACE_LOW
                                                         : SL_JOURNAL_TELL_SPACE_BACK },
            NULL);
    }
}

static void finish(struct sl_journal_writer *writer, struct sl_journal_batch *batch, int os_error)
{
    pthread_mutex_lock(&writer->store->lock);
    writer->store->totals.appended += os_error == 0 ? batch->count : 0;
    writer->store->totals.refused += os_error == 0 ? 0 : batch->count;
    pthread_mutex_unlock(&writer->store->lock);
    sl_journal_queue_settle(writer->queue, batch, os_error);
    sl_journal_store_wake(writer->store);
}

/* 0 when every record of the batch is durable, else errno. */
static int commit(struct sl_journal_writer *writer, struct sl_journal_batch *batch)
{
    uint64_t needed = batch->bytes.used_bytes + SL_JOURNAL_SEAL_BYTES;
    if (writer->segment != NULL && writer->offset > SL_JOURNAL_HEADER_BYTES &&
        writer->offset + needed > writer->store->segment_bytes) {
        seal(writer);
    }
    int failed = writer->segment != NULL ? 0 : begin(writer);
    if (failed == 0) {
        failed = append(writer, batch);
        if (failed != 0) {
            failed = begin(writer);
            failed = failed != 0 ? failed : append(writer, batch);
        }
    }
    set_broken(writer, failed);
    return failed;
}

static int begin(struct sl_journal_writer *writer)
{
    if (writer->segment != NULL) {
        return 0;
    }
    int failed = sl_journal_store_begin(writer->store, &writer->fd, &writer->segment);
    if (failed == 0) {
        writer->offset = SL_JOURNAL_HEADER_BYTES;
        writer->salt_crc = sl_journal_salt_crc(writer->segment->salt);
        writer->rolling_crc = 0;
        writer->tended_us = 0; /* the next spare is due */
    }
    return failed;
}

/* One write, one sync. On failure the segment is given up: whatever of the batch is in it counts for nothing. */
static int append(struct sl_journal_writer *writer, struct sl_journal_batch *batch)
{
    uint64_t seq = writer->store->next_seq; /* moved by this thread only */
    uint8_t *bytes = (uint8_t *)batch->bytes.data;
    for (size_t at = 0; at < batch->bytes.used_bytes; seq++) {
        at += sl_journal_record_finish(bytes + at, seq, writer->salt_crc, &writer->rolling_crc);
    }
    int failed = sl_journal_io_write(writer->store->io, writer->fd, bytes, batch->bytes.used_bytes,
                                     writer->offset);
    if (failed != 0) {
        give_up(writer, FAILED_WRITE, failed);
        return failed;
    }
    failed = timed_sync(writer);
    if (failed != 0) {
        give_up(writer, FAILED_SYNC, failed);
        return failed;
    }
    note_durable(writer, batch);
    return 0;
}

static void note_durable(struct sl_journal_writer *writer, const struct sl_journal_batch *batch)
{
    struct sl_journal_store *store = writer->store;
    struct sl_journal_segment *segment = writer->segment;
    writer->offset += batch->bytes.used_bytes;
    pthread_mutex_lock(&store->lock);
    segment->oldest_ns = segment->records == 0 ? batch->oldest_ns : segment->oldest_ns;
    segment->records += batch->count;
    segment->next_seq += batch->count;
    store->next_seq += batch->count;
    sl_journal_store_grow(store, segment, batch->bytes.used_bytes);
    sl_journal_store_signal(store);
    pthread_mutex_unlock(&store->lock);
}

static int timed_sync(struct sl_journal_writer *writer)
{
    int64_t began_us = sl_clock_mono_us();
    atomic_store(&writer->sync_began_us, began_us);
    int failed = sl_journal_io_sync(writer->store->io, writer->fd);
    int64_t took_us = sl_clock_mono_us() - began_us;
    atomic_store(&writer->sync_began_us, 0);
    note_sync(writer, took_us);
    return failed;
}

static void note_sync(struct sl_journal_writer *writer, int64_t took_us)
{
    struct sl_journal_store *store = writer->store;
    pthread_mutex_lock(&store->lock);
    store->totals.syncs++;
    store->totals.sync_last_us = (uint64_t)took_us;
    store->totals.sync_max_us = store->totals.sync_max_us < (uint64_t)took_us
                                    ? (uint64_t)took_us
                                    : store->totals.sync_max_us;
    pthread_mutex_unlock(&store->lock);
    if (writer->opts.sync_seconds != NULL) {
        sl_series_observe_us(writer->opts.sync_seconds, took_us);
    }
    int64_t now_us = sl_clock_mono_us();
    if (took_us > SYNC_WARN_US && now_us - writer->slow_told_us > RETRY_US) {
        writer->slow_told_us = now_us;
        sl_journal_store_tell(store,
                              &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_SYNC_SLOW,
                                                            .from = (uint64_t)took_us / 1000 },
                              NULL);
    }
}

static void give_up(struct sl_journal_writer *writer, enum failed_at where, int os_error)
{
    struct sl_journal_store *store = writer->store;
    struct sl_journal_segment *segment = writer->segment;
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(segment->first_seq, name);
    sl_journal_store_tell(store,
                          &(struct sl_journal_finding){ .what = where == FAILED_WRITE
                                                                    ? SL_JOURNAL_TELL_WRITE_FAILED
                                                                    : SL_JOURNAL_TELL_SYNC_FAILED,
                                                        .from = writer->offset,
                                                        .os_error = os_error },
                          name);
    if (where == FAILED_WRITE) {
        /* A courtesy to people who look at the file; what is behind the offset counts for nothing either way. */
        (void)store->io->ftruncate(writer->fd, (off_t)writer->offset);
    }
    pthread_mutex_lock(&store->lock);
    segment->is_suspect = segment->is_suspect || where == FAILED_SYNC;
    pthread_mutex_unlock(&store->lock);
    close_segment(writer);
}

/* Closes the segment in order. If that fails it is closed without its SEAL, which the next segment's header says. */
static void seal(struct sl_journal_writer *writer)
{
    struct sl_journal_store *store = writer->store;
    struct sl_journal_segment *segment = writer->segment;
    uint8_t bytes[SL_JOURNAL_SEAL_BYTES];
    /* records and next_seq are moved by this thread only. */
    sl_journal_seal_encode(segment->records, writer->rolling_crc, segment->next_seq - 1,
                           writer->salt_crc, bytes);
    int failed = sl_journal_io_write(store->io, writer->fd, bytes, sizeof bytes, writer->offset);
    if (failed != 0) {
        give_up(writer, FAILED_WRITE, failed);
        return;
    }
    failed = timed_sync(writer);
    if (failed != 0) {
        give_up(writer, FAILED_SYNC, failed);
        return;
    }
    writer->offset += sizeof bytes;
    (void)store->io->ftruncate(writer->fd, (off_t)writer->offset); /* room it did not need */
    pthread_mutex_lock(&store->lock);
    segment->is_sealed = true;
    sl_journal_store_grow(store, segment, sizeof bytes);
    pthread_mutex_unlock(&store->lock);
    close_segment(writer);
}

/* A segment whose events are all resolved needs no SEAL: the reader removes it. */
static void retire(struct sl_journal_writer *writer)
{
    pthread_mutex_lock(&writer->store->lock);
    bool is_resolved =
        writer->segment->records > 0 && writer->segment->records == writer->segment->resolved;
    pthread_mutex_unlock(&writer->store->lock);
    if (is_resolved) {
        close_segment(writer);
    }
}

/* Nothing is appended to it any more. One in which nothing became durable is removed, name and all. */
static void close_segment(struct sl_journal_writer *writer)
{
    struct sl_journal_segment *segment = writer->segment;
    (void)close(writer->fd); /* says nothing about durability, whatever it returns */
    writer->fd = -1;
    writer->segment = NULL;
    if (segment->records == 0) {
        sl_journal_store_discard(writer->store, segment);
        return;
    }
    pthread_mutex_lock(&writer->store->lock);
    segment->is_active = false;
    sl_journal_store_signal(writer->store);
    pthread_mutex_unlock(&writer->store->lock);
}

static void set_broken(struct sl_journal_writer *writer, int os_error)
{
    int before = atomic_exchange(&writer->broken_errno, os_error);
    if ((before == 0) == (os_error == 0)) {
        return;
    }
    sl_journal_store_tell(
        writer->store,
        &(struct sl_journal_finding){ .what = os_error == 0 ? SL_JOURNAL_TELL_RECOVERED
                                                            : SL_JOURNAL_TELL_SEGMENT_FAILED,
                                      .os_error = os_error },
        NULL);
}
