#include "consumer/apply.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/inbox.h"

/* Bodies of a transaction, and the other columns of its inbox rows. */
#define PARAMS_BYTES_MAX (24u * 1024u * 1024u)
#define PARAMS_BYTES_KEPT                                                                          \
    (4u * 1024u * 1024u) /* more than this is given back after a large batch */

struct con_apply {
    struct con_apply_opts opts;
    bool is_busy;
    struct con_event *events;
    size_t first;
    size_t count;
    enum con_verdict *before;        /* verdicts of the slice when it started */
    struct con_chosen_events chosen; /* those of the slice that are PENDING or IGNORED */
    size_t *indexes;                 /* owned; chosen borrows them */
    struct sl_buf params;
    struct con_handler_error error; /* while rolling back */
};

static bool send_claim(struct con_apply *apply, struct sl_err *err);
static void on_claimed(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg);
static bool send_steps(struct con_apply *apply, struct sl_err *err);
static bool run_steps(struct con_apply *apply, struct sl_err *err);
static bool go_on(struct con_apply *apply, struct sl_err *err);
static void on_stepped(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg);
static bool take_results(const struct con_apply *apply, struct sl_pg_result *const *results,
                         size_t count, struct sl_err *err);
static bool send_commit(struct con_apply *apply, struct sl_err *err);
static bool send_undo(struct con_apply *apply, struct sl_err *err);
static void on_committed(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                         const struct sl_pg_error *error, void *arg);
static void fail(struct con_apply *apply, const struct sl_pg_error *error);
static void fail_here(struct con_apply *apply, const struct sl_err *why);
static void roll_back(struct con_apply *apply);
static void on_rolled_back(struct sl_pg_link *link, struct sl_pg_result *const *results,
                           size_t count, const struct sl_pg_error *error, void *arg);
static void finish(struct con_apply *apply, const struct con_handler_error *error);

void con_apply_statements(struct con_statements *statements)
{
    con_statements_add(statements, "claim");
    con_statements_add(statements, "verdict");
}

struct con_apply *con_apply_new(const struct con_apply_opts *opts, struct sl_err *err)
{
    SL_AUTO(con_apply_free) struct con_apply *apply = calloc(1, sizeof *apply);
    if (apply != NULL) {
        apply->opts = *opts;
        apply->before = calloc(opts->events_max, sizeof apply->before[0]);
        apply->indexes = calloc(opts->events_max, sizeof apply->indexes[0]);
        sl_buf_init(&apply->params, PARAMS_BYTES_MAX);
    }
    if (apply == NULL || apply->before == NULL || apply->indexes == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for transactions of %zu events", opts->events_max);
        return NULL;
    }
    return SL_TAKE(apply);
}

void con_apply_free(struct con_apply *apply)
{
    if (apply == NULL) {
        return;
    }
    sl_buf_done(&apply->params);
    free(apply->before);
    free(apply->indexes);
    free(apply);
}

bool con_apply_is_busy(const struct con_apply *apply)
{
    return apply->is_busy;
}

bool con_apply_start(struct con_apply *apply, struct con_event *events, size_t first, size_t count,
                     struct sl_err *err)
{
    SL_ASSERT(!apply->is_busy);
    SL_ASSERT(count > 0);
    SL_ASSERT(count <= apply->opts.events_max);
    apply->events = events;
    apply->first = first;
    apply->count = count;
    apply->chosen = (struct con_chosen_events){ .events = events, .indexes = apply->indexes };
    for (size_t i = 0; i < count; i++) {
        enum con_verdict verdict = events[first + i].verdict;
        apply->before[i] = verdict;
        if (verdict == CON_PENDING || verdict == CON_IGNORED) {
            apply->indexes[apply->chosen.count++] = first + i;
        }
    }
    apply->is_busy = send_claim(apply, err);
    return apply->is_busy;
}

/* Round trip 1 ---------------------------------------------------------------------------------- */

static bool send_claim(struct con_apply *apply, struct sl_err *err)
{
    struct sl_pg_param params[CON_INBOX_CLAIM_PARAMS];
    if (!con_inbox_claim(&apply->chosen, apply->opts.subsystem, apply->opts.handler->type->archives,
                         apply->opts.arena, &apply->params, params, err)) {
        return false;
    }
    const struct sl_pg_step steps[] = {
        { .sql = "BEGIN" },
        { .name = "claim", .params = params, .param_count = SL_COUNT(params) },
    };
    return sl_pg_run(apply->opts.pg, steps, SL_COUNT(steps), on_claimed, apply, err);
}

static void on_claimed(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)count;
    struct con_apply *apply = arg;
    struct sl_err why;
    if (error != NULL) {
        fail(apply, error);
    } else if (!con_inbox_claimed(&apply->chosen, results[1], &why) || !send_steps(apply, &why)) {
        fail_here(apply, &why);
    }
}

/* Round trip 2 ---------------------------------------------------------------------------------- */

static bool send_steps(struct con_apply *apply, struct sl_err *err)
{
    const struct con_handler *handler = apply->opts.handler;
    return handler->type->plan(handler->self, apply->first, apply->count, err) &&
           run_steps(apply, err);
}

