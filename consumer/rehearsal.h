/*
 * rehearsal - what one event would come to, tried in a transaction that is rolled back.
 *
 *   1. read and prepared as any event is, alone
 *   2. claimed and applied in a transaction (apply), in which deferred constraints are looked at as well, and which is rolled back
 *   3. the answer is a row of sluice_rehearsal, by the name that its copy carries (header sluice-rehearsal)
 * Whatever comes of it, the copy is settled then: no inbox row, no attempt, no retry, no dead letter, no breaker hears of it. When the database is lost on the way
 * the copy waits and is tried again, REHEARSAL_LOSSES_MAX times.
 * Refuses: handlers that act outside the database (http): nobody is called, and the answer says so. What a sequence of a function's own hands out stays handed out; a
 * rollback does not take it back.
 * Threads: one loop.
 */
#ifndef CONSUMER_REHEARSAL_H
#define CONSUMER_REHEARSAL_H

#include "consumer/batch.h"
#include "consumer/handler.h"
#include "consumer/orders.h"
#include "shared/log.h"

struct con_rehearsal;

struct con_rehearsal_opts {
    struct sl_log *log; /* borrowed, as everything here */
    struct sl_pg_link *pg;
    const struct con_handler *handler; /* nobody else works with it between start and on_finished */
    const struct sl_subsystem *subsystem;
    void *arg;
    /* The delivery is SETTLED, or RUNNING still: it waits for the database. */
    void (*on_finished)(void *arg);
};

struct con_rehearsal *con_rehearsal_new(const struct con_rehearsal_opts *opts,
                                        struct sl_err *err) SL_MUST;
/* Free the Postgres link first. Accepts NULL. */
void con_rehearsal_free(struct con_rehearsal *rehearsal);

/*
 * The delivery must live until on_finished, which may be called from in here. is_deadly: it ends every process that looks at it, so nobody looks. order: what
 * operators have set; may be NULL.
 */
void con_rehearsal_start(struct con_rehearsal *rehearsal, struct con_delivery *delivery,
                         const struct con_order *order, bool is_deadly);

#endif
