/*
 * opening - when a worker begins its next transaction, and with which of the deliveries that wait.
 *
 *   1. something waits: the timer is set for when the batch wants to start, or for the next turn of the loop
 *   2. it is due: the turn is chosen, and what waits of types that are held goes on its way first (lane)
 *   3. a section that makes way waits for the others (yield), who must be alone waits until they have nothing in hand (flight), all wait for the database's breaker (fusebox)
 *   4. as many as the ramp has room for are taken, and the owner works on them until it says that they have ended
 * Nothing is begun while another one is open, or the link to Postgres is down.
 * Refuses: the work itself, and knowing whether the owner still wants any (who drains does not plan).
 * Threads: one loop.
 */
#ifndef CONSUMER_OPENING_H
#define CONSUMER_OPENING_H

#include "consumer/batch.h"
#include "consumer/flight.h"
#include "consumer/fusebox.h"
#include "consumer/lane.h"
#include "shared/loop.h"
#include "shared/pg/pg_link.h"

struct con_opening;

struct con_opening_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct con_batch *batch;
    size_t batch_max; /* events of a transaction, whatever operators set */
    const struct sl_pg_link *pg;
    struct con_flight *flight;   /* what is suspected is tried alone; may be NULL */
    struct con_fusebox *fusebox; /* the database's */
    struct con_lane *lane;       /* of the types that fail too much */
    /* Of a section that makes way: whether there is anybody to make way for. NULL: this one does not. */
    bool (*is_rush)(const void *rush_arg);
    const void *rush_arg;

    void *arg;
    /* The lane took some out of the way: they are LEAVING now. */
    void (*on_diverted)(void *arg);
    /* These are RUNNING now, `count` > 0 of one turn. The array lives until con_opening_ended, which may be called from in here. */
    void (*on_open)(void *arg, enum con_turn turn, struct con_delivery *const *deliveries,
                    size_t count);
};

struct con_opening *con_opening_new(const struct con_opening_opts *opts,
                                    struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void con_opening_free(struct con_opening *opening);

/* Something may wait: sees to it that a transaction begins when one should. */
void con_opening_plan(struct con_opening *opening);
/* What was planned does not begin. */
void con_opening_cancel(struct con_opening *opening);
/* One has begun and has not ended. */
bool con_opening_is_open(const struct con_opening *opening);
/* It has ended; is_committed: something of it was committed. Nothing is planned by it. */
void con_opening_ended(struct con_opening *opening, bool is_committed);

/* The database was away: from now on few, then more (ramp); and: it is there and refuses, so few would only hide why. */
void con_opening_ramp(struct con_opening *opening);
void con_opening_ramp_end(struct con_opening *opening);
/* Most events of a transaction, as operators have set it: 1 to batch_max. */
void con_opening_obey(struct con_opening *opening, size_t batch);

#endif
