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
    int64_t
        forgotten; /* of the others, those that are older than the inbox remembers: whether they were applied since is not known */
};

struct ops_dead_plan_wish {
    int64_t limit;
    int64_t
        keep_ms; /* for so long the inbox remembers an event from its receipt; 0: nobody wants to know */
    const char *verb; /* what would be done with them */
    bool is_meant;    /* the act follows: its outcome is the data, and the plan is talk */
    enum ops_output output;
};

/*
 * Counts, and prints the chosen ones by group: as data to stdout, or to stderr when the act follows. SL_E_ABSENT when the filter names a letter or
 * an event, and there is no such letter in any status.
 */
bool ops_dead_plan_show(struct ops_pg_session *session, const struct ops_dead_filter *filter,
                        const struct ops_dead_plan_wish *wish, struct ops_dead_plan *out_plan,
                        struct sl_err *err) SL_MUST;
/* Sets SL_E_ABSENT for the letter or the event that the filter names; returns false. */
bool ops_dead_absent(const struct ops_dead_filter *filter, struct sl_err *err);

#endif
