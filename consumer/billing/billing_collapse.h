/*
 * billing_collapse - of several rows with one key in a batch, only the newest goes to the database.
 *
 * Decides only: billing_order says which is the newest; of two that it cannot tell apart the later arrival, marked as tied. A statement that met one key
 * twice would fail as a whole (SQLSTATE 21000), and the older one would be overwritten at once anyway.
 * Threads: no shared state.
 */
#ifndef CONSUMER_BILLING_COLLAPSE_H
#define CONSUMER_BILLING_COLLAPSE_H

#include "consumer/billing/billing_rows.h"

/*
 * rows: of one table, in the order of arrival. Afterwards the first n (returned) are the newest of each key, sorted by account, livemode and
 * id in byte order; the rest is in no order. Sets arrival, winner, led and is_tied of every row.
 */
size_t con_billing_collapse(struct con_billing_row **rows, size_t count);

/* The row with that key among n collapsed ones; NULL when there is none. */
struct con_billing_row *con_billing_collapsed_find(struct con_billing_row *const *rows, size_t n,
                                                   struct sl_span account, bool livemode,
                                                   struct sl_span id);

#endif
