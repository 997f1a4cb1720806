/*
 * dead_plan - what an act on dead letters would touch, shown before it is done.
 *
 * The plan is about the same letters the act then takes: the oldest `limit` of those that match. Between both they may change hands; the act takes only
 * letters that are still in the status it starts from.
 * Threads: one.
 */
#ifndef OPS_DEAD_PLAN_H
#define OPS_DEAD_PLAN_H

#include "ops/dead/dead_filter.h"
#include "ops/pg_session.h"

#define OPS_DEAD_LIMIT_DEFAULT 50
#define OPS_DEAD_LIMIT_MAX     100000
#define OPS_DEAD_NUMBER_BYTES  24u

struct ops_dead_plan {
    int64_t chosen;  /* letters the act would take */
    int64_t matched; /* letters that match, whatever the limit */
    int64_t applied; /* of the chosen, those whose event the inbox has already */
};

/* Counts, and prints the chosen ones by group to stderr. */
bool ops_dead_plan_show(struct ops_pg_session *session, const struct ops_dead_filter *filter,
                        int64_t limit, const char *verb, struct ops_dead_plan *out_plan,
                        struct sl_err *err) SL_MUST;

#endif
