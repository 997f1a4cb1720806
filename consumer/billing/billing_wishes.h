/*
 * billing_wishes - what a row of the batch gives reason to ask Stripe about.
 *
 * Decides only: a list that was sent in part, and events of one second that nothing puts in order; not what Stripe itself has just said.
 * Threads: no state.
 */
#ifndef CONSUMER_BILLING_WISHES_H
#define CONSUMER_BILLING_WISHES_H

#include "consumer/billing/billing_params.h"

/* The row stands in the table now, and lists only some of its children. Stripe's own answer is as whole as it gets. */
bool con_billing_is_left_incomplete(const struct con_billing_row *row);
/* Of events of one second: asking would not change what the row says. */
bool con_billing_is_answer_for_good(const struct con_billing_row *row);
/* Whether the row, or what happened last in its second, is in the table through this batch. */
bool con_billing_is_applied(const struct con_billing_row *row);
/* kind NULL: of objects that cannot be asked about. */
struct con_billing_wish con_billing_wish_for(const struct con_billing_row *row, const char *reason);

#endif
