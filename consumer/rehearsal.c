#include "consumer/rehearsal.h"

#include <stdlib.h>

#include "consumer/apply.h"
#include "consumer/fate.h"
#include "consumer/text.h"
#include "shared/clock.h"

#define ARENA_BYTES_MAX      (24u * 1024u * 1024u) /* of one event */
#define COPY_BYTES_MAX       255u                  /* of its name, as the header gives it */
#define TEXT_BYTES_MAX       512u                  /* of an error */
#define REHEARSAL_LOSSES_MAX 3u
#define ANSWER_PARAMS        7u

/* What the answer says. */
struct answer {
    const char *outcome;
    const char *error_class;
    const char *error_code;
    const char *error;
    const char *constraint;
};

struct con_rehearsal {
    struct con_rehearsal_opts opts;
    struct con_apply *apply;
    struct sl_arena arena;
    const char *sql; /* not prepared: a database without the table goes on with everything else */
    struct con_delivery *delivery; /* NULL: none is in hand */
    struct con_event event;
    bool is_failing; /* answers cannot be written; said once */
};

static void judge_unseen(struct con_rehearsal *rehearsal);
static bool read(struct con_rehearsal *rehearsal, const struct con_order *order);
static void prepare(struct con_rehearsal *rehearsal);
static void on_prepared(void *arg, const struct con_handler_error *error);
static void on_applied(void *arg, const struct con_handler_error *error);
static void meet_failure(struct con_rehearsal *rehearsal, const struct con_handler_error *error);
static void answer_failed(struct con_rehearsal *rehearsal, const struct sl_err *why,
                          const char *sqlstate, const char *constraint);
static const char *class_of(const struct con_rehearsal *rehearsal, const struct sl_err *why,
                            const char *sqlstate);
static void answer(struct con_rehearsal *rehearsal, const struct answer *answer);
static void on_answered(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                        const struct sl_pg_error *error, void *arg);
static void tell_unwritten(struct con_rehearsal *rehearsal, const struct sl_err *why);
static void finish(struct con_rehearsal *rehearsal, bool is_settled);

struct con_rehearsal *con_rehearsal_new(const struct con_rehearsal_opts *opts, struct sl_err *err)
{
    struct con_rehearsal *rehearsal = calloc(1, sizeof *rehearsal);
    if (rehearsal == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for rehearsals");
        return NULL;
    }
    rehearsal->opts = *opts;
    rehearsal->sql = con_statements_text("rehearsal");
    sl_arena_init(&rehearsal->arena, ARENA_BYTES_MAX);
    rehearsal->apply = con_apply_new(
        &(struct con_apply_opts){
            .pg = opts->pg,
            .handler = opts->handler,
            .arena = &rehearsal->arena,
            .subsystem = opts->subsystem->name,
            .events_max = 1,
            .is_rehearsal = true,
            .arg = rehearsal,
            .on_done = on_applied,
        },
        err);
    if (rehearsal->apply == NULL) {
        con_rehearsal_free(rehearsal);
        return NULL;
    }
    return rehearsal;
}

void con_rehearsal_free(struct con_rehearsal *rehearsal)
{
    if (rehearsal != NULL) {
        con_apply_free(rehearsal->apply);
        sl_arena_done(&rehearsal->arena);
        free(rehearsal);
    }
}

void con_rehearsal_start(struct con_rehearsal *rehearsal, struct con_delivery *delivery,
                         const struct con_order *order, bool is_deadly)
{
    SL_ASSERT(rehearsal->delivery == NULL);
    SL_ASSERT(delivery->state == CON_DELIVERY_RUNNING);
    rehearsal->delivery = delivery;
    rehearsal->event = (struct con_event){
        .tag = delivery->tag, .bytes = delivery->bytes, .attempt = 1, .is_replay = true, .code = ""
    };
    if (is_deadly) {
        judge_unseen(rehearsal);
    } else if (rehearsal->opts.subsystem->handler == SL_HANDLER_HTTP) {
        answer(rehearsal, &(struct answer){ .outcome = "untried",
                                            .error = "a request cannot be taken back, so none was "
                                                     "made: handler http has no rehearsal" });
    } else if (read(rehearsal, order)) {
        prepare(rehearsal);
    }
}

