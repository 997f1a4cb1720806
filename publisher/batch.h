/*
 * batch - one POST of our own programs' events on its way: each event settles by itself, and the answer goes out with the last of them.
 *
 * The answer: one event is answered as a webhook is (200, 202, 503), or with a problem (400). A batch is 200 when the broker has confirmed all of
 * it, and its events' common status when they have one; else 207, and each event says its own. A caller retries those with 503; ids make that safe.
 * Owns the request, the events and their memory.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_BATCH_H
#define PUBLISHER_BATCH_H

#include "publisher/answer.h"
#include "publisher/facts/produced.h"
#include "shared/http/http_server.h"

struct pub_batch {
    struct sl_http_request *request;
    struct sl_arena arena;
    struct pub_production production;
    enum pub_answer *answers; /* in the arena: of each event; PUB_MALFORMED for a faulty one */
    size_t left; /* events that are not settled, and one while they are being handed over */
    bool is_durable;
    void (*on_answered)(void *arg, int status);
    void (*on_ended)(struct pub_batch *batch,
                     void *arg); /* answers the request itself; NULL: it is answered here */
    void *arg;
};

/* Events with a fault are settled already. NULL without memory. The caller settles one more when it has handed over all others. */
struct pub_batch *pub_batch_new(struct sl_http_request *request, struct sl_err *err) SL_MUST;
/* After production was read. */
bool pub_batch_begin(struct pub_batch *batch, struct sl_err *err) SL_MUST;
/* Of a batch that was not begun; its request stays unanswered. Accepts NULL. */
void pub_batch_free(struct pub_batch *batch);

/* An event has ended; the last one answers the request and frees the batch. */
void pub_batch_settle(struct pub_batch *batch, size_t place, enum pub_answer answer,
                      bool is_durable);
/* Nothing more is handed over. */
void pub_batch_end(struct pub_batch *batch);

/* Decides: what a batch is answered. */
int pub_batch_status(const enum pub_answer *answers, size_t count);

#endif
