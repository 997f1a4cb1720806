/*
 * ramp - how many events a transaction may take after Postgres was away: 1, 8, 64, then as many as ever.
 *
 * Decides only. A database that has just come back is slow (cold caches, everybody at once), and may go again; one event finds that out more cheaply than
 * five hundred, and the backlog arrives in steps.
 * Law: each committed transaction is a step. A transaction that fails while the connection stays is no recovery to be gentle with: the ramp is over,
 * since only in company can it be seen whether an event or the database is at fault (inquest).
 * Threads: one worker.
 */
#ifndef CONSUMER_RAMP_H
#define CONSUMER_RAMP_H

#include <stddef.h>

#define CON_RAMP_STEP 8u

struct con_ramp {
    size_t limit; /* 0: none */
};

/* The connection was lost, or could not be made. */
void con_ramp_lost(struct con_ramp *ramp);
/* A transaction was committed; full is what one may take without a ramp. */
void con_ramp_passed(struct con_ramp *ramp, size_t full);
/* A transaction failed although there is a connection. */
void con_ramp_end(struct con_ramp *ramp);
/* At most full, at least 1. */
size_t con_ramp_room(const struct con_ramp *ramp, size_t full);

#endif
