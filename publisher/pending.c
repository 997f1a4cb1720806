#include "publisher/pending.h"

#include <stdlib.h>

bool pub_pending_init(struct pub_pending *pending, uint32_t max, struct sl_err *err)
{
    *pending = (struct pub_pending){ .events = calloc(max, sizeof *pending->events), .max = max };
    if (pending->events == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for %u waiting requests", (unsigned)max);
    }
    for (uint32_t i = 0; i < max; i++) {
        pending->events[i].next_free = i + 1;
    }
    return true;
}

void pub_pending_done(struct pub_pending *pending)
{
    free(pending->events);
    *pending = (struct pub_pending){ 0 };
}

struct pub_event *pub_pending_take(struct pub_pending *pending, struct sl_http_request *request,
                                   const struct pub_source *source)
{
    if (pending->first_free == pending->max) {
        return NULL;
    }
    struct pub_event *event = &pending->events[pending->first_free];
    pending->first_free = event->next_free;
    pending->count++;
    event->request = request;
    event->source = source;
    event->failed = 0;
    event->reason = NULL;
    event->published_us = 0;
    event->id[0] = '\0';
    return event;
}

uint32_t pub_pending_cookie(const struct pub_pending *pending, const struct pub_event *event)
{
    return (uint32_t)(event - pending->events);
}

struct pub_event *pub_pending_at(struct pub_pending *pending, uint64_t cookie)
{
    SL_ASSERT(cookie < pending->max);
    SL_ASSERT(pending->events[cookie].request != NULL);
    return &pending->events[cookie];
}

struct sl_http_request *pub_pending_release(struct pub_pending *pending, struct pub_event *event)
{
    struct sl_http_request *request = SL_TAKE(event->request);
    SL_ASSERT(request != NULL);
    event->next_free = pending->first_free;
    pending->first_free = pub_pending_cookie(pending, event);
    pending->count--;
    return request;
}
