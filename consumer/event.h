/*
 * event - one delivery on its way into Postgres.
 *
 * Owned by the batch it is in: spans borrow from the batch's arena, which outlives every use.
 * Threads: one worker.
 */
#ifndef CONSUMER_EVENT_H
#define CONSUMER_EVENT_H

#include "shared/event/envelope.h"
#include "shared/json/json.h"

enum con_verdict {
    CON_PENDING,   /* not decided yet */
    CON_APPLIED,   /* changed state */
    CON_STALE,     /* older than what is stored: recorded, no change */
    CON_IGNORED,   /* nothing to do with it but keep the bytes */
    CON_DUPLICATE, /* the inbox has it already: acked, no second row */
    CON_DEAD,      /* failed by itself, as `why` says: another try later, or a dead letter */
    CON_BLAMED, /* failed alone in a transaction; DEAD when the batch ends, unless the batch fails as a whole */
    CON_HELD, /* could not be tried now, through no fault of its own */
    CON_DONE, /* handed to the worker, who settles it */
};
/* Word in sluice_inbox.verdict and in metrics. */
const char *con_verdict_name(enum con_verdict verdict);

struct con_event {
    uint64_t tag; /* delivery tag on the worker's consuming link */
    struct sl_envelope envelope;
    struct sl_span bytes;       /* the whole message body, for a dead letter */
    const struct sl_json *json; /* of envelope.body; NULL when it is not JSON */
    bool is_replay;             /* a copy that a replay run published */
    struct sl_span
        body_text; /* envelope.body as jsonb takes it; absent when it is not JSON, or nobody asked */
    enum con_verdict verdict;
    enum con_verdict was;     /* when BLAMED: before that */
    enum con_verdict claimed; /* the verdict in its inbox row, once the transaction claims it */
    struct sl_err why;        /* when DEAD */
    const char *code;         /* when DEAD: SQLSTATE, or what the target calls it; "": nothing */
    int64_t attempt;          /* which try this is, from 1 */
    int64_t retry_after_s;    /* when DEAD: not again before; 0: nothing said */
};

#endif
