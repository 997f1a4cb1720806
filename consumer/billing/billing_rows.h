/*
 * billing_rows - a Stripe object as the cells of its table, whatever API version wrote it.
 *
 * Decides only. The cells are read by billing_columns; here is what a place alone cannot say: the version, when it was deleted, periods that
 * moved to the items, single things that became lists, and the children (items, lines) with their parent's version.
 * Children lists that carry has_more, or fewer than total_count, are marked incomplete.
 * Everything lives in the arena or borrows from the JSON tree.
 * Threads: no shared state.
 */
#ifndef CONSUMER_BILLING_ROWS_H
#define CONSUMER_BILLING_ROWS_H

#include "consumer/billing/billing_cells.h"

struct con_billing_row {
    enum con_billing_table table;
    bool is_stub; /* only the key, the version and deleted_at mean something */
    bool livemode;
    struct sl_span account;
    struct sl_span id;
    struct con_cell *cells; /* con_billing_columns(table).count of them; all NULL in a stub */
    bool is_deleted;
    int64_t deleted_at_s; /* when is_deleted */
    struct con_billing_version version;

    struct con_billing_row *children; /* items, lines, in the order of the list */
    struct con_billing_row *next;     /* sibling */
    bool children_complete;           /* the list was there and says that it is all */
    bool children_missing;            /* ... and says that it is not */
    bool is_observed; /* what Stripe said when it was asked: nothing of its own sent it */

    /* Set by billing_collapse. */
    size_t arrival; /* place among the rows collapsed together */
    const struct con_billing_row
        *winner;  /* the newest of the same key in the batch, maybe itself */
    bool led;     /* when it arrived it was the newest so far */
    bool is_tied; /* a winner that another row of the batch equals */

    /* Set by billing_apply. */
    bool is_written; /* the database took it */
    bool is_late;    /* ... into a row that was deleted later than this happened */
    const struct con_billing_row *last; /* of its second, once decided; NULL: it met no equal */
};

/*
 * The row of a subject that is not ignored, children included. out_replaced (may be NULL) is increased by the characters replaced.
 * SL_E_EVENT_MALFORMED: this event can never pass. SL_E_MEMORY: the arena is full.
 */
bool con_billing_row_read(const struct con_billing_subject *subject,
                          const struct sl_envelope *envelope, struct sl_arena *arena,
                          struct con_billing_row **out_row, size_t *out_replaced,
                          struct sl_err *err) SL_MUST;

#endif
