/*
 * gameday_books - finds out what became of the events: inbox, dead letters, journal, and what still waits in the broker, for each subsystem that takes them.
 *
 * Waits until every accepted event has settled in each, at most until the deadline; a database that is away is asked again. Reads only.
 * Threads: one.
 */
#ifndef OPS_GAMEDAY_BOOKS_H
#define OPS_GAMEDAY_BOOKS_H

#include <signal.h>

#include "ops/gameday/gameday_drive.h"
#include "ops/gameday/gameday_takers.h"

struct ops_gameday_books_opts {
    const struct ops_address *address;
    const struct sl_subsystems *subsystems;
    int64_t drain_ms;
    const volatile sig_atomic_t *is_stopped; /* waits no longer once it is set */
};

/* Fills the waves' fates, the answers, and each taker's places and ledger. *out_drain_ms: until the last one had settled; OPS_GAMEDAY_NEVER: they have not. False when the database was never there. */
bool ops_gameday_books(const struct ops_gameday_books_opts *opts, struct ops_gameday_course *course,
                       struct ops_gameday_takers *takers, struct ops_gameday_answers *answers,
                       int64_t *out_drain_ms, struct sl_err *err) SL_MUST;

#endif
