/*
 * plan - how a command ends that was only asked what it would do: one sentence to stderr, and the status of every plan.
 *
 * Law: sluice(1), EXIT STATUS: 2 a plan has work, 0 it has none.
 * Threads: no state.
 */
#ifndef OPS_PLAN_H
#define OPS_PLAN_H

#include <stdbool.h>

#define OPS_PLAN_HAS_WORK 2
/* How to have it done, for a command that acts when --yes is given, and for one that acts at once. */
#define OPS_PLAN_YES "add --yes"
#define OPS_PLAN_WET "leave --dry-run out"

/* how: what to type. */
int ops_plan_end(bool has_work, const char *how);

#endif
