#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/journal/journal_poison.h"
#include "shared/journal/journal_progress.h"
#include "shared/journal/journal_reader_parts.h"

#define TEND_US       1000000  /* between notes of progress, and attempts to poison */
#define READ_RETRY_US 10000000 /* for a segment that could not be read */
#define WAIT_S        1

/* How a step of reading ended. */
enum step { STEP_GO_ON, STEP_NOTHING };

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

void *sl_journal_reader_run(void *arg)
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
