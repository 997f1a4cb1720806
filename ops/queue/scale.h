/*
 * scale - how many workers a backlog needs, how many the database has room for, and which of broker, workers and database sets the pace.
 *
 * Decides only. The room is what was declared as this product's budget of sessions, less what others use, less a headroom: not the server's
 * max_connections, which a pooler between changes the meaning of.
 * Law: needed = ceil((backlog / target + in) / out of one worker); room = floor((budget - others - headroom) / sessions of a worker).
 * A step is one or two workers, then a look for one or two minutes, then back when it did not help.
 * Source: runbooks/queue-backlog.md.
 * Threads: no state.
 */
#ifndef OPS_SCALE_H
#define OPS_SCALE_H

#include "ops/queue/cause.h"

#define OPS_SCALE_STEP_MAX 2
#define OPS_SCALE_TARGET_S (15 * 60)
#define OPS_SCALE_HEADROOM 10
#define OPS_WORKER_SESSIONS                                                                        \
    1 /* a worker's own; what a process needs besides does not grow with them */
#define OPS_SCALE_REASON_BYTES 192u

enum ops_constraint {
    OPS_BOUND_UNKNOWN,
    OPS_BOUND_BROKER,   /* workers wait for deliveries although there are some */
    OPS_BOUND_WORKERS,  /* they have their hands full */
    OPS_BOUND_DATABASE, /* locks, long transactions, or no session left */
};

struct ops_scale_figures {
    int64_t backlog; /* waiting and in hand */
    int64_t waiting;
    int64_t unacked;
    int64_t in_milli;
    int64_t out_milli;
    int64_t workers;      /* that consume now */
    int64_t workers_made; /* that the running processes have made: queue set raises up to here */
    int64_t blocked;      /* sessions of its workers that wait for a lock */
    int64_t busy_ms;      /* its longest transaction */
    int64_t budget;       /* sessions, declared */
    int64_t others;       /* sessions in use that are not this subsystem's workers */
    int64_t headroom;
    int64_t target_s;
};

struct ops_scale_advice {
    enum ops_constraint bound;
    int64_t needed; /* workers; OPS_UNKNOWN when no pace could be seen */
    int64_t room;   /* workers the database has room for, these included; never below 0 */
    int64_t next;   /* workers to go to in this step; as many as now: leave it */
    char reason[OPS_SCALE_REASON_BYTES];
};

struct ops_scale_advice ops_scale_advise(const struct ops_scale_figures *figures);
/* "broker", "workers", "database", "unknown" */
const char *ops_constraint_name(enum ops_constraint constraint);

#endif
