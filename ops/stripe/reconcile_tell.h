/*
 * reconcile_tell - what `sluice reconcile stripe` found, counted and told: on stderr, to Prometheus, and as the exit status.
 *
 * Threads: one owner.
 */
#ifndef OPS_STRIPE_RECONCILE_TELL_H
#define OPS_STRIPE_RECONCILE_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"

struct ops_reconcile_counts {
    int64_t listed;
    int64_t applied;
    int64_t dead;
    int64_t missing;
    int64_t published;
    int64_t soon;     /* of the missing: Stripe forgets them before long */
    int64_t last;     /* of the missing: within days */
    int64_t oldest_s; /* when the oldest of them happened; 0: none */
};

/* A missing event that happened at occurred_at_s. */
void ops_reconcile_count_missing(struct ops_reconcile_counts *counts, int64_t occurred_at_s,
                                 int64_t now_s);

/* Whose events, and where their figures are left. */
struct ops_reconcile_metrics {
    const char *path; /* NULL: nowhere */
    const char *account;
    const char *subsystem;
    int64_t now_s;
};
bool ops_reconcile_leave_metrics(const struct ops_reconcile_counts *counts,
                                 const struct ops_reconcile_metrics *metrics,
                                 struct sl_err *err) SL_MUST;

/* Returns the exit status. is_acting: what is missing was to be published. */
int ops_reconcile_tell(const struct ops_reconcile_counts *counts, bool is_acting);

#endif
