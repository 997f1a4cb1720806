/*
 * teller - tells a section's on-dead of each event that was given up: a signed POST with the error, or a call of a function with the row.
 *
 * One per process. Works from the table sluice_dead_notice, whose rows are written with the dead letters, so that none is forgotten. A notice is
 * taken for a while, told, and marked; one that fails is tried again, for ever, after TELLER_WAIT_MS_MIN, doubled each time, at most
 * TELLER_WAIT_MS_MAX. A function is called in the transaction that marks it; a URL may be told twice, with the same idempotency key.
 * Law: schemas/handlers.md.
 * Threads: one loop.
 */
#ifndef CONSUMER_TELLER_H
#define CONSUMER_TELLER_H

#include "consumer/targets.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/subsystem/subsystems.h"

struct con_teller;

struct con_teller_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    const char *database_url;
    const char *service;
    const struct sl_subsystem *const *subsystems;
    const struct con_target *targets; /* of the subsystems, by index */
    size_t subsystem_count;
};

/* Sleeps for ever when no section has an on-dead. */
struct con_teller *con_teller_new(const struct con_teller_opts *opts, struct sl_err *err) SL_MUST;
/* What is under way comes again. Accepts NULL. */
void con_teller_free(struct con_teller *teller);
/* The subsystems that have an on-dead, as a Postgres array: {a,b}. */
const char *con_teller_subsystems(const struct con_teller *teller);
/* There may be something to tell. */
void con_teller_nudge(struct con_teller *teller);

#endif
