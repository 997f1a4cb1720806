/*
 * queue_look - what is known about each subsystem's queue now: from the broker, its management interface, and the database.
 *
 * Each source may be away; what only it knows is OPS_UNKNOWN then, and *_err says why. Nothing is taken out of a queue.
 * Threads: one.
 */
#ifndef OPS_QUEUE_LOOK_H
#define OPS_QUEUE_LOOK_H

#include "ops/broker.h"
#include "ops/pg_session.h"
#include "ops/sections.h"

#define OPS_UNKNOWN          INT64_MIN
#define OPS_QUEUE_NOTE_BYTES 160u

struct ops_queue_facts {
    const struct sl_subsystem *subsystem;
    bool is_missing;   /* the broker has no such queue */
    int64_t waiting;   /* ready in the broker */
    int64_t unacked;   /* in consumers' hands */
    int64_t consumers; /* as the broker counts */
    int64_t parked;    /* dead letters on their way to the table */
    int64_t delayed;   /* waiting for their next try, or their first one */
    int64_t
        first; /* of these, before the first: exact, since those queues are the subsystem's own */
    int64_t first_wait_s; /* the longest wait among them, from their publication */
    int64_t letters;      /* open dead letters */
    int64_t oldest_s;     /* age of the oldest event in a consumer's hands */
    int64_t settled;      /* by the running consumers since their start: take the difference */
    int64_t in_milli;     /* events a second that come in, in thousandths: management interface */
    int64_t out_milli;    /* that are acknowledged */
    int64_t running;      /* consumer processes */
    char note[OPS_QUEUE_NOTE_BYTES]; /* what operators have set */
};

struct ops_queue_look {
    struct ops_queue_facts items[SL_SUBSYSTEMS_MAX];
    size_t count;
    int64_t delayed_all; /* messages in all delay queues, of every subsystem */
    int64_t unrouted;
    struct sl_err broker_err; /* code SL_E_NONE: it answered */
    struct sl_err api_err;    /* SL_E_CONFIG: it is not named */
    struct sl_err pg_err;
};

/* The connections, opened when first needed and kept for the next look. Zeroed storage. */
struct ops_queue_eyes {
    struct ops_broker *broker;
    struct ops_pg_session *session;
};
void ops_queue_eyes_done(struct ops_queue_eyes *eyes);

/* Fills out_look for the enabled sections (only_name NULL) or the one of that name. */
void ops_queue_look(struct ops_queue_eyes *eyes, const struct ops_address *address,
                    const struct sl_subsystems *subsystems, const char *only_name,
                    struct ops_queue_look *out_look);

#endif
