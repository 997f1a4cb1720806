/*
 * apply - a slice of a batch as one transaction: all of it is committed, or none of it happened.
 *
 * Happy path, one round trip each:
 *   1. BEGIN; claim            the inbox says which events nobody has applied yet; the others become DUPLICATE
 *   2. the handler's steps     left out when there is nothing to write
 *   3. verdict; COMMIT         the inbox rows of what turned out STALE are corrected first
 * A rehearsal ends in ROLLBACK instead, and its verdicts are what they would have been.
 * The verdicts are known only when the handler's statements have answered, so the third trip cannot be saved.
 *
 * Failure modes. A refused statement: ROLLBACK, then the error. A lost connection, also during COMMIT: the error, and whether the
 * transaction happened is unknown; run the slice again, the inbox decides. In every failure all verdicts are again what they were.
 * Refuses: deciding what comes after a failure (retry_decide), acknowledging (settle).
 * Threads: one loop.
 */
#ifndef CONSUMER_APPLY_H
#define CONSUMER_APPLY_H

#include "consumer/handler.h"
#include "shared/arena.h"

struct con_apply;

struct con_apply_opts {
    struct sl_pg_link *pg;             /* borrowed; has the statements of con_apply_statements */
    const struct con_handler *handler; /* borrowed; has read the events */
    struct sl_arena *arena;            /* borrowed; the batch's */
    const char *subsystem;             /* borrowed */
    size_t events_max;                 /* in a slice */
    bool
        is_rehearsal; /* rolled back where it would be committed, after deferred constraints were looked at */
    void *arg;
    /* The end of a slice that started, from the loop; error NULL when it is committed. */
    void (*on_done)(void *arg, const struct con_handler_error *error);
};

/* What the link has to prepare, beside the handler's. */
void con_apply_statements(struct con_statements *statements);

struct con_apply *con_apply_new(const struct con_apply_opts *opts, struct sl_err *err) SL_MUST;
/* Free the link first. Accepts NULL. */
void con_apply_free(struct con_apply *apply);

/*
 * Starts with events[first .. first + count) of the batch that the handler has read, as far as they are PENDING or IGNORED; the others are passed
 * over. False: nothing was started and on_done is not called.
 */
bool con_apply_start(struct con_apply *apply, struct con_event *events, size_t first, size_t count,
                     struct sl_err *err) SL_MUST;
bool con_apply_is_busy(const struct con_apply *apply);

SL_DEFINE_AUTO(struct con_apply *, con_apply_free)

#endif
