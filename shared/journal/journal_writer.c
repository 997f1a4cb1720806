#include "shared/journal/journal_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/journal/journal_writer_parts.h"

#define REMAINDER_PARTS                                                                            \
    1024u /* of the quota: with less than this left there is no room for many an event, and it is called full */
#define SYNC_TRIP_US  1000000
#define QUEUE_TRIP_US 2000000 /* schemas/journal.md, "Appending" */

struct reaping {
    void (*fn)(void *arg, uint64_t cookie, bool ok, const struct sl_err *err);
    void *arg;
};

static bool admit(const struct sl_journal_writer *writer, size_t bytes, struct sl_err *err);
static void tell_outcome(void *arg, uint64_t cookie, int os_error);

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
    sl_journal_writer_tend(writer);

    /* Signals belong to the loop. Blocked, SIGXFSZ too becomes an EFBIG. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&writer->thread, NULL, sl_journal_writer_run, writer);
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
