/*
 * billing_order - which of two events about one object is the newer.
 *
 * Decides only. Law: terminal, then created, then phase, then progress; those that are equal are put in order by billing_tie. An event id is
 * no order. The statements in consumer/sql say the same in SQL; a batch is collapsed by this before they see it.
 * Terminal comes first because nothing follows the end of a Stripe object but corrections of its end: whatever order events arrive in, the
 * rows end up the same.
 * Threads: no state.
 */
#ifndef CONSUMER_BILLING_ORDER_H
#define CONSUMER_BILLING_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/span.h"

enum con_billing_phase {
    CON_PHASE_CREATED = 0,
    CON_PHASE_NOTICE = 1,
    CON_PHASE_UPDATED = 2,
    CON_PHASE_TERMINAL = 3, /* deleted, or a status that nothing follows */
};

#define CON_PROGRESS_PARTS 3

struct con_billing_version {
    int64_t created_s; /* of the event */
    enum con_billing_phase phase;
    int64_t progress
        [CON_PROGRESS_PARTS]; /* what never goes back within a second; most important first */
    struct sl_span event_id;  /* not compared */
};

/* < 0 when a is older, > 0 when it is newer, 0 when they cannot be told apart. */
int con_billing_order(const struct con_billing_version *a, const struct con_billing_version *b);

/* How far a status has come (functions billing_subscription_rank and billing_invoice_rank in the schema). Absent: 0. */
int64_t con_billing_subscription_rank(struct sl_span status);
int64_t con_billing_invoice_rank(struct sl_span status);
/* canceled and incomplete_expired. */
bool con_billing_subscription_has_ended(struct sl_span status);

#endif
