/*
 * outage - how far the broker's absence has come, as a table.
 *
 *     up        events are confirmed
 *     blocked   connected, but a memory or disk alarm keeps publishes out, or the broker owes confirms past their deadline
 *     waiting   the link was lost, or has never been; it is tried again
 *     degraded  waiting for longer than SLUICE_DEGRADED_AFTER: people are told
 *
 * Decides only: state and event in, next state, action and a sentence out. A pair that is not in the table is a bug.
 * Law: in every state but `up` no request waits for the broker, and the health says degraded. Only `up` ends an outage; the time runs from the loss of the
 * link, not from the last attempt.
 * Threads: no state.
 */
#ifndef PUBLISHER_OUTAGE_H
#define PUBLISHER_OUTAGE_H

#include <stddef.h>

enum pub_outage {
    PUB_OUTAGE_UP,
    PUB_OUTAGE_BLOCKED,
    PUB_OUTAGE_WAITING, /* also before the first attempt */
    PUB_OUTAGE_DEGRADED,
    PUB_OUTAGES
};
/* "up", "blocked", "waiting", "degraded". */
const char *pub_outage_name(enum pub_outage state);

enum pub_outage_event {
    PUB_OUTAGE_EV_UP, /* a link is up; also another one that takes over */
    PUB_OUTAGE_EV_BLOCKED,
    PUB_OUTAGE_EV_UNBLOCKED,
    PUB_OUTAGE_EV_LOST,    /* the link went down, or an attempt failed */
    PUB_OUTAGE_EV_OVERDUE, /* SLUICE_DEGRADED_AFTER has passed since the loss */
    PUB_OUTAGE_EVENTS
};

enum pub_outage_act {
    PUB_OUTAGE_DO_NOTHING,
    PUB_OUTAGE_DO_TIME, /* start the time that OVERDUE ends */
    PUB_OUTAGE_DO_STOP, /* stop it */
    PUB_OUTAGE_DO_TELL, /* people must know */
};

struct pub_outage_rule {
    enum pub_outage from;
    enum pub_outage_event on;
    enum pub_outage to;
    enum pub_outage_act act;
    const char *why;
};

/* NULL: cannot happen. */
const struct pub_outage_rule *pub_outage_step(enum pub_outage state, enum pub_outage_event event);

#endif
