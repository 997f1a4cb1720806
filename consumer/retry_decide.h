/*
 * retry_decide - what a slice of a batch that could not be applied does next.
 *
 * Decides only, by the class of the error (pg_link has mapped the SQLSTATE):
 *   contention          the same slice again, in the process, after 10 to 100 ms, CON_CONTENTION_TRIES_MAX times; then as systemic
 *   statement timeout   a slice of several events is cut in two (it may be too much work at once); one event alone as systemic
 *   systemic            hold: nothing is acknowledged, no attempt is spent; again when the database can take it. A lost connection and a
 *                       COMMIT of unknown outcome are this too: the inbox decides when the slice runs again
 *   unready             hold: a schema that is not there concerns every event; whoever waits decides when it is a halt (consumer/halt.h)
 *   item, permanent     bisect: the guilty event alone is found, and fate says what becomes of it
 *   halt                hold as well, but loudly: our schema, our rights or our code are wrong, and a human must act
 * One event can look like a systemic fault (it alone takes too long, or too much memory). So a batch that was held before with the database in reach is
 * cut; an event that fails alone is put off until its neighbours were tried, and when they passed it is guilty at its second time. When
 * CON_FRUITLESS_MAX slices in a row failed and none passed, it is the database after all: hold.
 * Refuses: losing anything; an unknown error holds.
 * Law: shared/pg/sqlstate.def for the classes.
 * Threads: no state.
 */
#ifndef CONSUMER_RETRY_DECIDE_H
#define CONSUMER_RETRY_DECIDE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"

#define CON_CONTENTION_TRIES_MAX   3u
#define CON_CONTENTION_WAIT_MS_MIN 10
#define CON_CONTENTION_WAIT_MS_MAX 100
#define CON_HOLD_WAIT_MS_MIN       250   /* first wait of a held batch is at most this */
#define CON_HOLD_WAIT_MS_MAX       30000 /* longest */
#define CON_FRUITLESS_MAX          12u   /* enough to come from 1,000 events to one */

enum con_next {
    CON_NEXT_AGAIN,   /* the same slice, soon */
    CON_NEXT_BISECT,  /* cut it; an event alone is guilty */
    CON_NEXT_PUT_OFF, /* this event last */
    CON_NEXT_HOLD,    /* keep it and wait for the database */
    CON_NEXT_HALT,    /* keep it and call for an operator */
};

struct con_failure {
    enum sl_code code;
    const char *sqlstate; /* "" when the database did not say */
    unsigned tries;       /* contended tries of this slice before this one */
    size_t events;        /* to be applied in the slice */
    bool is_reachable;    /* the database, after the failure */
    unsigned holds;       /* of the worker since something passed, with the database in reach */
    unsigned fruitless;   /* systemic failures since something passed or was held */
    unsigned strikes;     /* of an event alone: systemic failures before this one */
    bool has_neighbour_passed; /* since its first strike */
};

enum con_next con_retry_decide(const struct con_failure *failure);

/* Wait before CON_NEXT_AGAIN, from any random number. */
int64_t con_retry_wait_ms(uint64_t random);

#endif
