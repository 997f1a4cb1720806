#include "shared/journal/journal.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shared/journal/journal_reader.h"
#include "shared/journal/journal_recover.h"

#define TRIES_DEFAULT      5u
#define SEGMENTS_PER_QUOTA 8u
#define SEGMENT_BYTES_MIN  4096u
#define QUEUE_RECORDS_MAX  4096u
#define QUEUE_BYTES_MAX    (64u * 1024u * 1024u)

struct sl_journal {
    struct sl_journal_opts opts;
    struct sl_journal_store store;
    struct sl_journal_writer *writer;
    struct sl_journal_reader *reader;
    struct event *wake;
};

static void set_defaults(struct sl_journal_opts *opts);
static bool open_store(struct sl_journal *journal, struct sl_err *err);
static bool open_wake(struct sl_journal *journal, struct sl_err *err);
static bool start_threads(struct sl_journal *journal, struct sl_err *err);
static void on_wake(evutil_socket_t fd, short what, void *arg);
static void tell_findings(struct sl_journal *journal);

struct sl_journal *sl_journal_open(const struct sl_journal_opts *opts, struct sl_err *err)
{
    SL_ASSERT(opts->on_appended != NULL);
    SL_ASSERT(opts->quota_bytes > 0);
    SL_AUTO(sl_journal_close) struct sl_journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the journal");
        return NULL;
    }
    journal->opts = *opts;
    set_defaults(&journal->opts);
    /* Reaching a limit on file sizes is an EFBIG like any other error, not the end of the process. */
    (void)signal(SIGXFSZ, SIG_IGN);
    if (!open_store(journal, err) || !sl_journal_recover(&journal->store, err) ||
        !open_wake(journal, err) || !start_threads(journal, err)) {
        (void)sl_err_wrap(err, "journal in %s", opts->dir);
        return NULL;
    }
    sl_journal_store_wake(&journal->store); /* what recovery found */
    return SL_TAKE(journal);
}

static void set_defaults(struct sl_journal_opts *opts)
{
    opts->tries_max = opts->tries_max == 0 ? TRIES_DEFAULT : opts->tries_max;
    opts->queue_records_max =
        opts->queue_records_max == 0 ? QUEUE_RECORDS_MAX : opts->queue_records_max;
    opts->queue_bytes_max = opts->queue_bytes_max == 0 ? QUEUE_BYTES_MAX : opts->queue_bytes_max;
}

static bool open_store(struct sl_journal *journal, struct sl_err *err)
{
    uint64_t share = journal->opts.quota_bytes / SEGMENTS_PER_QUOTA;
    uint64_t bytes = share < SL_JOURNAL_SEGMENT_BYTES ? share : SL_JOURNAL_SEGMENT_BYTES;
    bytes = journal->opts.segment_bytes != 0 ? journal->opts.segment_bytes : bytes;
    bytes = bytes < SEGMENT_BYTES_MIN ? SEGMENT_BYTES_MIN
                                      : bytes / SEGMENT_BYTES_MIN * SEGMENT_BYTES_MIN;
    return sl_journal_store_open(
        &journal->store,
        &(struct sl_journal_store_opts){ .dir = journal->opts.dir,
                                         .segment_bytes = bytes,
                                         .allow_volatile = journal->opts.allow_volatile,
                                         .io = journal->opts.io },
        err);
}

static bool open_wake(struct sl_journal *journal, struct sl_err *err)
{
    journal->store.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (journal->store.wake_fd < 0) {
        return sl_fail(err, SL_E_IO, "no eventfd: %s", strerror(errno));
    }
    journal->wake = event_new(sl_loop_base(journal->opts.loop), journal->store.wake_fd,
                              EV_READ | EV_PERSIST, on_wake, journal);
    if (journal->wake == NULL || event_add(journal->wake, NULL) != 0) {
        return sl_fail(err, SL_E_MEMORY, "cannot watch the journal's threads");
    }
    return true;
}

static bool start_threads(struct sl_journal *journal, struct sl_err *err)
{
    journal->writer = sl_journal_writer_new(
        &(struct sl_journal_writer_opts){ .store = &journal->store,
                                          .quota_bytes = journal->opts.quota_bytes,
                                          .free_floor_bytes = journal->opts.free_floor_bytes,
                                          .queue_records_max = journal->opts.queue_records_max,
                                          .queue_bytes_max = journal->opts.queue_bytes_max,
                                          .sync_seconds = journal->opts.sync_seconds },
        err);
    if (journal->writer == NULL) {
        return false;
    }
    journal->reader = sl_journal_reader_new(
        &(struct sl_journal_reader_opts){ .store = &journal->store,
                                          .tries_max = journal->opts.tries_max },
        err);
    return journal->reader != NULL;
}

