/*
 * answer - the fixed set of things the receiver says, and what each one promises.
 *
 * Decides only. Law: a 2xx means something durable holds the event; a 4xx never reveals why a signature failed; a 503 always
 * says when to come back.
 * Threads: no state.
 */
#ifndef PUBLISHER_ANSWER_H
#define PUBLISHER_ANSWER_H

#include "shared/buf.h"

enum pub_answer {
    PUB_CONFIRMED,      /* 200: the broker has it */
    PUB_JOURNALED,      /* 202: our journal has it, and publishes it later */
    PUB_DROPPED,        /* 202 that says so: a line in the drop log is all there is */
    PUB_NOT_AUTHENTIC,  /* 400: signature missing, malformed, wrong, stale or from the future */
    PUB_MALFORMED,      /* 400: an event of our own programs that cannot be read */
    PUB_FORBIDDEN,      /* 403: did not come through the edge */
    PUB_EMPTY,          /* 400: authentic, but without a body */
    PUB_ENCODED,        /* 415: Content-Encoding */
    PUB_LENGTH_MISSING, /* 411 */
    PUB_NOT_FOUND,      /* 404 */
    PUB_BAD_METHOD,     /* 405 */
    PUB_DISABLED,       /* 503: switched off by configuration */
    PUB_DRAINING,       /* 503: this process is going away */
    PUB_OVERLOADED,     /* 503: a bound was reached */
    PUB_HELD_BACK, /* 503: a breaker holds this type, and its section wants it refused meanwhile */
    PUB_UNAVAILABLE, /* 503: nothing durable could be done */
    PUB_LATE,        /* 503: nothing durable was done in time; it may be later on */
    PUB_ANSWERS
};

struct pub_answer_row {
    int status;
    unsigned retry_after_s; /* 0: none */
    const char *outcome;    /* label of sluice_events_received_total */
    const char *body;       /* fixed; NULL for a 2xx, whose body names the event */
};

const struct pub_answer_row *pub_answer_row(enum pub_answer answer);

/*
 * The body of a 2xx: `{"received":true,"id":"…"}`, with `"degraded":true` unless confirmed, `"stored":false` when dropped, `"durable":false` when the
 * journal is on storage that a restart may empty.
 */
void pub_answer_received(enum pub_answer answer, struct sl_span id, bool is_durable,
                         struct sl_buf *out);

#endif
