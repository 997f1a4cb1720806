#include "consumer/billing/billing_wishes.h"

bool con_billing_is_left_incomplete(const struct con_billing_row *row)
{
    return row->children_missing && !row->is_observed && row->winner == row &&
           con_billing_is_applied(row);
}

/*
 * Stripe's answer, of a time that asking again would not change: a test clock stands still, and may be ahead of Stripe's own. A payment says nothing of its
 * clock.
 */
bool con_billing_is_answer_for_good(const struct con_billing_row *row)
{
    return row->is_observed &&
           (row->table == CON_BILLING_INVOICE_PAYMENT ||
            row->cells[con_billing_column_index(row->table, "test_clock")].is_set);
}

bool con_billing_is_applied(const struct con_billing_row *row)
{
    const struct con_billing_row *last = row->winner->last;
    if (last == NULL) {
        return row->led && row->winner->is_written && !row->winner->is_late;
    }
    return last->is_written && !last->is_late &&
           sl_span_eq(last->version.event_id, row->version.event_id);
}

struct con_billing_wish con_billing_wish_for(const struct con_billing_row *row, const char *reason)
{
    static const char *const kinds[CON_BILLING_TABLES] = {
        [CON_BILLING_CUSTOMER] = "customer",
        [CON_BILLING_SUBSCRIPTION] = "subscription",
        [CON_BILLING_INVOICE] = "invoice",
        [CON_BILLING_INVOICE_PAYMENT] = "invoice_payment",
    };
    return (struct con_billing_wish){
        .account = row->account,
        .livemode = row->livemode,
        .kind = kinds[row->table],
        .id = row->id,
        .reason = reason,
    };
}