void sl_journal_close(struct sl_journal *journal)
{
    if (journal == NULL) {
        return;
    }
    if (journal->writer != NULL) {
        sl_journal_writer_stop(journal->writer);
        sl_journal_writer_reap(journal->writer, journal->opts.on_appended, journal->opts.arg);
        sl_journal_writer_free(journal->writer);
    }
    sl_journal_reader_free(journal->reader);
    tell_findings(journal);
    if (journal->wake != NULL) {
        event_free(journal->wake);
    }
    if (journal->store.io != NULL && journal->store.wake_fd >= 0) {
        (void)close(journal->store.wake_fd);
    }
    sl_journal_store_done(&journal->store);
    free(journal);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct sl_journal *journal = arg;
    uint64_t count = 0;
    while (read((int)fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    /* Before looking: what happens from here on wakes again. */
    atomic_store(&journal->store.is_waking, false);
    tell_findings(journal);
    sl_journal_writer_reap(journal->writer, journal->opts.on_appended, journal->opts.arg);
    if (sl_journal_reader_has_news(journal->reader) && journal->opts.on_replay_ready != NULL) {
        journal->opts.on_replay_ready(journal->opts.arg);
    }
}

static void tell_findings(struct sl_journal *journal)
{
    struct sl_journal_store *store = &journal->store;
    struct sl_journal_finding findings[SL_JOURNAL_FINDINGS_MAX];
    if (store->io == NULL) {
        return;
    }
    pthread_mutex_lock(&store->lock);
    size_t count = store->finding_count;
    memcpy(findings, store->findings, count * sizeof findings[0]);
    store->finding_count = 0;
    pthread_mutex_unlock(&store->lock);
    for (size_t i = 0; i < count && journal->opts.on_finding != NULL; i++) {
        journal->opts.on_finding(journal->opts.arg, &findings[i]);
    }
}

bool sl_journal_append(struct sl_journal *journal, struct sl_span payload, uint16_t provider,
                       uint64_t received_ns, uint64_t cookie, struct sl_err *err)
{
    return sl_journal_writer_append(journal->writer,
                                    &(struct sl_journal_record){ .type = SL_JOURNAL_EVENT,
                                                                 .provider = provider,
                                                                 .received_ns = received_ns,
                                                                 .payload = payload },
                                    cookie, err);
}

size_t sl_journal_take(struct sl_journal *journal, struct sl_journal_record *out_records,
                       size_t max)
{
    return sl_journal_reader_take(journal->reader, out_records, max);
}

void sl_journal_ack(struct sl_journal *journal, uint64_t seq)
{
    sl_journal_reader_ack(journal->reader, seq);
}

void sl_journal_fail(struct sl_journal *journal, uint64_t seq)
{
    sl_journal_reader_fail(journal->reader, seq);
}

void sl_journal_defer(struct sl_journal *journal, uint64_t seq)
{
    sl_journal_reader_defer(journal->reader, seq);
}

void sl_journal_put_back(struct sl_journal *journal, uint64_t seq)
{
    sl_journal_reader_put_back(journal->reader, seq);
}

enum sl_journal_state sl_journal_state(const struct sl_journal *journal)
{
    return sl_journal_writer_state(journal->writer);
}

const char *sl_journal_state_name(enum sl_journal_state state)
{
    switch (state) {
    case SL_JOURNAL_OK:
        return "ok";
    case SL_JOURNAL_FULL:
        return "full";
    case SL_JOURNAL_SLOW:
        return "slow";
    case SL_JOURNAL_FAILED:
        return "failed";
    }
    return "";
}

void sl_journal_read_stats(const struct sl_journal *journal, struct sl_journal_stats *out_stats)
{
    struct sl_journal_store *store = (struct sl_journal_store *)&journal->store;
    *out_stats = (struct sl_journal_stats){
        .state = sl_journal_state(journal),
        .is_durable = store->folder.is_durable,
        .bytes = atomic_load(&store->bytes),
        .poison_events = atomic_load(&store->poison_events),
        .poison_bytes = atomic_load(&store->poison_bytes),
        .quota_bytes = journal->opts.quota_bytes,
        .oldest_ns = sl_journal_reader_oldest_ns(journal->reader),
        .waiting = sl_journal_writer_waiting(journal->writer),
    };
    pthread_mutex_lock(&store->lock);
    for (const struct sl_journal_segment *s = store->oldest; s != NULL; s = s->newer) {
        out_stats->pending += s->records - s->resolved;
    }
    out_stats->segments = store->segment_count;
    out_stats->totals = store->totals;
    pthread_mutex_unlock(&store->lock);
}
