/*
 * batch - the deliveries a worker holds, and when the next transaction should start with how many of them.
 *
 * Owns a copy of each delivery from its arrival until it is settled and acknowledged (settle.c), or forgotten because the broker
 * link went down; what came from a queue that was deleted is not forgotten, since it is nowhere else. Order is the order of arrival, which is the order of tags.
 * Each delivery has its turn (turn.h): live events, copies of a replay, and rehearsals never share a transaction, and each wait in a line of their own.
 * Law: a transaction takes at most batch_max events and CON_BATCH_TAKEN_BYTES_MAX bytes (or one larger event). It starts as soon as the loop has nothing more to
 * read; only when transactions follow each other closely does it wait CON_BATCH_LINGER_US for company, so an idle worker adds no delay.
 * Refuses: clocks, sockets, acknowledging.
 * Threads: one worker.
 */
#ifndef CONSUMER_BATCH_H
#define CONSUMER_BATCH_H

#include <stdint.h>

#include "consumer/turn.h"
#include "shared/err.h"
#include "shared/span.h"

#define CON_BATCH_HELD_BYTES_MAX (8u * 1024u * 1024u) /* by one worker */
/* By one transaction: some 600 common events. Its JSON trees, rows, parameters and libpq's copy of them come on top, each as large. */
#define CON_BATCH_TAKEN_BYTES_MAX (2u * 1024u * 1024u)
#define CON_BATCH_LINGER_US       2000
#define CON_BATCH_BUSY_US                                                                          \
    5000 /* a transaction that ended this short ago: they follow each other closely */

enum con_delivery_state {
    CON_DELIVERY_WAITING, /* for a transaction */
    CON_DELIVERY_RUNNING, /* in one */
    CON_DELIVERY_LEAVING, /* failed: being published to a delay level or the dead letters */
    CON_DELIVERY_SETTLED, /* may be acknowledged */
};

struct con_departure; /* departure.h: what a failed one needs beside the bytes */

struct con_delivery {
    struct con_delivery *next;
    enum con_delivery_state state;
    enum con_turn turn;
    uint64_t tag; /* 0: its queue is gone, so nobody is told what becomes of it */
    int64_t arrived_us;
    struct sl_span bytes;       /* the message body; owned, behind this struct */
    struct sl_span routing_key; /* the event's first one, or absent when unknown; owned, as all */
    struct sl_span message_id;  /* property, or absent */
    struct sl_span type;        /* property, or absent */
    struct sl_span replay_run;  /* sluice-replay-run, or absent */
    struct sl_span rehearsal;   /* sluice-rehearsal, or absent */
    struct sl_span traceparent; /* or absent */
    int64_t timestamp_s;        /* property; 0: none */
    int64_t attempt;            /* sluice-attempt: which try this is, at least 1 */
    int64_t first_failed_ms;    /* sluice-first-failed-at; 0: it has not failed before */
    unsigned strikes;           /* times it failed alone as if the database were at fault */
    uint64_t first_strike;      /* how often anything had passed by then */
    struct con_departure *departure; /* owned; NULL unless LEAVING */
};

/* What con_batch_hold copies. */
struct con_arrival {
    uint64_t tag;
    enum con_turn turn;
    struct sl_span bytes;
    struct sl_span routing_key;
    struct sl_span message_id;
    struct sl_span type;
    struct sl_span replay_run;
    struct sl_span rehearsal;
    struct sl_span traceparent;
    int64_t timestamp_s;
    int64_t attempt;
    int64_t first_failed_ms;
};

/* The WAITING deliveries of one turn. */
struct con_batch_line {
    struct con_delivery *next; /* none of its turn before it waits; NULL when none does */
    size_t count;
    size_t bytes;
    int64_t since_us; /* arrival of the first one */
};

struct con_batch {
    size_t batch_max;
    struct con_delivery *first; /* everything held, oldest first */
    struct con_delivery *last;
    size_t held_count;
    size_t held_bytes;
    struct con_batch_line waiting[CON_TURNS];
    int64_t ended_us; /* of the last transaction; 0 before the first */
};

void con_batch_init(struct con_batch *batch, size_t batch_max);
/* Frees everything held. Accepts zeroed storage. */
void con_batch_done(struct con_batch *batch);
/* The queue of this turn is gone, so none of its deliveries ever comes again: they have no tag any more. Returns how many. */
size_t con_batch_keep(struct con_batch *batch, enum con_turn turn);
/*
 * Their connection is gone, so no tag means anything any more: frees everything held that has one, save those RUNNING. These leave the batch and become the
 * caller's, to be freed with con_delivery_free when their transaction has ended; out_running takes up to batch_max of them. Returns how many.
 */
size_t con_batch_forget(struct con_batch *batch, struct con_delivery **out_running);
/* Accepts NULL. */
void con_delivery_free(struct con_delivery *delivery);

/* Copies an arrival. False without memory. */
bool con_batch_hold(struct con_batch *batch, const struct con_arrival *arrival,
                    int64_t now_us) SL_MUST;

/* A WAITING delivery is not to be tried: it is LEAVING, with the departure that the batch now owns. */
void con_batch_divert(struct con_batch *batch, struct con_delivery *delivery,
                      struct con_departure *departure);

/* As many bytes are held as may be: stop reading. */
bool con_batch_is_full(const struct con_batch *batch);

/* When the oldest one arrived that is WAITING or RUNNING; -1: there is none. */
int64_t con_batch_oldest_us(const struct con_batch *batch);

/* Microseconds until a transaction with those of this turn should start: 0 now, -1 none waits. */
int64_t con_batch_wait_us(const struct con_batch *batch, enum con_turn turn, int64_t now_us);

/* Moves up to `room` of the oldest waiting deliveries of a turn into out (state RUNNING), within the limits; returns how many, at least one when any waits. */
size_t con_batch_take(struct con_batch *batch, enum con_turn turn, struct con_delivery **out,
                      size_t room, int64_t now_us);
/* The youngest `count` that were taken, oldest first, wait again; all are of one turn. */
void con_batch_give_back(struct con_batch *batch, struct con_delivery *const *deliveries,
                         size_t count, int64_t now_us);

/* All that are still RUNNING wait again. */
void con_batch_give_back_all(struct con_batch *batch, int64_t now_us);

/* A transaction ended. */
void con_batch_ended(struct con_batch *batch, int64_t now_us);

/* Unlinks and frees one held delivery, SETTLED or WAITING; before is its predecessor or NULL. For settle.c. */
void con_batch_drop(struct con_batch *batch, struct con_delivery *before,
                    struct con_delivery *delivery);

#endif
