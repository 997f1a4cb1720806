/*
 * answer - the fixed set of things the receiver says, and what each one promises.
 *
 * Decides only. Law: a 2xx means something durable holds the event; a 4xx never reveals why a signature failed; a 503 always
 * says when to come back. A 200 is only ever the result of a confirm that was not a return.
 * Threads: no state.
 */
#ifndef PUBLISHER_ANSWER_H
#define PUBLISHER_ANSWER_H

#include "shared/amqp_link.h"
#include "shared/buf.h"

enum pub_answer {
    PUB_CONFIRMED,      /* 200 */
    PUB_NOT_AUTHENTIC,  /* 400: signature missing, malformed, wrong, stale or from the future */
    PUB_EMPTY,          /* 400: authentic, but without a body */
    PUB_ENCODED,        /* 415: Content-Encoding */
    PUB_LENGTH_MISSING, /* 411 */
    PUB_NOT_FOUND,      /* 404 */
    PUB_BAD_METHOD,     /* 405 */
    PUB_DISABLED,       /* 503: switched off by configuration */
    PUB_DRAINING,       /* 503: this process is going away */
    PUB_OVERLOADED,     /* 503: a bound was reached */
    PUB_UNAVAILABLE,    /* 503: nothing durable could be done */
    PUB_ANSWERS
};

struct pub_answer_row {
    int status;
    unsigned retry_after_s; /* 0: none */
    const char *outcome;    /* label of sluice_events_received_total */
    const char *body;       /* fixed; NULL for PUB_CONFIRMED, whose body names the event */
};

const struct pub_answer_row *pub_answer_row(enum pub_answer answer);

/* What a settled publish means for its sender. */
enum pub_answer pub_answer_for(enum sl_publish_outcome outcome);

/* Appends `{"received":true,"id":"…"}`. */
void pub_answer_confirmed(struct sl_span id, struct sl_buf *out);

#endif
