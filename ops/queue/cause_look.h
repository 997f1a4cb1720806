/*
 * cause_look - gathers the figures from which the cause of a backlog is found: two looks at the queues, and what the database says in between.
 *
 * Locks that are waited for and long transactions are looked for several times within the sample, since they come and go.
 * Reads only. Threads: one.
 */
#ifndef OPS_CAUSE_LOOK_H
#define OPS_CAUSE_LOOK_H

#include "ops/queue/queue_look.h"

/* Large: not for the stack. */
struct ops_cause_look {
    struct ops_cause_figures items[SL_SUBSYSTEMS_MAX]; /* in the order of look.items */
    struct ops_queue_look look;                        /* the later one */
    char names[SL_SUBSYSTEMS_MAX * (SL_SUBSYSTEM_NAME_BYTES + 1)];
};

struct ops_cause_look *ops_cause_look_new(void) SL_MUST;
/* Accepts NULL. */
void ops_cause_look_free(struct ops_cause_look *look);

/* only_name NULL: every enabled section. False when the broker does not tell, or a queue is missing: then no cause can be found. */
bool ops_cause_look(struct ops_queue_eyes *eyes, const struct ops_address *address,
                    const struct sl_subsystems *subsystems, const char *only_name,
                    int64_t sample_ms, struct ops_cause_look *out, struct sl_err *err) SL_MUST;

/* For who looks for longer than one sample: empty figures for these queues, then glances at the sessions, of which the worst is kept. */
void ops_cause_begin(const struct ops_queue_look *look, struct ops_cause_look *out);
void ops_cause_glance(struct ops_pg_session *session, struct ops_cause_look *out);

SL_DEFINE_AUTO(struct ops_cause_look *, ops_cause_look_free)

#endif
