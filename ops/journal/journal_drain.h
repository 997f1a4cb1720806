/*
 * journal_drain - publishes a journal's events by hand, as the publisher does by itself when it runs.
 *
 * Oldest first, persistent + mandatory, with the original id and time of receipt; an event is forgotten only when its publish was confirmed and not
 * returned. What no broker will ever take is set aside in poison/ and holds up nothing. Stopped at any moment, and begun again, it costs duplicates at most.
 * Refuses: working beside a publisher that runs (SL_E_JOURNAL_LOCKED).
 * Threads: runs loops of its own.
 */
#ifndef OPS_JOURNAL_DRAIN_H
#define OPS_JOURNAL_DRAIN_H

#include <stdint.h>

#include "ops/address.h"

struct ops_journal_drain_opts {
    const char *dir;
    const struct ops_address *address;
    int64_t rate;  /* events a second at most */
    int64_t limit; /* events at most; 0: all */
};

struct ops_journal_drain_result {
    uint64_t published; /* confirmed and not returned */
    uint64_t
        refused; /* publishes that the broker returned or nacked; an event may be refused several times */
    uint64_t set_aside; /* moved to poison/: unreadable, or larger than the broker takes */
    uint64_t left;      /* events that still wait */
};

/*
 * Under the journal's lock, until nothing is left, at the limit, when all that is left was refused (a nack or a return speaks of a queue: it stays in the
 * journal), or when nothing has moved for a while. False: it could not begin, or the broker is away; the result says what was done before.
 */
bool ops_journal_drain(const struct ops_journal_drain_opts *opts,
                       struct ops_journal_drain_result *out_result, struct sl_err *err) SL_MUST;

#endif
