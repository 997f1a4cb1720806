/*
 * refetch_rows - what Stripe is asked about as rows of billing_refetch: taken, and noted again.
 *
 * Decides only: which rows this version understands, and when one that failed is due again.
 * Law: consumer/sql/refetch_take.sql and refetch_note.sql for the columns.
 * Threads: no state.
 */
#ifndef CONSUMER_BILLING_REFETCH_ROWS_H
#define CONSUMER_BILLING_REFETCH_ROWS_H

#include "consumer/billing/billing_params.h"
#include "consumer/billing/refetch_question.h"
#include "shared/pg/pg_link.h"

/* An object that was taken. Everything that is asked about it belongs to the slot until the round ends. */
struct con_refetch_slot {
    struct con_question question; /* first: one leads to the other */
    struct con_refetch *refetch;
    char reason[24];
    int64_t round;
    int64_t tries;
    bool has_ended;
    const char *outcome; /* NULL: it failed, see question.why */
};

/* False: a row that this version does not understand. It comes again, for one that does. */
bool con_refetch_row_read(struct con_refetch_slot *slot, const struct sl_pg_result *result,
                          size_t row) SL_MUST;
/* The arrays of refetch_note.sql, in its order. */
void con_refetch_rows_put(struct con_refetch_slot *slots, size_t count,
                          struct con_billing_params *params);
/* Until it is due again. */
int64_t con_refetch_wait_ms(const struct con_refetch_slot *slot);

#endif
