/*
 * requeue_rows - what a requeue_query yields, as events.
 *
 * Threads: the session's.
 */
#ifndef OPS_REQUEUE_ROWS_H
#define OPS_REQUEUE_ROWS_H

#include "ops/pg_session.h"
#include "shared/event/envelope.h"

#define OPS_REQUEUE_ROWS_MAX 5000

enum ops_requeue_state {
    OPS_REQUEUE_WANTED,
    OPS_REQUEUE_KNOWN,      /* the section has dealt with this id */
    OPS_REQUEUE_INCOMPLETE, /* no id, or no type or body, and the archive has none */
};
const char *ops_requeue_state_name(enum ops_requeue_state state);

struct ops_requeue_row {
    struct sl_envelope event; /* borrows from the rows, its body from the arena of the caller */
    enum ops_requeue_state state;
};

struct ops_requeue_question {
    const char *subsystem;
    const char *query; /* of its section */
    const char *from;  /* RFC 3339 */
    const char *to;
    int64_t limit;
};

/* Rows in the query's order, at most `limit` of them; read in a transaction that cannot write. SL_E_CONFIG with the server's words when the query fails. */
bool ops_requeue_ask(struct ops_pg_session *session, const struct ops_requeue_question *question,
                     struct ops_pg_rows *out_rows, struct sl_err *err) SL_MUST;
/* The row-th of them. False: SL_E_MEMORY, or a body above SL_EVENT_BODY_BYTES_MAX (SL_E_LIMIT). */
bool ops_requeue_read(const struct ops_pg_rows *rows, size_t row, int64_t now_us,
                      struct sl_arena *arena, struct ops_requeue_row *out,
                      struct sl_err *err) SL_MUST;

#endif