static void judge_unseen(struct con_rehearsal *rehearsal)
{
    struct sl_err why;
    sl_fail(&why, SL_E_EVENT_DEADLY,
            "the consumer ended more than once while it worked on this event alone");
    answer(rehearsal, &(struct answer){ .outcome = "failed",
                                        .error_class = "crash",
                                        .error_code = sl_code_name(why.code),
                                        .error = why.text });
}

/* False: it has failed, and is answered. */
static bool read(struct con_rehearsal *rehearsal, const struct con_order *order)
{
    struct con_event *event = &rehearsal->event;
    const struct con_handler *handler = rehearsal->opts.handler;
    struct sl_err why = { 0 };
    size_t replaced = 0;
    if (!sl_envelope_decode(event->bytes, &event->envelope, &why)) {
        event->envelope = (struct sl_envelope){ 0 };
        answer_failed(rehearsal, &why, "", "");
        return false;
    }
    const char *reason =
        order == NULL ? NULL : con_order_parks(order, &event->envelope, sl_clock_wall_us());
    if (reason != NULL) {
        sl_fail(&why, SL_E_EVENT_PARKED, "parked by an operator: %s", reason);
        answer_failed(rehearsal, &why, "", "");
        return false;
    }
    if (!handler->type->read(handler->self, &rehearsal->arena, event, 1, &replaced, &why)) {
        sl_fail(&why, SL_E_LIMIT, "reading this event takes more than %u bytes", ARENA_BYTES_MAX);
        answer_failed(rehearsal, &why, "", "");
        return false;
    }
    return true;
}

static void prepare(struct con_rehearsal *rehearsal)
{
    const struct con_handler *handler = rehearsal->opts.handler;
    struct con_handler_error error = { .sqlstate = "" };
    if (handler->type->prepare == NULL) {
        on_prepared(rehearsal, NULL);
        return;
    }
    switch (handler->type->prepare(handler->self, rehearsal->opts.pg, on_prepared, rehearsal,
                                   &error.err)) {
    case CON_PREPARED:
        on_prepared(rehearsal, NULL);
        return;
    case CON_PREPARING:
        return;
    case CON_PREPARE_FAILED:
        meet_failure(rehearsal, &error);
        return;
    }
}

static void on_prepared(void *arg, const struct con_handler_error *error)
{
    struct con_rehearsal *rehearsal = arg;
    struct con_event *event = &rehearsal->event;
    struct con_handler_error why = { .sqlstate = "" };
    if (error != NULL) {
        meet_failure(rehearsal, error);
    } else if (event->verdict == CON_DEAD) {
        answer_failed(rehearsal, &event->why, event->code, "");
    } else if (!con_apply_start(rehearsal->apply, event, 0, 1, &why.err)) {
        meet_failure(rehearsal, &why);
    }
}

static void on_applied(void *arg, const struct con_handler_error *error)
{
    struct con_rehearsal *rehearsal = arg;
    if (error != NULL) {
        meet_failure(rehearsal, error);
        return;
    }
    SL_ASSERT(rehearsal->event.verdict >= CON_APPLIED);
    SL_ASSERT(rehearsal->event.verdict <= CON_DUPLICATE);
    answer(rehearsal, &(struct answer){ .outcome = con_verdict_name(rehearsal->event.verdict) });
}

/* A database that is away says nothing about the event: it waits until the link is up. */
static void meet_failure(struct con_rehearsal *rehearsal, const struct con_handler_error *error)
{
    bool is_lost = !sl_pg_link_is_up(rehearsal->opts.pg) && error->sqlstate[0] == '\0';
    if (is_lost && rehearsal->delivery->strikes < REHEARSAL_LOSSES_MAX) {
        rehearsal->delivery->strikes++;
        finish(rehearsal, false);
    } else {
        answer_failed(rehearsal, &error->err, error->sqlstate, error->constraint);
    }
}

