/*
 * billing_twins - events of one second about one object, looked up and put in order.
 *
 * Decides only. A row that met its equal, in the batch or in the table, is asked about: the statement `twins` returns every event of its second
 * that the inbox holds, those of this transaction among them. billing_tie says which of them was the last. The inbox grows until all have
 * arrived, so the last answer is the same whatever order they came in.
 *
 * Threads: one owner.
 */
#ifndef CONSUMER_BILLING_TWINS_H
#define CONSUMER_BILLING_TWINS_H

#include "consumer/billing/billing_params.h"
#include "consumer/billing/billing_tie.h"

/* One row that was asked about. */
struct con_billing_asked {
    struct con_billing_found *twins; /* in reverse; of the row's own version only */
    size_t twin_count;
    bool is_too_large; /* the bodies were left out */
    bool is_unsure;    /* nothing settled it; set by decide */
};

struct con_billing_twins {
    struct sl_arena *arena; /* borrowed; holds everything of the batch */
    struct con_billing_row **rows;
    struct con_billing_asked *items; /* items[i] is about rows[i] */
    size_t count;
    size_t unsure_count; /* of those items */
};

/* For up to count_max rows. SL_E_MEMORY. */
bool con_billing_twins_init(struct con_billing_twins *twins, struct sl_arena *arena,
                            size_t count_max, struct sl_err *err) SL_MUST;
void con_billing_twins_ask(struct con_billing_twins *twins, struct con_billing_row *row);

/* The parameters of twins.sql. */
void con_billing_twins_params(const struct con_billing_twins *twins, const char *subsystem,
                              struct con_billing_params *params);

/*
 * One row of the answer. place: from 1, in the order of asking. event_id and root are borrowed until the batch ends; root NULL: the body was left
 * out. False only without memory, or for a place that was not asked about (SL_E_BUG).
 */
bool con_billing_twins_take(struct con_billing_twins *twins, size_t place, struct sl_span event_id,
                            struct sl_span type, const struct sl_json *root,
                            struct sl_err *err) SL_MUST;

/*
 * Decides about the index-th: the row of the last twin, which may be the asked row itself or one read from the inbox; NULL when there was no
 * other of its version. Counts the unsure.
 */
bool con_billing_twins_decide(struct con_billing_twins *twins, size_t index,
                              struct con_billing_row **out_last, struct sl_err *err) SL_MUST;

#endif
