#include "shared/journal/journal_reader.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/journal/journal_event.h"
#include "shared/journal/journal_poison.h"
#include "shared/journal/journal_progress.h"
#include "shared/journal/journal_walk.h"

#define TEND_US       1000000  /* between notes of progress, and attempts to poison */
#define READ_RETRY_US 10000000 /* for a segment that could not be read */
#define WAIT_S        1

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

/* How a step of reading ended. */
enum step { STEP_GO_ON, STEP_NOTHING };

static struct sl_journal_event *give_back(struct sl_journal_reader *reader, uint64_t seq);
static void *read_segments(void *arg);
static bool wants_more(const struct sl_journal_reader *reader);
static void wait_changed(struct sl_journal_reader *reader, uint64_t changes_seen);
static void tend(struct sl_journal_reader *reader);
static void let_go_of_resolved(struct sl_journal_reader *reader);
static void close_current(struct sl_journal_reader *reader);
static enum step read_step(struct sl_journal_reader *reader);
static bool open_next(struct sl_journal_reader *reader);
static struct sl_journal_segment *choose(const struct sl_journal_store *store);
static void leave_for_later(struct sl_journal_reader *reader);
static enum step take_item(struct sl_journal_reader *reader, enum sl_journal_found found,
                           const struct sl_journal_item *item, bool is_active);
static void load(struct sl_journal_reader *reader, const struct sl_journal_record *record);
static void tell_hole(struct sl_journal_reader *reader, const struct sl_journal_item *item);
static void end_current(struct sl_journal_reader *reader);
static void poison(struct sl_journal_reader *reader);

struct sl_journal_reader *sl_journal_reader_new(const struct sl_journal_reader_opts *opts,
                                                struct sl_err *err)
{
    struct sl_journal_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the journal's reader");
        return NULL;
    }
    reader->opts = *opts;
    reader->store = opts->store;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&reader->thread, NULL, read_segments, reader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        free(reader);
        sl_fail(err, SL_E_MEMORY, "cannot start the journal's reader: %s", strerror(failed));
        return NULL;
    }
    return reader;
}

void sl_journal_reader_free(struct sl_journal_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    pthread_mutex_lock(&reader->store->lock);
    reader->stop = true;
    sl_journal_store_signal(reader->store);
    pthread_mutex_unlock(&reader->store->lock);
    pthread_join(reader->thread, NULL);
    sl_journal_events_done(&reader->ready);
    sl_journal_events_done(&reader->poisoned);
    for (size_t i = 0; i < reader->taken_count; i++) {
        free(reader->taken[i]);
    }
    sl_journal_walk_done(&reader->walk);
    sl_buf_done(&reader->scratch);
    free(reader);
}

size_t sl_journal_reader_take(struct sl_journal_reader *reader,
                              struct sl_journal_record *out_records, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&reader->store->lock);
    while (count < max && reader->taken_count < SL_JOURNAL_TAKEN_MAX &&
           reader->ready.first != NULL &&
           (reader->taken_count == 0 ||
            reader->taken_bytes + reader->ready.first->record.payload.bytes <=
                SL_JOURNAL_TAKEN_BYTES_MAX)) {
        struct sl_journal_event *event = sl_journal_events_shift(&reader->ready);
        reader->taken[reader->taken_count++] = event;
        reader->taken_bytes += event->record.payload.bytes;
        out_records[count++] = event->record;
    }
    reader->is_wanted = true;
    reader->is_hungry = count < max && reader->ready.first == NULL;
    sl_journal_store_signal(reader->store);
    pthread_mutex_unlock(&reader->store->lock);
    return count;
}

void sl_journal_reader_ack(struct sl_journal_reader *reader, uint64_t seq)
{
    struct sl_journal_event *event = give_back(reader, seq);
    struct sl_journal_store *store = reader->store;
    pthread_mutex_lock(&store->lock);
    bool was_dirty = store->progress_dirty;
    if (sl_journal_store_resolve(store, event->segment, seq)) {
        event->segment->in_hand--;
        store->totals.replayed++;
        reader->resolved_ns = event->record.received_ns;
        if (!was_dirty || event->segment->resolved == event->segment->records) {
            sl_journal_store_signal(store);
        }
    } else {
        sl_journal_events_insert(
            &reader->ready, event); /* no memory to remember it: once more is better than lost */
        event = NULL;
    }
    pthread_mutex_unlock(&store->lock);
    free(event);
}

