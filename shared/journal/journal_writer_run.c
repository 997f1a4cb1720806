#include <unistd.h>

#include "shared/clock.h"
#include "shared/journal/journal_writer_parts.h"

#define RETRY_US     1000000 /* between attempts to make a segment, and looks at an idle one */
#define SYNC_WARN_US 100000

enum failed_at { FAILED_WRITE, FAILED_SYNC };

static void end_segment(struct sl_journal_writer *writer);
static struct sl_journal_batch *next_batch(struct sl_journal_writer *writer);
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

void *sl_journal_writer_run(void *arg)
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
        sl_journal_writer_tend(writer);
        bool is_timed = writer->segment != NULL || writer->store->spare_fd < 0 ||
                        atomic_load(&writer->broken_errno) != 0 || atomic_load(&writer->is_low);
        is_over = !sl_journal_queue_wait(writer->queue, is_timed ? RETRY_US : 0, &batch);
    }
    return batch;
}

void sl_journal_writer_tend(struct sl_journal_writer *writer)
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
