/*
 * billing_steps - rows of a table, grouped and collapsed, as the statements that write them.
 *
 * Decides only. A step is named by its file in consumer/sql without ".sql", and its parameters are binary arrays, one per column, of the rows of its group that are left; a
 * step without a name is a setting of the transaction.
 * Refuses: which rows there are, and in which order the steps run (billing_apply).
 * Threads: one owner.
 */
#ifndef CONSUMER_BILLING_STEPS_H
#define CONSUMER_BILLING_STEPS_H

#include "consumer/billing/billing_params.h"
#include "shared/pg/pg_link.h"

#define CON_BILLING_STEPS_MAX 16u

/* What is written to one table, in one way. */
struct con_billing_group {
    struct con_billing_row **rows; /* in the order of arrival, until they are collapsed */
    size_t count;
    size_t kept; /* the newest per key, first in rows */
};

/* Room for so many rows, in the arena. */
bool con_billing_group_init(struct con_billing_group *group, struct sl_arena *arena, size_t count,
                            struct sl_err *err) SL_MUST;
void con_billing_group_add(struct con_billing_group *group, struct con_billing_row *row);
void con_billing_group_collapse(struct con_billing_group *group);

/* Items and invoice lines belong to a subscription or an invoice, and are written behind it. */
bool con_billing_has_parent(enum con_billing_table table);

struct con_billing_steps {
    struct con_billing_params params; /* of all of them */
    struct sl_pg_step items[CON_BILLING_STEPS_MAX];
    const struct con_billing_group *groups[CON_BILLING_STEPS_MAX]; /* of each; NULL: of none */
    size_t count;
};

void con_billing_steps_init(struct con_billing_steps *steps, size_t param_bytes_max);
void con_billing_steps_done(struct con_billing_steps *steps);
void con_billing_steps_reset(struct con_billing_steps *steps);
/* When all are planned. False, and no steps: the parameters pass their limit. */
bool con_billing_steps_end(struct con_billing_steps *steps, struct sl_err *err) SL_MUST;

/* Each adds nothing for a group that is empty. again: the row may meet an equal of its second, and is the last of it. */
void con_billing_steps_upsert(struct con_billing_steps *steps, enum con_billing_table table,
                              const struct con_billing_group *group, const char *name, bool again);
void con_billing_steps_stub(struct con_billing_steps *steps, const struct con_billing_group *group,
                            const char *name);
/* Marks as gone the children that their parents of the group no longer list. */
void con_billing_steps_missing(struct con_billing_steps *steps,
                               const struct con_billing_group *group, const char *name);
/* A setting of the transaction. */
void con_billing_steps_setting(struct con_billing_steps *steps, const char *sql);
/* A step with parameters of its own: what is added to params between the two is its. */
void con_billing_steps_open(struct con_billing_steps *steps, const struct con_billing_group *group,
                            const char *name);
void con_billing_steps_close(struct con_billing_steps *steps);

#endif