/* Takes an event from the loop's hands. */
static struct sl_journal_event *give_back(struct sl_journal_reader *reader, uint64_t seq)
{
    struct sl_journal_event *event = NULL;
    for (size_t i = 0; i < reader->taken_count; i++) {
        if (reader->taken[i]->record.seq == seq) {
            event = reader->taken[i];
            reader->taken[i] = reader->taken[--reader->taken_count];
            reader->taken_bytes -= event->record.payload.bytes;
            break;
        }
    }
    SL_ASSERT(event != NULL);
    return event;
}

void sl_journal_reader_fail(struct sl_journal_reader *reader, uint64_t seq)
{
    struct sl_journal_event *event = give_back(reader, seq);
    event->failures++;
    pthread_mutex_lock(&reader->store->lock);
    if (event->failures < reader->opts.tries_max) {
        sl_journal_events_append(&reader->ready, event);
    } else {
        sl_journal_events_append(&reader->poisoned, event);
        sl_journal_store_signal(reader->store);
    }
    pthread_mutex_unlock(&reader->store->lock);
}

void sl_journal_reader_defer(struct sl_journal_reader *reader, uint64_t seq)
{
    struct sl_journal_event *event = give_back(reader, seq);
    pthread_mutex_lock(&reader->store->lock);
    sl_journal_events_append(&reader->ready, event);
    pthread_mutex_unlock(&reader->store->lock);
}

void sl_journal_reader_put_back(struct sl_journal_reader *reader, uint64_t seq)
{
    struct sl_journal_event *event = give_back(reader, seq);
    pthread_mutex_lock(&reader->store->lock);
    sl_journal_events_insert(&reader->ready, event);
    pthread_mutex_unlock(&reader->store->lock);
}

bool sl_journal_reader_has_news(struct sl_journal_reader *reader)
{
    pthread_mutex_lock(&reader->store->lock);
    bool has_news = reader->has_news;
    reader->has_news = false;
    pthread_mutex_unlock(&reader->store->lock);
    return has_news;
}

uint64_t sl_journal_reader_oldest_ns(const struct sl_journal_reader *reader)
{
    uint64_t oldest = UINT64_MAX;
    pthread_mutex_lock(&reader->store->lock);
    oldest = sl_journal_events_oldest_ns(&reader->ready, oldest);
    oldest = sl_journal_events_oldest_ns(&reader->poisoned, oldest);
    for (size_t i = 0; i < reader->taken_count; i++) {
        uint64_t taken = reader->taken[i]->record.received_ns;
        oldest = taken < oldest ? taken : oldest;
    }
    const struct sl_journal_segment *segment = reader->store->oldest;
    while (segment != NULL && segment->resolved == segment->records) {
        segment = segment->newer;
    }
    if (oldest == UINT64_MAX && segment != NULL) {
        oldest = segment->resolved > 0 && reader->resolved_ns > segment->oldest_ns
                     ? reader->resolved_ns
                     : segment->oldest_ns;
    }
    pthread_mutex_unlock(&reader->store->lock);
    return oldest == UINT64_MAX ? 0 : oldest;
}

static void *read_segments(void *arg)
{
    struct sl_journal_reader *reader = arg;
    struct sl_journal_store *store = reader->store;
    for (;;) {
        tend(reader);
        pthread_mutex_lock(&store->lock);
        uint64_t changes_seen = store->changes;
        bool stop = reader->stop;
        bool wants = wants_more(reader);
        pthread_mutex_unlock(&store->lock);
        if (stop) {
            break;
        }
        if (!wants || read_step(reader) == STEP_NOTHING) {
            wait_changed(reader, changes_seen);
        }
    }
    reader->tended_us = 0;
    tend(reader);
    return NULL;
}

static bool wants_more(const struct sl_journal_reader *reader)
{
    return reader->is_wanted && reader->ready.count < SL_JOURNAL_READY_MAX &&
           reader->ready.bytes < SL_JOURNAL_READY_BYTES_MAX;
}

/* For ever when there is nothing to look after, else until the next look is due. */
static void wait_changed(struct sl_journal_reader *reader, uint64_t changes_seen)
{
    struct sl_journal_store *store = reader->store;
    struct timespec until = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&store->lock);
    if (store->changes == changes_seen) {
        bool is_idle = store->oldest == NULL && !store->progress_dirty &&
                       atomic_load(&store->poison_events) == 0;
        if (is_idle) {
            (void)pthread_cond_wait(&store->changed, &store->lock);
        } else {
            (void)pthread_cond_timedwait(&store->changed, &store->lock, &until);
        }
    }
    pthread_mutex_unlock(&store->lock);
}