static bool run_steps(struct con_apply *apply, struct sl_err *err)
{
    const struct con_handler *handler = apply->opts.handler;
    size_t count = 0;
    const struct sl_pg_step *steps =
        handler->type->steps == NULL ? NULL : handler->type->steps(handler->self, &count);
    return count == 0 ? send_commit(apply, err)
                      : sl_pg_run(apply->opts.pg, steps, count, on_stepped, apply, err);
}

static void on_stepped(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg)
{
    (void)link;
    struct con_apply *apply = arg;
    struct sl_err why;
    if (error != NULL) {
        fail(apply, error);
    } else if (!take_results(apply, results, count, &why) || !go_on(apply, &why)) {
        fail_here(apply, &why);
    }
}

static bool go_on(struct con_apply *apply, struct sl_err *err)
{
    const struct con_handler *handler = apply->opts.handler;
    if (handler->type->again == NULL) {
        return send_commit(apply, err);
    }
    return handler->type->again(handler->self, err) && run_steps(apply, err);
}

static bool take_results(const struct con_apply *apply, struct sl_pg_result *const *results,
                         size_t count, struct sl_err *err)
{
    const struct con_handler *handler = apply->opts.handler;
    for (size_t step = 0; step < count && handler->type->take != NULL; step++) {
        if (!handler->type->take(handler->self, step, results[step], err)) {
            return false;
        }
    }
    return true;
}

/* Round trip 3 ---------------------------------------------------------------------------------- */

static bool send_commit(struct con_apply *apply, struct sl_err *err)
{
    apply->opts.handler->type->settle(apply->opts.handler->self);
    if (apply->opts.is_rehearsal) {
        return send_undo(apply, err);
    }
    struct sl_pg_param params[CON_INBOX_VERDICT_PARAMS];
    size_t corrections = 0;
    if (!con_inbox_corrections(&apply->chosen, apply->opts.subsystem, apply->opts.arena,
                               &apply->params, params, &corrections, err)) {
        return false;
    }
    const struct sl_pg_step steps[] = {
        { .name = "verdict", .params = params, .param_count = SL_COUNT(params) },
        { .sql = "COMMIT" },
    };
    size_t skipped = corrections == 0 ? 1 : 0;
    return sl_pg_run(apply->opts.pg, steps + skipped, SL_COUNT(steps) - skipped, on_committed,
                     apply, err);
}

/* What a COMMIT would look at is looked at. */
static bool send_undo(struct con_apply *apply, struct sl_err *err)
{
    static const struct sl_pg_step steps[] = {
        { .sql = "SET CONSTRAINTS ALL IMMEDIATE" },
        { .sql = "ROLLBACK" },
    };
    return sl_pg_run(apply->opts.pg, steps, SL_COUNT(steps), on_committed, apply, err);
}

static void on_committed(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                         const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)results;
    (void)count;
    struct con_apply *apply = arg;
    if (error != NULL) {
        fail(apply, error);
    } else {
        finish(apply, NULL);
    }
}

/* Failure --------------------------------------------------------------------------------------- */

static void fail(struct con_apply *apply, const struct sl_pg_error *error)
{
    apply->error = (struct con_handler_error){ .err = error->err };
    memcpy(apply->error.sqlstate, error->sqlstate, sizeof apply->error.sqlstate);
    snprintf(apply->error.detail, sizeof apply->error.detail, "%s", error->detail);
    snprintf(apply->error.constraint, sizeof apply->error.constraint, "%s", error->constraint);
    const struct con_handler *handler = apply->opts.handler;
    if (handler->type->refused != NULL) {
        handler->type->refused(handler->self, &apply->error);
    }
    roll_back(apply);
}

/* The failure is ours, with the transaction open. */
static void fail_here(struct con_apply *apply, const struct sl_err *why)
{
    apply->error = (struct con_handler_error){ .err = *why };
    roll_back(apply);
}

static void roll_back(struct con_apply *apply)
{
    static const struct sl_pg_step step = { .sql = "ROLLBACK" };
    /* Not started: the connection is gone, and the transaction with it. */
    if (!sl_pg_run(apply->opts.pg, &step, 1, on_rolled_back, apply, NULL)) {
        finish(apply, &apply->error);
    }
}

/* Its own failure changes nothing: the link is then on its way down. */
static void on_rolled_back(struct sl_pg_link *link, struct sl_pg_result *const *results,
                           size_t count, const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)results;
    (void)count;
    (void)error;
    struct con_apply *apply = arg;
    finish(apply, &apply->error);
}

static void finish(struct con_apply *apply, const struct con_handler_error *error)
{
    for (size_t i = 0; error != NULL && i < apply->count; i++) {
        apply->events[apply->first + i].verdict = apply->before[i];
    }
    if (apply->params.room_bytes > PARAMS_BYTES_KEPT) {
        sl_buf_done(&apply->params);
        sl_buf_init(&apply->params, PARAMS_BYTES_MAX);
    }
    apply->is_busy = false;
    apply->opts.on_done(apply->opts.arg, error);
}