static void answer_failed(struct con_rehearsal *rehearsal, const struct sl_err *why,
                          const char *sqlstate, const char *constraint)
{
    answer(rehearsal,
           &(struct answer){ .outcome = "failed",
                             .error_class = class_of(rehearsal, why, sqlstate),
                             .error_code = sqlstate[0] != '\0' ? sqlstate : sl_code_name(why->code),
                             .error = why->text,
                             .constraint = constraint });
}

/* The word that a dead letter's class would be, or the name of what is not the event's fault. */
static const char *class_of(const struct con_rehearsal *rehearsal, const struct sl_err *why,
                            const char *sqlstate)
{
    if (why->code == SL_E_PG_CONTENTION) {
        return "contention";
    }
    switch (sl_err_fault(why)) {
    case SL_FAULT_TRANSIENT:
        return "systemic";
    case SL_FAULT_SETUP:
    case SL_FAULT_BUG:
        return "halt";
    case SL_FAULT_POISON:
        break;
    }
    const struct con_try failed = { .code = why->code,
                                    .sqlstate = sqlstate,
                                    .has_event = rehearsal->event.envelope.id.data != NULL,
                                    .attempt = 1 };
    const struct con_fate_policy policy = { .attempts = 1, .backoff_ms = 1 };
    return con_fate_decide(&failed, &policy, 0).error_class;
}

static void answer(struct con_rehearsal *rehearsal, const struct answer *answer)
{
    const char *texts[] = { answer->outcome, answer->error_class, answer->error_code, answer->error,
                            answer->constraint };
    struct sl_pg_param params[ANSWER_PARAMS] = {
        { .value =
              con_text_clean(&rehearsal->arena, rehearsal->delivery->rehearsal, COPY_BYTES_MAX) },
        { .value = sl_span_of(rehearsal->opts.subsystem->name) },
    };
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        struct sl_span text = sl_span_of(texts[i] == NULL ? "" : texts[i]);
        params[2 + i] = (struct sl_pg_param){ .value = con_text_clean(&rehearsal->arena, text,
                                                                      TEXT_BYTES_MAX) };
    }
    const struct sl_pg_step step = { .sql = rehearsal->sql,
                                     .params = params,
                                     .param_count = SL_COUNT(params) };
    struct sl_err why;
    sl_debug(rehearsal->opts.log, "consumer.rehearsed",
             "tried in a transaction that was rolled back",
             sl_str("subsystem", rehearsal->opts.subsystem->name),
             sl_text("event_id", rehearsal->delivery->message_id), sl_str("outcome", texts[0]));
    if (!sl_pg_run(rehearsal->opts.pg, &step, 1, on_answered, rehearsal, &why)) {
        tell_unwritten(rehearsal, &why);
        finish(rehearsal, true);
    }
}

static void on_answered(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                        const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)results;
    (void)count;
    struct con_rehearsal *rehearsal = arg;
    if (error != NULL) {
        tell_unwritten(rehearsal, &error->err);
    } else {
        rehearsal->is_failing = false;
    }
    finish(rehearsal, true);
}

/* Whoever asked hears nothing, and can ask again. */
static void tell_unwritten(struct con_rehearsal *rehearsal, const struct sl_err *why)
{
    if (!rehearsal->is_failing) {
        sl_log_err(rehearsal->opts.log, SL_WARN, "consumer.unanswered",
                   "the answer to a rehearsal could not be written; nothing else is concerned", why,
                   sl_str("subsystem", rehearsal->opts.subsystem->name));
    }
    rehearsal->is_failing = true;
}

static void finish(struct con_rehearsal *rehearsal, bool is_settled)
{
    if (is_settled) {
        rehearsal->delivery->state = CON_DELIVERY_SETTLED;
    }
    rehearsal->delivery = NULL;
    sl_arena_done(&rehearsal->arena); /* rare enough to give it back */
    sl_arena_init(&rehearsal->arena, ARENA_BYTES_MAX);
    rehearsal->opts.on_finished(rehearsal->opts.arg);
}
