#include "shared/journal/journal_event.h"

#include <stdlib.h>
#include <string.h>

struct sl_journal_event *sl_journal_event_new(const struct sl_journal_record *record,
                                              struct sl_journal_segment *segment)
{
    struct sl_journal_event *event = malloc(sizeof *event + record->payload.bytes);
    if (event != NULL) {
        *event = (struct sl_journal_event){ .segment = segment, .record = *record };
        memcpy(event->payload, record->payload.data, record->payload.bytes);
        event->record.payload.data = event->payload;
    }
    return event;
}

void sl_journal_events_append(struct sl_journal_events *events, struct sl_journal_event *event)
{
    struct sl_journal_event **link = events->last == NULL ? &events->first : events->last;
    event->next = NULL;
    *link = event;
    events->last = &event->next;
    events->count++;
    events->bytes += event->record.payload.bytes;
}

void sl_journal_events_insert(struct sl_journal_events *events, struct sl_journal_event *event)
{
    struct sl_journal_event **link = &events->first;
    while (*link != NULL && (*link)->record.seq < event->record.seq) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        sl_journal_events_append(events, event);
        return;
    }
    event->next = *link;
    *link = event;
    events->count++;
    events->bytes += event->record.payload.bytes;
}

struct sl_journal_event *sl_journal_events_shift(struct sl_journal_events *events)
{
    struct sl_journal_event *event = events->first;
    if (event != NULL) {
        events->first = event->next;
        events->last = events->first == NULL ? NULL : events->last;
        events->count--;
        events->bytes -= event->record.payload.bytes;
        event->next = NULL;
    }
    return event;
}

uint64_t sl_journal_events_oldest_ns(const struct sl_journal_events *events, uint64_t other_ns)
{
    uint64_t oldest_ns = other_ns;
    for (const struct sl_journal_event *e = events->first; e != NULL; e = e->next) {
        oldest_ns = e->record.received_ns < oldest_ns ? e->record.received_ns : oldest_ns;
    }
    return oldest_ns;
}

void sl_journal_events_done(struct sl_journal_events *events)
{
    struct sl_journal_event *event = NULL;
    while ((event = sl_journal_events_shift(events)) != NULL) {
        free(event);
    }
}
