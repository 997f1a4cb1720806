/*
 * runner - takes one batch of deliveries to the point where each of them is decided.
 *
 * Happy path: decode every message, let the handler read and prepare them, apply the whole batch in one transaction, hand out the verdicts.
 * Failure modes, each decided by retry_decide: contention runs the same slice again; a guilty event is found by bisection and handed
 * out as failed while its neighbours are applied; so many guilty events of one kind that the fault cannot be theirs (tally) are the owner's to set aside, or hold the batch; a database that is away, or needs a human, holds the rest of the batch without deciding
 * anything, and runs it again when the link is up or after a backoff of at most CON_HOLD_WAIT_MS_MAX.
 * Refuses: the broker. What a verdict means for a delivery is the owner's.
 * Threads: one loop.
 */
#ifndef CONSUMER_RUNNER_H
#define CONSUMER_RUNNER_H

#include "consumer/apply.h"
#include "consumer/batch.h"
#include "consumer/fusebox.h"
#include "consumer/halt.h"
#include "consumer/orders.h"
#include "shared/log.h"
#include "shared/metrics.h"

struct con_runner;

struct con_runner_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    struct sl_pg_link *pg;
    const struct con_handler *handler;
    const char *subsystem;
    size_t batch_max;
    struct con_fusebox *fusebox; /* NULL: the database is not guarded */
    struct con_halt *halt;       /* NULL: nobody is told, there is no grace */

    void *arg;
    /* Committed: the event is APPLIED, STALE, IGNORED or DUPLICATE. */
    void (*on_decided)(void *arg, struct con_delivery *delivery, const struct con_event *event);
    /* Failed by itself, as its why, code and retry_after_s say; without an id in its envelope the message could not be read. */
    void (*on_failed)(void *arg, struct con_delivery *delivery, const struct con_event *event);
    /*
     * So many events of this one's type fail as it does that the fault is not theirs. True: the owner holds the type back, or was told to try it all the same, and the rest of the batch goes on. NULL, or
     * false: the batch is held.
     */
    bool (*on_mass_failure)(void *arg, const struct con_event *event);
    /* After each committed transaction, and after failed ones were handed out: acknowledge what can be. */
    void (*on_progress)(void *arg);
    /* The batch in hand waits for the database and nothing looks into it; and it is looked into again. Either may be NULL. */
    void (*on_paused)(void *arg);
    void (*on_resumed)(void *arg);
    /* Nothing runs any more. Deliveries that were started and not handed out (after con_runner_stop) are the owner's again. */
    void (*on_finished)(void *arg);
};

struct con_runner *con_runner_new(const struct con_runner_opts *opts, struct sl_err *err) SL_MUST;
/* Free the Postgres link first. Accepts NULL. */
void con_runner_free(struct con_runner *runner);

/*
 * Starts with as many of the deliveries as there is memory for, at least one; returns how many. They must live until on_finished. Callbacks come
 * later, from the loop.
 */
size_t con_runner_start(struct con_runner *runner, struct con_delivery *const *deliveries,
                        size_t count);
bool con_runner_is_busy(const struct con_runner *runner);
/* Keeps a batch that the database cannot take now. */
bool con_runner_is_holding(const struct con_runner *runner);
/* How long a transaction takes lately, in microseconds; 0: there was none. */
int64_t con_runner_apply_us(const struct con_runner *runner);
/* The Postgres link is up: what is held runs again. */
void con_runner_pg_up(struct con_runner *runner);
/* The database can be used again: what is held runs again. */
void con_runner_wake(struct con_runner *runner);
/* What operators have set: from the next turn on, events that are to be parked fail. Borrowed; NULL: nothing is set. */
void con_runner_obey(struct con_runner *runner, const struct con_order *order);
/* Ends after the transaction that runs, or at once when none does; on_finished comes later. */
void con_runner_stop(struct con_runner *runner);

#endif
