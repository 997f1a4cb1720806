/*
 * billing_shapes - lists that Stripe wrote differently before API version 2025-03-31, in the words of today.
 *
 * Decides only. A place in a table (billing_columns) is enough where a value moved; here is what changed its form:
 *   total_tax_amounts, tax_amounts [{amount, inclusive, tax_rate, ...}] -> total_taxes, taxes [{amount, tax_behavior, tax_rate_details, type, ...}]
 *   discount {id, ...}                                                  -> discounts [id]; the whole object where it has no id
 *   paid_out_of_band on a paid invoice                                  -> amount_paid includes it
 * Members that are not known are kept as they are; a list that is none is kept whole, so that nothing is made up.
 * Source: https://docs.stripe.com/changelog/basil.
 * Threads: no shared state.
 */
#ifndef CONSUMER_BILLING_SHAPES_H
#define CONSUMER_BILLING_SHAPES_H

#include "consumer/billing/billing_cells.h"

/* The old list at `place` as a cell of today; *cell stays when there is none, or when it holds something already. SL_E_MEMORY. */
bool con_billing_shape_taxes(const struct con_cell_reader *reader, const struct sl_json *object,
                             const char *place, struct con_cell *cell, struct sl_err *err) SL_MUST;
bool con_billing_shape_discounts(const struct con_cell_reader *reader, const struct sl_json *object,
                                 struct con_cell *cell, struct sl_err *err) SL_MUST;

/* What was paid outside Stripe counts as paid: the cells of an invoice, before its progress is read from them. */
void con_billing_shape_paid(const struct sl_json *object, bool is_paid, const struct con_cell *due,
                            struct con_cell *paid, struct con_cell *remaining);

#endif
