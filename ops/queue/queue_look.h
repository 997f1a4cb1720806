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
#include "ops/queue/cause.h"
#include "ops/sections.h"

#define OPS_QUEUE_NOTE_BYTES 160u

struct ops_queue_facts {
    const struct sl_subsystem *subsystem;
    bool is_missing;         /* the broker has no such queue */
    bool is_missing_replays; /* ... or none for its replays */
    int64_t waiting;         /* ready in the broker */
    int64_t replays;         /* ready in the queue of replays */
    int64_t unacked;         /* in consumers' hands, of either */
    int64_t consumers;       /* as the broker counts */
    int64_t parked;          /* dead letters on their way to the table */
    int64_t delayed;         /* waiting for their next try, or their first one */
    int64_t
        first; /* of these, before the first: exact, since those queues are the subsystem's own */
    int64_t first_wait_s; /* the longest wait among them, from their publication */
    int64_t letters;      /* open dead letters */
    int64_t oldest_s;     /* age of the oldest event in a consumer's hands */
    int64_t settled;      /* by the running consumers since their start: take the difference */
    int64_t in_milli;     /* events a second that come in, in thousandths: management interface */
    int64_t out_milli;    /* that are acknowledged */
    int64_t running;      /* consumer processes */
    int64_t workers;      /* of these, that take deliveries now */
    int64_t workers_made; /* that they have made: `queue set` raises up to here */
    int64_t
        idle_s; /* none of them has settled anything for so long, although there was something to do */
    int64_t
        wedged_s; /* the one that has held deliveries longest without settling any, and its name */
    char wedged[OPS_QUEUE_NOTE_BYTES];
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

/* For so long nothing was settled although something waits: 30 minutes; runbooks/rabbitmq-unavailable.md. */
#define OPS_STUCK_S (30 * 60)
/* Copies of dead letters that wait; 0 where there is no queue for them, or nobody says. */
int64_t ops_queue_replays(const struct ops_queue_facts *facts);
bool ops_queue_is_stuck(const struct ops_queue_facts *facts, int64_t stuck_s);

/* The connections, opened when first needed and kept for the next look. Zeroed storage. */
struct ops_queue_eyes {
    struct ops_broker *broker;
    struct ops_pg_session *session;
    int64_t patience_ms; /* with the database, to open and for a statement; 0: that of pg_session */
};
void ops_queue_eyes_done(struct ops_queue_eyes *eyes);

/* Fills out_look for the enabled sections (only_name NULL) or the one of that name. */
void ops_queue_look(struct ops_queue_eyes *eyes, const struct ops_address *address,
                    const struct sl_subsystems *subsystems, const char *only_name,
                    struct ops_queue_look *out_look);

/* What changed between two looks at one queue. */
struct ops_flow {
    int64_t settled;
    int64_t in_milli;
    int64_t out_milli;
};
/* OPS_UNKNOWN where one of the looks did not know. */
struct ops_flow ops_queue_flow(const struct ops_queue_facts *then,
                               const struct ops_queue_facts *now, int64_t took_ms);

#endif
