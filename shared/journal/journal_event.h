/*
 * journal_event - an event that was read back from a segment, and lists of them.
 *
 * Owns a copy of the record's payload, so that the segment need not stay mapped. A list is in order of arrival, or, where events are put back
 * into it, of their numbers.
 * Threads: no state of its own; a list belongs to whoever holds the lock that guards it.
 */
#ifndef SHARED_JOURNAL_EVENT_H
#define SHARED_JOURNAL_EVENT_H

#include "shared/journal/journal_store.h"

struct sl_journal_event {
    struct sl_journal_event *next;
    struct sl_journal_segment *segment;
    struct sl_journal_record record; /* payload: the bytes behind this struct */
    unsigned failures;
    char payload[];
};

struct sl_journal_events {
    struct sl_journal_event *first;
    struct sl_journal_event **last; /* NULL: empty */
    size_t count;
    size_t bytes;
};

/* NULL without memory. Freed with free. */
struct sl_journal_event *sl_journal_event_new(const struct sl_journal_record *record,
                                              struct sl_journal_segment *segment) SL_MUST;

/* Each takes the event. */
void sl_journal_events_append(struct sl_journal_events *events, struct sl_journal_event *event);
/* Where its number belongs. */
void sl_journal_events_insert(struct sl_journal_events *events, struct sl_journal_event *event);
/* The first, which is the caller's then; NULL: there is none. */
struct sl_journal_event *sl_journal_events_shift(struct sl_journal_events *events);
/* When the oldest of them was received, if that is before other_ns; else other_ns. */
uint64_t sl_journal_events_oldest_ns(const struct sl_journal_events *events, uint64_t other_ns);
/* Frees all of them. Accepts zeroed storage. */
void sl_journal_events_done(struct sl_journal_events *events);

#endif