/* What is due besides reading: events to poison, segments to remove, progress to note. */
static void tend(struct sl_journal_reader *reader)
{
    struct sl_journal_store *store = reader->store;
    int64_t now_us = sl_clock_mono_us();
    pthread_mutex_lock(&store->lock);
    bool is_prunable = sl_journal_store_is_prunable(store);
    pthread_mutex_unlock(&store->lock);
    if (!is_prunable && reader->tended_us != 0 && now_us - reader->tended_us < TEND_US) {
        return;
    }
    reader->tended_us = now_us;
    poison(reader);
    sl_journal_poison_count(store);
    let_go_of_resolved(reader);
    (void)sl_journal_store_prune(store, reader->current);
    int failed = sl_journal_progress_save(store, &reader->scratch);
    if (failed != 0) {
        sl_journal_store_tell(store,
                              &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_PROGRESS_FAILED,
                                                            .os_error = failed },
                              SL_JOURNAL_PROGRESS_NAME);
    }
}

/* The segment that is being read has nothing more to give: it may be removed. */
static void let_go_of_resolved(struct sl_journal_reader *reader)
{
    if (reader->current == NULL) {
        return;
    }
    pthread_mutex_lock(&reader->store->lock);
    bool is_resolved =
        !reader->current->is_active && reader->current->resolved == reader->current->records;
    reader->current->is_read = reader->current->is_read || is_resolved;
    pthread_mutex_unlock(&reader->store->lock);
    if (is_resolved) {
        close_current(reader);
    }
}

static void close_current(struct sl_journal_reader *reader)
{
    sl_journal_walk_done(&reader->walk);
    reader->current = NULL;
}

static enum step read_step(struct sl_journal_reader *reader)
{
    if (reader->current == NULL && !open_next(reader)) {
        return STEP_NOTHING;
    }
    struct sl_journal_store *store = reader->store;
    pthread_mutex_lock(&store->lock);
    uint64_t bytes = reader->current->bytes;
    bool is_active = reader->current->is_active;
    bool is_other = choose(store) != NULL && choose(store) != reader->current;
    pthread_mutex_unlock(&store->lock);
    if (is_active && reader->walk.scan.offset >= bytes) {
        if (is_other) {
            close_current(reader); /* one that could not be read before */
        }
        return is_other ? STEP_GO_ON : STEP_NOTHING;
    }
    sl_journal_walk_extend(&reader->walk, bytes);
    struct sl_err err = { 0 };
    struct sl_journal_item item = { 0 };
    enum sl_journal_found found = SL_JOURNAL_FOUND_END;
    if (!sl_journal_walk_next(&reader->walk, &found, &item, &err)) {
        leave_for_later(reader);
        return STEP_GO_ON;
    }
    return take_item(reader, found, &item, is_active);
}

static bool open_next(struct sl_journal_reader *reader)
{
    struct sl_journal_store *store = reader->store;
    pthread_mutex_lock(&store->lock);
    struct sl_journal_segment *segment = choose(store);
    uint64_t bytes = segment == NULL ? 0 : segment->bytes;
    pthread_mutex_unlock(&store->lock);
    if (segment == NULL) {
        return false;
    }
    struct sl_err err = { 0 };
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(segment->first_seq, name);
    reader->current = segment;
    if (!sl_journal_walk_open(&reader->walk, store->io, store->folder.dir_fd, name,
                              segment->first_seq, &err)) {
        leave_for_later(reader);
        return false;
    }
    sl_journal_walk_begin(&reader->walk, UINT64_MAX, bytes);
    return true;
}

/* Suspect ones first, while the page cache still has them; then by age. */
static struct sl_journal_segment *choose(const struct sl_journal_store *store)
{
    struct sl_journal_segment *found = NULL;
    int64_t now_us = sl_clock_mono_us();
    for (struct sl_journal_segment *s = store->oldest; s != NULL; s = s->newer) {
        bool has_more = s->is_active
                            ? s->next_seq > s->read_to_seq + 1 && s->next_seq > s->first_seq
                            : !s->is_read && s->records > s->resolved;
        if (!has_more || s->retry_at_us > now_us) {
            continue;
        }
        if (s->is_suspect) {
            return s;
        }
        found = found == NULL ? s : found;
    }
    return found;
}

static void leave_for_later(struct sl_journal_reader *reader)
{
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(reader->current->first_seq, name);
    pthread_mutex_lock(&reader->store->lock);
    reader->current->retry_at_us = sl_clock_mono_us() + READ_RETRY_US;
    pthread_mutex_unlock(&reader->store->lock);
    close_current(reader);
    sl_journal_store_tell(
        reader->store,
        &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_READ_FAILED, .os_error = EIO }, name);
}

