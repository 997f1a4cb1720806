/*
 * order_write - an operator's order to all consumers: a row of sluice_control, and the wait until every running consumer acts on it.
 *
 * Law: schemas/control.md for names and values.
 * Threads: one.
 */
#ifndef OPS_ORDER_WRITE_H
#define OPS_ORDER_WRITE_H

#include "ops/pg_session.h"

#define OPS_ORDER_WAIT_MS    5000
#define OPS_ORDER_TIME_BYTES 64u

struct ops_order {
    const char *subsystem; /* "": all of them */
    const char *name;      /* "paused", "batch", "park event evt_…" */
    const char *value;     /* JSON; NULL: the row is removed */
    const char *reason;    /* may be NULL */
    int64_t for_ms;        /* 0: until it is removed */
    bool dry_run;          /* nothing is written */
};

/*
 * With dry_run nothing is written, *out_changed is what would be, and out_at is "". Otherwise out_at: the moment, in the database's clock, behind which a consumer that read the orders has read this one. *out_changed may be NULL.
 */
bool ops_order_write(struct ops_pg_session *session, const struct ops_order *order,
                     int64_t *out_changed, char out_at[OPS_ORDER_TIME_BYTES],
                     struct sl_err *err) SL_MUST;

/* The wait, and one line about it to stderr. *out_status is 75 when not all follow yet. For "" as `at` it ends a plan, and *out_status is 2. */
bool ops_order_tell(struct ops_pg_session *session, const char *subsystem, const char *at,
                    bool rest, int *out_status, struct sl_err *err) SL_MUST;

#endif
