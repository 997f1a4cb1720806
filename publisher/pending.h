/*
 * pending - the requests that are waiting for the broker or the journal, in a fixed number of places.
 *
 * The place's number is the cookie under which both report back. A request that waits for too long is abandoned: it is answered, and its place is free
 * again when what it waited for has reported.
 * Refuses: growing.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_PENDING_H
#define PUBLISHER_PENDING_H

#include <stdint.h>
#include <sys/queue.h>

#include "publisher/batch.h"
#include "publisher/policy.h"
#include "publisher/source.h"
#include "shared/event/envelope.h"
#include "shared/http/http_server.h"

/* Who waits for an event: the request of a webhook, or a place in a batch of our own programs. Neither: nobody does. */
struct pub_waiter {
    struct sl_http_request *request;
    struct pub_batch *batch;
    size_t place;
};

struct pub_event {
    struct pub_waiter waiter; /* nobody: a free place, or abandoned */
    const struct pub_source *source;
    unsigned failed;      /* deeds tried in vain, as bits (policy.h) */
    const char *reason;   /* why the broker did not confirm it; NULL while it may still */
    int64_t taken_ms;     /* monotonic */
    int64_t published_us; /* monotonic, for the confirm's duration */
    bool is_abandoned;
    uint32_t next_free;
    TAILQ_ENTRY(pub_event) in_line;     /* while somebody waits */
    char id[SL_EVENT_ID_BYTES_MAX + 1]; /* once the event was wrapped */
};

struct pub_pending {
    struct pub_event *events; /* `max` places */
    uint32_t max;
    uint32_t first_free;          /* max: none */
    uint32_t count;               /* places that are not free */
    TAILQ_HEAD(, pub_event) line; /* those somebody waits for, oldest first */
};

bool pub_pending_init(struct pub_pending *pending, uint32_t max, struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void pub_pending_done(struct pub_pending *pending);
bool pub_waiter_is_nobody(const struct pub_waiter *waiter);
/* A place with only the waiter, its source and its time set; NULL when all are taken. */
struct pub_event *pub_pending_take(struct pub_pending *pending, struct pub_waiter waiter,
                                   const struct pub_source *source, int64_t now_ms) SL_MUST;
/* The event that somebody has waited for longest; NULL: nobody waits. */
struct pub_event *pub_pending_oldest(const struct pub_pending *pending);
uint32_t pub_pending_cookie(const struct pub_pending *pending, const struct pub_event *event);
/* The event of a cookie: waiting, or abandoned. */
struct pub_event *pub_pending_at(struct pub_pending *pending, uint64_t cookie);
/* Frees the place; returns who is to be answered now. */
struct pub_waiter pub_pending_release(struct pub_pending *pending, struct pub_event *event) SL_MUST;
/* Returns who is to be answered now; the place stays taken until it is forgotten. */
struct pub_waiter pub_pending_abandon(struct pub_pending *pending, struct pub_event *event) SL_MUST;
/* What an abandoned event waited for has reported: frees the place. */
void pub_pending_forget(struct pub_pending *pending, struct pub_event *event);

#endif
