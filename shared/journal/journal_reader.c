#include "shared/journal/journal_reader.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "shared/journal/journal_reader_parts.h"

static struct sl_journal_event *give_back(struct sl_journal_reader *reader, uint64_t seq);

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
    int failed = pthread_create(&reader->thread, NULL, sl_journal_reader_run, reader);
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
