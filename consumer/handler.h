/*
 * handler - what a subsystem does with its events, behind one interface. The transaction (apply) and the search for a guilty event
 * (runner) know no handler; a handler knows neither.
 *
 *     batch   read             once: bodies -> what the handler works with. Sets IGNORED (nothing to do but keep it) or DEAD (never passes).
 *             prepare          what has to happen before a transaction, if anything: asking the database about a function, calling a
 *                              target. Sets DEAD, DUPLICATE or HELD; what it leaves PENDING goes into transactions.
 *     slice   BEGIN; claim     apply
 *             plan, steps      statements for the events of the slice that are still PENDING
 *             take             what a step returned
 *             again            steps that follow from what was taken, until there are none
 *             settle           PENDING -> APPLIED, STALE or IGNORED
 *             verdict; COMMIT  apply
 *
 * A slice that failed is planned again, whole or in part; read is not repeated. refused may see more in an error than its SQLSTATE says.
 * There are: billing_handler, sql_handler, http_handler.
 * Threads: one worker owns one.
 */
#ifndef CONSUMER_HANDLER_H
#define CONSUMER_HANDLER_H

#include "consumer/event.h"
#include "consumer/statements.h"
#include "consumer/targets.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/metrics.h"
#include "shared/pg/pg_link.h"
#include "shared/subsystem/subsystem.h"

struct con_handler_error {
    struct sl_err err;
    char sqlstate[SL_SQLSTATE_BYTES]; /* "" when the database did not refuse anything */
    char detail
        [512]; /* what the server says about the row, for the search; payload, so never logged */
    char constraint[64]; /* that refused it; "" when there was none, or nobody said */
};

enum con_prepare {
    CON_PREPARED,       /* nothing to wait for */
    CON_PREPARING,      /* on_prepared comes later, from the loop */
    CON_PREPARE_FAILED, /* err says why; try again later */
};
/* error: why some events are HELD; NULL when none is. */
typedef void con_prepared_fn(void *arg, const struct con_handler_error *error);

/* What a handler is made of; self is its own. Each may be NULL where it has nothing to do, but for free, read, plan and settle. */
struct con_handler_type {
    bool archives; /* its inbox rows hold the received bytes */
    void (*free)(void *self);
    void (*add_statements)(struct con_statements *statements);
    /* The arena is reset when the batch has ended. *out_replaced counts characters that Postgres cannot hold. False only without memory. */
    bool (*read)(void *self, struct sl_arena *arena, struct con_event *events, size_t count,
                 size_t *out_replaced, struct sl_err *err);
    enum con_prepare (*prepare)(void *self, struct sl_pg_link *pg, con_prepared_fn *on_prepared,
                                void *arg, struct sl_err *err);
    /* While preparing: begin nothing new, so that on_prepared comes soon. */
    void (*stop)(void *self);
    bool (*plan)(void *self, size_t first, size_t count, struct sl_err *err);
    const struct sl_pg_step *(*steps)(const void *self, size_t *out_count);
    bool (*take)(void *self, size_t step, const struct sl_pg_result *result, struct sl_err *err);
    /* Replaces the steps. Ends by itself after a fixed number of times. */
    bool (*again)(void *self, struct sl_err *err);
    void (*settle)(void *self);
    void (*refused)(void *self, struct con_handler_error *error);
};

struct con_handler {
    const struct con_handler_type *type;
    void *self;
};

struct con_handler_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_subsystem *subsystem;
    const struct con_target *target; /* of the subsystem */
    bool asks_stripe;                /* somebody asks Stripe about what is written down for it */
    bool stripe_livemode;            /* ... in this mode */
};

/* The one that the subsystem names. */
bool con_handler_init(struct con_handler *handler, const struct con_handler_opts *opts,
                      struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void con_handler_done(struct con_handler *handler);

#endif