static enum step take_item(struct sl_journal_reader *reader, enum sl_journal_found found,
                           const struct sl_journal_item *item, bool is_active)
{
    switch (found) {
    case SL_JOURNAL_FOUND_RECORD:
        load(reader, &item->record);
        return STEP_GO_ON;
    case SL_JOURNAL_FOUND_HOLE:
        tell_hole(reader, item);
        return STEP_GO_ON;
    case SL_JOURNAL_FOUND_END:
        if (is_active) {
            return STEP_NOTHING;
        }
        end_current(reader);
        return STEP_GO_ON;
    case SL_JOURNAL_FOUND_MORE:
        break;
    }
    return STEP_NOTHING;
}

static void load(struct sl_journal_reader *reader, const struct sl_journal_record *record)
{
    struct sl_journal_store *store = reader->store;
    struct sl_journal_segment *segment = reader->current;
    struct sl_journal_event *event = sl_journal_event_new(record, segment);
    if (event == NULL) {
        leave_for_later(reader);
        return;
    }
    bool wake = false;
    pthread_mutex_lock(&store->lock);
    bool is_known = record->seq <= segment->read_to_seq || record->seq >= segment->next_seq ||
                    sl_journal_segment_is_resolved(segment, record->seq);
    if (record->seq > segment->read_to_seq) {
        segment->read_to_seq = record->seq;
    }
    if (!is_known) {
        segment->in_hand++;
        sl_journal_events_append(&reader->ready, event);
        event = NULL;
        wake = reader->is_hungry;
        reader->has_news = reader->has_news || wake;
        reader->is_hungry = false;
    }
    pthread_mutex_unlock(&store->lock);
    free(event);
    if (wake) {
        sl_journal_store_wake(store);
    }
}

/* Damage that the start did not see: it came later. */
static void tell_hole(struct sl_journal_reader *reader, const struct sl_journal_item *item)
{
    struct sl_journal_store *store = reader->store;
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(reader->current->first_seq, name);
    pthread_mutex_lock(&store->lock);
    bool is_new = reader->walk.scan.hole_bytes > reader->current->hole_bytes;
    if (is_new) {
        store->totals.corrupt_bytes += item->bytes;
        reader->current->hole_bytes = reader->walk.scan.hole_bytes;
    }
    pthread_mutex_unlock(&store->lock);
    if (is_new) {
        sl_journal_store_tell(store,
                              &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_HOLE,
                                                            .from = item->offset,
                                                            .to = item->offset + item->bytes },
                              name);
        sl_journal_store_copy_aside(store, name, item->offset, item->offset + item->bytes);
    }
}

/* The end of a closed segment: events that were counted in it and are nowhere now are lost, and said to be. */
static void end_current(struct sl_journal_reader *reader)
{
    struct sl_journal_store *store = reader->store;
    struct sl_journal_segment *segment = reader->current;
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(segment->first_seq, name);
    pthread_mutex_lock(&store->lock);
    uint64_t lost = segment->records - segment->resolved - segment->in_hand;
    segment->records -= lost;
    segment->is_read = true;
    store->totals.missing += lost;
    pthread_mutex_unlock(&store->lock);
    close_current(reader);
    if (lost > 0) {
        sl_journal_store_copy_aside(store, name, 0, segment->bytes);
        sl_journal_store_tell(
            store, &(struct sl_journal_finding){ .what = SL_JOURNAL_TELL_UNREADABLE, .from = lost },
            name);
    }
}

/* Moves what failed too often out of the way; what cannot be moved stays, and is tried again. */
static void poison(struct sl_journal_reader *reader)
{
    struct sl_journal_store *store = reader->store;
    int failed = 0;
    while (failed == 0) {
        pthread_mutex_lock(&store->lock);
        struct sl_journal_event *event = sl_journal_events_shift(&reader->poisoned);
        pthread_mutex_unlock(&store->lock);
        if (event == NULL) {
            return;
        }
        uint64_t seq = event->record.seq;
        failed = sl_journal_poison_write(store, &event->record);
        pthread_mutex_lock(&store->lock);
        if (failed == 0 && !sl_journal_store_resolve(store, event->segment, seq)) {
            failed = ENOMEM;
        }
        if (failed == 0) {
            event->segment->in_hand--;
            store->totals.poisoned++;
            reader->resolved_ns = event->record.received_ns;
        } else {
            sl_journal_events_insert(&reader->poisoned, event);
            event = NULL;
        }
        pthread_mutex_unlock(&store->lock);
        free(event);
        char name[SL_JOURNAL_NAME_BYTES];
        sl_journal_name(seq, name);
        sl_journal_store_tell(
            store,
            &(struct sl_journal_finding){ .what = failed == 0 ? SL_JOURNAL_TELL_POISONED
                                                              : SL_JOURNAL_TELL_POISON_FAILED,
                                          .from = seq,
                                          .os_error = failed },
            name);
    }
}
