/*
 * fuse - the breaker of the database: after a few failures that are nobody's event's fault, one worker at a time finds out whether it can be used again.
 *
 * Decides only, by a clock given from outside; one for all workers of a process.
 *   closed     everybody may begin a transaction. It opens after `consecutive` failures in a row, or at once when the server says that it is full, crashed,
 *              read-only or damaged (fuse.c has the SQLSTATEs)
 *   open       nobody may, until probe_at_ms; what is in hand stays in hand, no attempt is spent
 *   half-open  whoever asked first is trying: a commit closes the fuse, a failure opens it for twice as long (probe_ms up to probe_ms_max, lengthened by up to
 *              a quarter at random). A probe that is never heard of again is followed by another one after probe_ms
 * Law: an event's own failure is no concern of the fuse, nor is a schema that is not there yet, nor a target that is away. A connection that has just been made
 * lets the next probe through at once. When nobody has anything to try, a small write of the program's own closes it.
 * An operator can force it: open, nobody may begin, not even a probe; closed, nothing opens it. When it was forced open and the force ends, the next one may try.
 * Source: "Database breaker" of the design; consumer/config.def holds the thresholds (SLUICE_DB_BREAKER_*).
 * Threads: one loop.
 */
#ifndef CONSUMER_FUSE_H
#define CONSUMER_FUSE_H

#include <stdint.h>

#include "consumer/breaker.h"

struct con_fuse_policy {
    int64_t consecutive;  /* failures in a row, > 0 */
    int64_t probe_ms;     /* first wait, > 0 */
    int64_t probe_ms_max; /* longest, >= probe_ms */
};

struct con_fuse {
    struct con_fuse_policy policy;
    enum con_breaker_state state;
    enum con_force force;
    int64_t failed_in_a_row;
    int64_t since_ms;    /* not closed */
    int64_t wait_ms;     /* not closed: of the last opening, before it was lengthened */
    int64_t probe_at_ms; /* not closed */
    const void *prober;  /* half-open: who tries; never followed */
};

void con_fuse_init(struct con_fuse *fuse, const struct con_fuse_policy *policy);

/* May `who` begin, or go on with, a transaction now? CON_ADMIT_PROBE: it is the one that finds out. */
enum con_admission con_fuse_admit(struct con_fuse *fuse, const void *who, int64_t now_ms);
/* Until the next one is let through, at least 1; 0 while closed. */
int64_t con_fuse_wait_ms(const struct con_fuse *fuse, int64_t now_ms);

/* Something was committed. */
enum con_breaker_change con_fuse_passed(struct con_fuse *fuse);
/* Is a failure with this SQLSTATE the database's, rather than one section's? "": the connection, or no answer in time. */
bool con_fuse_counts(const char *sqlstate);
/* The database could not do it; sqlstate "" when it did not say why. random: any number. CON_BREAKER_OPENED: from closed. */
enum con_breaker_change con_fuse_failed(struct con_fuse *fuse, const char *sqlstate, int64_t now_ms,
                                        uint64_t random);
/* What an operator wants, again and again. CON_BREAKER_OPENED: forced open from now on, whatever it was before. */
enum con_breaker_change con_fuse_force(struct con_fuse *fuse, enum con_force force, int64_t now_ms);
/* A connection was made. */
void con_fuse_reached(struct con_fuse *fuse, int64_t now_ms);
/* A write that is no worker's was committed. It is no proof for a big transaction, so who has one goes first: it closes the fuse only when the next probe has been
 * due for probe_ms and nobody came, or one that began was not heard of again for probe_ms_max. */
enum con_breaker_change con_fuse_wrote(struct con_fuse *fuse, int64_t now_ms);

#endif
