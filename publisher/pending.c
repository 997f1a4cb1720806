#include "publisher/pending.h"

#include <stdlib.h>

static void free_place(struct pub_pending *pending, struct pub_event *event);

bool pub_pending_init(struct pub_pending *pending, uint32_t max, struct sl_err *err)
{
    *pending = (struct pub_pending){ .events = calloc(max, sizeof *pending->events), .max = max };
    if (pending->events == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for %u waiting requests", (unsigned)max);
    }
    for (uint32_t i = 0; i < max; i++) {
        pending->events[i].next_free = i + 1;
    }
    TAILQ_INIT(&pending->line);
    return true;
}

void pub_pending_done(struct pub_pending *pending)
{
    free(pending->events);
    *pending = (struct pub_pending){ 0 };
}

bool pub_waiter_is_nobody(const struct pub_waiter *waiter)
{
    return waiter->request == NULL && waiter->batch == NULL;
}

struct pub_event *pub_pending_take(struct pub_pending *pending, struct pub_waiter waiter,
                                   const struct pub_source *source, int64_t now_ms)
{
    if (pending->first_free == pending->max) {
        return NULL;
    }
    struct pub_event *event = &pending->events[pending->first_free];
    pending->first_free = event->next_free;
    pending->count++;
    event->waiter = waiter;
    event->source = source;
    event->failed = 0;
    event->reason = NULL;
    event->taken_ms = now_ms;
    event->published_us = 0;
    event->is_abandoned = false;
    event->id[0] = '\0';
    TAILQ_INSERT_TAIL(&pending->line, event, in_line);
    return event;
}

struct pub_event *pub_pending_oldest(const struct pub_pending *pending)
{
    return TAILQ_FIRST(&pending->line);
}

uint32_t pub_pending_cookie(const struct pub_pending *pending, const struct pub_event *event)
{
    return (uint32_t)(event - pending->events);
}

struct pub_event *pub_pending_at(struct pub_pending *pending, uint64_t cookie)
{
    SL_ASSERT(cookie < pending->max);
    SL_ASSERT(!pub_waiter_is_nobody(&pending->events[cookie].waiter) ||
              pending->events[cookie].is_abandoned);
    return &pending->events[cookie];
}

struct pub_waiter pub_pending_release(struct pub_pending *pending, struct pub_event *event)
{
    struct pub_waiter waiter = pub_pending_abandon(pending, event);
    free_place(pending, event);
    return waiter;
}

static void free_place(struct pub_pending *pending, struct pub_event *event)
{
    event->is_abandoned = false;
    event->next_free = pending->first_free;
    pending->first_free = pub_pending_cookie(pending, event);
    pending->count--;
}

struct pub_waiter pub_pending_abandon(struct pub_pending *pending, struct pub_event *event)
{
    struct pub_waiter waiter = event->waiter;
    SL_ASSERT(!pub_waiter_is_nobody(&waiter));
    event->waiter = (struct pub_waiter){ .request = NULL };
    TAILQ_REMOVE(&pending->line, event, in_line);
    event->is_abandoned = true;
    return waiter;
}

void pub_pending_forget(struct pub_pending *pending, struct pub_event *event)
{
    SL_ASSERT(event->is_abandoned);
    free_place(pending, event);
}
