/*
 * The runner as stories, against a scripted Postgres link: each script the runner sends is written down as one word, and the story says
 * how it ends. "claim" is BEGIN and the claim, "write" the handler's steps, "commit" the end, "rollback" what it says.
 */
#include "consumer/runner.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/billing/billing_handler.h"
#include "shared/digest.h"
#include "tests/support/claims.h"

#define EVENTS_MAX 40u

/* The scripted link -------------------------------------------------------------------------------- */

struct sl_pg_result {
    size_t rows; /* of the claim: places 1 .. rows */
};

static struct {
    bool is_up;
    sl_pg_done_fn *on_done;
    void *arg;
    char sent[16];
    size_t step_count;
    const char *detail; /* of a refusal */
    char ids[2048];     /* of the claim */
    int64_t claimed;    /* elements in the claim's arrays */
} link_state;
static char place_text[EVENTS_MAX + 1][8];

bool sl_pg_link_is_up(const struct sl_pg_link *link)
{
    (void)link;
    return link_state.is_up;
}

bool sl_pg_run(struct sl_pg_link *link, const struct sl_pg_step *steps, size_t count,
               sl_pg_done_fn *on_done, void *arg, struct sl_err *err)
{
    (void)link;
    if (!link_state.is_up) {
        return sl_fail(err, SL_E_PG_UNREACHABLE, "down");
    }
    SL_ASSERT(link_state.on_done == NULL);
    const char *word = steps[0].sql == NULL                  ? "write"
                       : strcmp(steps[0].sql, "BEGIN") == 0  ? "claim"
                       : strcmp(steps[0].sql, "COMMIT") == 0 ? "commit"
                                                             : "rollback";
    snprintf(link_state.sent, sizeof link_state.sent, "%s", word);
    if (strcmp(word, "claim") == 0) { /* element count of a binary array: 4 bytes at 12 */
        const unsigned char *array = (const unsigned char *)steps[1].params[1].value.data;
        link_state.claimed = array[15];
        const struct sl_span ids = steps[1].params[3].value;
        size_t kept = ids.bytes < sizeof link_state.ids - 1 ? ids.bytes : sizeof link_state.ids - 1;
        for (size_t i = 0; i < kept;
             i++) { /* readable: lengths and zeroes between the ids become dots */
            link_state.ids[i] = ids.data[i] >= ' ' ? ids.data[i] : '.';
        }
        link_state.ids[kept] = '\0';
    }
    link_state.step_count = count;
    link_state.on_done = on_done;
    link_state.arg = arg;
    return true;
}

size_t sl_pg_rows(const struct sl_pg_result *result)
{
    return result == NULL ? 0 : result->rows;
}

size_t sl_pg_columns(const struct sl_pg_result *result)
{
    (void)result;
    return 1; /* the steps' rows are not played here, so nothing is "written" */
}

struct sl_span sl_pg_value(const struct sl_pg_result *result, size_t row, size_t column)
{
    (void)result;
    (void)column;
    snprintf(place_text[row], sizeof place_text[row], "%zu", row + 1);
    return sl_span_of(place_text[row]);
}

/* Ends the script that runs; sqlstate NULL is success, "" a lost connection. new_rows: what the claim returns. */
static void answer(const char *sqlstate, enum sl_code code, size_t new_rows)
{
    sl_pg_done_fn *on_done = link_state.on_done;
    struct sl_pg_result rows = { new_rows };
    struct sl_pg_result *results[SL_PG_STEPS_MAX];
    for (size_t i = 0; i < link_state.step_count; i++) {
        results[i] = &rows;
    }
    struct sl_pg_error error = { .detail = link_state.detail == NULL ? "" : link_state.detail };
    CU_ASSERT_PTR_NOT_NULL_FATAL(on_done);
    link_state.on_done = NULL;
    if (sqlstate != NULL) {
        sl_fail(&error.err, code, "refused");
        snprintf(error.sqlstate, sizeof error.sqlstate, "%s", sqlstate);
    }
    if (sqlstate != NULL && sqlstate[0] == '\0') {
        link_state.is_up = false;
    }
    on_done(NULL, results, link_state.step_count, sqlstate == NULL ? NULL : &error, link_state.arg);
}

/* The story ---------------------------------------------------------------------------------------- */

static struct sl_loop *loop;
static struct sl_metrics *metrics;
static struct con_handler handler;
static struct con_runner *runner;
static struct con_delivery deliveries[EVENTS_MAX];
static struct con_delivery *list[EVENTS_MAX];
static struct sl_buf bodies[EVENTS_MAX];
static char trace[4096]; /* what the owner was told */

static void note(const char *text)
{
    size_t used = strlen(trace);
    snprintf(trace + used, sizeof trace - used, "%s ", text);
}

static void on_decided(void *arg, struct con_delivery *delivery, const struct con_event *event)
{
    (void)arg;
    char text[40];
    snprintf(text, sizeof text, "%d:%s", (int)delivery->tag, con_verdict_name(event->verdict));
    note(text);
}

static void on_failed(void *arg, struct con_delivery *delivery, const struct con_event *event)
{
    (void)arg;
    char text[40];
    snprintf(text, sizeof text, "%d:failed(%s%s)", (int)delivery->tag,
             event->code[0] == '\0' ? sl_code_name(event->why.code) : event->code,
             event->envelope.id.data == NULL ? ",?" : "");
    note(text);
}

static void on_progress(void *arg)
{
    (void)arg;
}

static void on_finished(void *arg)
{
    (void)arg;
    note("finished");
}

static void stop_loop(void *arg)
{
    (void)arg;
    sl_loop_stop(loop);
}

/* Lets the loop turn until its timers of up to wait_ms have run. */
static void turn(int64_t wait_ms)
{
    struct sl_timer *timer = sl_timer_new(loop, stop_loop, NULL);
    struct sl_err err;
    sl_timer_arm(timer, wait_ms);
    CU_ASSERT_TRUE(sl_loop_run(loop, &err));
    sl_timer_free(timer);
}

/* A handler that prepares: what each event becomes is scripted, 'p'ending, 'd'ead, 'u' duplicate or 'h'eld, and it says when it is done. */
static struct {
    const char *script;
    struct con_event *events;
    size_t count;
    con_prepared_fn *on_prepared;
    void *arg;
    bool is_stopped;
} acting;

static bool acting_read(void *self, struct sl_arena *arena, struct con_event *events, size_t count,
                        size_t *out_replaced, struct sl_err *err)
{
    (void)self;
    (void)arena;
    (void)out_replaced;
    (void)err;
    acting.events = events;
    acting.count = count;
    return true;
}

static enum con_prepare acting_prepare(void *self, struct sl_pg_link *pg,
                                       con_prepared_fn *on_prepared, void *arg, struct sl_err *err)
{
    (void)self;
    (void)pg;
    (void)err;
    acting.on_prepared = on_prepared;
    acting.arg = arg;
    return CON_PREPARING;
}

static void acting_prepared(void)
{
    struct con_handler_error error = { .sqlstate = "" };
    bool is_held = false;
    for (size_t i = 0; i < acting.count; i++) {
        struct con_event *event = &acting.events[i];
        if (event->verdict != CON_PENDING && event->verdict != CON_HELD) {
            continue;
        }
        char word = acting.script[i];
        event->verdict = word == 'p'   ? CON_PENDING
                         : word == 'd' ? CON_DEAD
                         : word == 'u' ? CON_DUPLICATE
                                       : CON_HELD;
        event->code = "no_stock";
        is_held = is_held || word == 'h';
    }
    sl_fail(&error.err, SL_E_HTTP_UNREACHABLE, "away");
    con_prepared_fn *on_prepared = acting.on_prepared;
    CU_ASSERT_PTR_NOT_NULL_FATAL(on_prepared);
    acting.on_prepared = NULL;
    on_prepared(acting.arg, is_held ? &error : NULL);
}

static void acting_stop(void *self)
{
    (void)self;
    acting.is_stopped = true;
}

static bool acting_plan(void *self, size_t first, size_t count, struct sl_err *err)
{
    (void)self;
    (void)first;
    (void)count;
    (void)err;
    return true;
}

static void acting_settle(void *self)
{
    (void)self;
    for (size_t i = 0; i < acting.count; i++) {
        if (acting.events[i].verdict == CON_PENDING) {
            acting.events[i].verdict = CON_APPLIED;
        }
    }
}

static void acting_free(void *self)
{
    (void)self;
}

static const struct con_handler_type acting_type = {
    .free = acting_free,
    .read = acting_read,
    .prepare = acting_prepare,
    .stop = acting_stop,
    .plan = acting_plan,
    .settle = acting_settle,
};

/* Events 1 .. count, all of a type that billing archives; `rubbish` (from 1) is no message. */
static void begin_with(const struct con_handler *with, size_t count, size_t rubbish);
static void begin(size_t count, size_t rubbish)
{
    begin_with(NULL, count, rubbish);
}

static void begin_acting(size_t count, const char *script)
{
    memset(&acting, 0, sizeof acting);
    acting.script = script;
    begin_with(&(struct con_handler){ &acting_type, &acting }, count, 0);
}

/* with NULL: billing. */
static void begin_with(const struct con_handler *with, size_t count, size_t rubbish)
{
    struct sl_err err;
    trace[0] = '\0';
    memset(&link_state, 0, sizeof link_state);
    link_state.is_up = true;
    loop = sl_loop_new(&err);
    metrics = sl_metrics_new(&err);
    if (with != NULL) {
        handler = *with;
    } else {
        static const struct sl_subsystem billing = { .name = "billing" };
        const struct con_handler_opts opts = { .metrics = metrics, .subsystem = &billing };
        CU_ASSERT_TRUE_FATAL(con_billing_handler_init(&handler, &opts, &err));
    }
    runner = con_runner_new(&(struct con_runner_opts){ .loop = loop,
                                                       .metrics = metrics,
                                                       .handler = &handler,
                                                       .subsystem = "billing",
                                                       .batch_max = EVENTS_MAX,
                                                       .on_decided = on_decided,
                                                       .on_failed = on_failed,
                                                       .on_progress = on_progress,
                                                       .on_finished = on_finished },
                            &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(runner);
    for (size_t i = 0; i < count; i++) {
        char id[16];
        char body[48];
        snprintf(id, sizeof id, "evt_%zu", i + 1);
        snprintf(body, sizeof body, "{\"id\":\"object-of-%zu\"}", i + 1);
        struct sl_envelope envelope = { .id = sl_span_of(id),
                                        .source = SL_SPAN_LITERAL("stripe"),
                                        .type = SL_SPAN_LITERAL("charge.succeeded"),
                                        .account = SL_SPAN_LITERAL(""),
                                        .body = sl_span_of(body) };
        sl_buf_init(&bodies[i], 1024);
        CU_ASSERT_TRUE_FATAL(sl_envelope_encode(&envelope, &bodies[i], &err));
        deliveries[i] = (struct con_delivery){ .state = CON_DELIVERY_RUNNING, .tag = i + 1 };
        deliveries[i].bytes =
            i + 1 == rubbish ? SL_SPAN_LITERAL("rubbish") : sl_buf_span(&bodies[i]);
        list[i] = &deliveries[i];
    }
    CU_ASSERT_EQUAL(con_runner_start(runner, list, count), count);
    turn(0);
}

static void end(void)
{
    con_runner_free(runner);
    con_handler_done(&handler);
    sl_metrics_free(metrics);
    sl_loop_free(loop);
    for (size_t i = 0; i < EVENTS_MAX; i++) {
        sl_buf_done(&bodies[i]);
    }
}

CLAIM(runner__a_batch_is_one_transaction)
{
    begin(3, 0);
    CU_ASSERT_STRING_EQUAL(link_state.sent, "claim");
    CU_ASSERT_EQUAL(link_state.claimed, 3);
    answer(NULL, SL_E_NONE, 3);
    CU_ASSERT_STRING_EQUAL(link_state.sent, "commit"); /* nothing to write: ignored events */
    CU_ASSERT_STRING_EQUAL(trace, "");                 /* nothing is said before the commit */
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:ignored 2:ignored 3:ignored finished ");
    CU_ASSERT_FALSE(con_runner_is_busy(runner));
    end();
}

CLAIM(runner__what_the_inbox_knows_is_a_duplicate)
{
    begin(3, 0);
    answer(NULL, SL_E_NONE, 1);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:ignored 2:duplicate 3:duplicate finished ");
    end();
}

CLAIM(runner__a_message_that_cannot_be_read_has_failed_before_any_transaction)
{
    begin(3, 2);
    CU_ASSERT_STRING_EQUAL(trace, "2:failed(event.malformed,?) ");
    CU_ASSERT_EQUAL(link_state.claimed, 2);
    answer(NULL, SL_E_NONE, 2);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "2:failed(event.malformed,?) 1:ignored 3:ignored finished ");
    end();
}

CLAIM(runner__nothing_but_rubbish_needs_no_database)
{
    begin(1, 1);
    CU_ASSERT_PTR_NULL(link_state.on_done);
    CU_ASSERT_STRING_EQUAL(trace, "1:failed(event.malformed,?) finished ");
    end();
}

CLAIM(runner__contention_runs_the_same_batch_again)
{
    begin(2, 0);
    answer("40P01", SL_E_PG_CONTENTION, 0);
    CU_ASSERT_STRING_EQUAL(link_state.sent, "rollback");
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_PTR_NULL(link_state.on_done); /* it waits a little */
    turn(120);
    CU_ASSERT_STRING_EQUAL(link_state.sent, "claim");
    CU_ASSERT_EQUAL(link_state.claimed, 2);
    answer(NULL, SL_E_NONE, 2);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:ignored 2:ignored finished ");
    end();
}

CLAIM(runner__a_commit_of_unknown_outcome_is_decided_by_the_inbox)
{
    begin(2, 0);
    answer(NULL, SL_E_NONE, 2);
    CU_ASSERT_STRING_EQUAL(link_state.sent, "commit");
    answer("", SL_E_PG_UNREACHABLE, 0); /* the connection is gone; it had committed */
    CU_ASSERT_TRUE(con_runner_is_holding(runner));
    CU_ASSERT_STRING_EQUAL(trace, "");
    turn(5);
    CU_ASSERT_PTR_NULL(link_state.on_done);
    link_state.is_up = true;
    con_runner_pg_up(runner);
    turn(0);
    CU_ASSERT_STRING_EQUAL(trace, "finished "); /* back to the owner, who may now take fewer */
    CU_ASSERT_EQUAL(con_runner_start(runner, list, 2), 2);
    turn(0);
    CU_ASSERT_STRING_EQUAL(link_state.sent, "claim");
    answer(NULL, SL_E_NONE, 0);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "finished 1:duplicate 2:duplicate finished ");
    end();
}

CLAIM(runner__the_guilty_event_is_found_and_its_neighbours_are_applied)
{
    begin(4, 0);
    /* Event 3 is guilty: every claim that holds it is refused. */
    answer("22003", SL_E_PG_PERMANENT, 0); /* 1 2 3 4 */
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_EQUAL(link_state.claimed, 2); /* 1 2 */
    answer(NULL, SL_E_NONE, 2);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_EQUAL(link_state.claimed, 1); /* 3: the guilt is in 3 4, which is cut at once */
    answer("22003", SL_E_PG_PERMANENT, 0);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_EQUAL(link_state.claimed, 1); /* 4 */
    CU_ASSERT_STRING_EQUAL(trace, "1:ignored 2:ignored ");
    answer(NULL, SL_E_NONE, 1);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:ignored 2:ignored 4:ignored 3:failed(22003) finished ");
    end();
}

/* A claim that holds event `guilty` (from 1) is refused, any other passes; until the runner sends nothing more. Returns the transactions. */
static unsigned play(size_t guilty, const char *sqlstate, enum sl_code code);

CLAIM(runner__the_event_that_the_server_points_at_is_tried_first)
{
    begin(4, 0);
    link_state.detail = "Key (id)=(object-of-3) is not present";
    answer("23503", SL_E_PG_ITEM, 0);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_EQUAL(link_state.claimed, 1); /* 3 */
    answer("23503", SL_E_PG_ITEM, 0);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_EQUAL(link_state.claimed, 2); /* 1 2 */
    answer(NULL, SL_E_NONE, 2);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_EQUAL(link_state.claimed, 1); /* 4 */
    answer(NULL, SL_E_NONE, 1);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:ignored 2:ignored 4:ignored 3:failed(23503) finished ");
    end();
}

CLAIM(runner__a_batch_of_which_a_quarter_fails_alike_is_held_and_nothing_is_given_up)
{
    begin(EVENTS_MAX, 0);
    while (!con_runner_is_holding(runner)) { /* whatever it tries is refused */
        answer("23514", SL_E_PG_PERMANENT, 0);
        answer(NULL, SL_E_NONE, 0);
    }
    CU_ASSERT_STRING_EQUAL(trace, "");
    CU_ASSERT_TRUE(con_runner_is_busy(runner));
    turn(300); /* the first backoff is at most 250 ms */
    CU_ASSERT_EQUAL(link_state.claimed, EVENTS_MAX);
    answer(NULL, SL_E_NONE, EVENTS_MAX);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_PTR_NULL(strstr(trace, "failed"));
    CU_ASSERT_PTR_NOT_NULL(strstr(trace, "finished"));
    end();
}

CLAIM(runner__one_event_that_alone_looks_like_a_sick_database_is_found_by_its_neighbours)
{
    begin(4, 0);
    /* Event 2 takes too much memory, alone or in company. */
    answer("53200", SL_E_PG_SYSTEMIC, 0);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_TRUE(con_runner_is_holding(runner));
    turn(300);
    CU_ASSERT_STRING_EQUAL(trace, "finished "); /* back among the waiting, for more company */
    CU_ASSERT_EQUAL(con_runner_start(runner, list, 4), 4);
    turn(0);
    play(2, "53200", SL_E_PG_SYSTEMIC);
    CU_ASSERT_STRING_EQUAL(trace,
                           "finished 1:ignored 3:ignored 4:ignored 2:failed(53200) finished ");
    end();
}

/* The events of a claim, by their ids evt_N in its parameters. */
static unsigned play(size_t guilty, const char *sqlstate, enum sl_code code)
{
    unsigned transactions = 0;
    while (link_state.on_done != NULL) {
        char id[16];
        snprintf(id, sizeof id, "evt_%zu", guilty);
        transactions++;
        bool is_refused = strstr(link_state.ids, id) != NULL;
        size_t claimed = (size_t)link_state.claimed;
        answer(is_refused ? sqlstate : NULL, is_refused ? code : SL_E_NONE, claimed);
        answer(NULL, SL_E_NONE, 0); /* rollback or commit */
        for (int wait = 0; link_state.on_done == NULL && con_runner_is_busy(runner) && wait < 3;
             wait++) {
            turn(600);
        }
    }
    return transactions;
}

CLAIM(runner__a_wrong_schema_holds_everything_and_tries_again)
{
    begin(1, 0);
    answer("42P01", SL_E_PG_HALT, 0);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_TRUE(con_runner_is_holding(runner));
    CU_ASSERT_STRING_EQUAL(trace, "");
    CU_ASSERT_TRUE(con_runner_is_busy(runner));
    turn(300); /* the first backoff is at most 250 ms */
    CU_ASSERT_STRING_EQUAL(link_state.sent, "claim");
    answer(NULL, SL_E_NONE, 1);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:ignored finished ");
    end();
}

CLAIM(runner__stopping_ends_after_the_transaction_that_runs)
{
    begin(4, 0);
    answer("22003", SL_E_PG_PERMANENT, 0);
    answer(NULL, SL_E_NONE, 0);
    con_runner_stop(runner); /* while 1 2 run */
    CU_ASSERT_STRING_EQUAL(trace, "");
    answer(NULL, SL_E_NONE, 2);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:ignored 2:ignored finished ");
    CU_ASSERT_PTR_NULL(link_state.on_done);
    end();
}

CLAIM(runner__stopping_while_it_holds_ends_at_once)
{
    begin(2, 0);
    answer("", SL_E_PG_UNREACHABLE, 0);
    con_runner_stop(runner);
    turn(0);
    CU_ASSERT_STRING_EQUAL(trace, "finished ");
    end();
}

CLAIM(runner__what_is_prepared_goes_into_one_transaction_and_the_rest_is_handed_out_before)
{
    begin_acting(4, "pdup");
    CU_ASSERT_PTR_NULL(link_state.on_done); /* no transaction before */
    acting_prepared();
    CU_ASSERT_STRING_EQUAL(trace, "2:failed(no_stock) 3:duplicate ");
    CU_ASSERT_EQUAL(link_state.claimed, 2);
    answer(NULL, SL_E_NONE, 2);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "2:failed(no_stock) 3:duplicate 1:applied 4:applied finished ");
    end();
}

CLAIM(runner__what_is_held_waits_while_its_neighbours_are_committed)
{
    begin_acting(3, "php");
    acting_prepared();
    CU_ASSERT_EQUAL(link_state.claimed, 2);
    answer(NULL, SL_E_NONE, 2);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:applied 3:applied ");
    CU_ASSERT_TRUE(con_runner_is_holding(runner));
    CU_ASSERT_PTR_NULL(acting.on_prepared);
    turn(300); /* the first backoff is at most 250 ms */
    acting.script = "ppp";
    acting_prepared();
    CU_ASSERT_EQUAL(link_state.claimed, 1);
    answer(NULL, SL_E_NONE, 1);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:applied 3:applied 2:applied finished ");
    CU_ASSERT_FALSE(con_runner_is_holding(runner));
    end();
}

CLAIM(runner__what_has_been_done_outside_is_committed_even_when_stopping)
{
    begin_acting(3, "phd");
    con_runner_stop(runner);
    turn(0);
    CU_ASSERT_TRUE(acting.is_stopped);
    CU_ASSERT_STRING_EQUAL(trace, "");
    acting_prepared();
    CU_ASSERT_EQUAL(link_state.claimed, 1);
    answer(NULL, SL_E_NONE, 1);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "3:failed(no_stock) 1:applied finished ");
    end();
}

CLAIM(runner__a_database_that_leaves_after_preparing_does_not_make_it_prepare_what_is_done)
{
    begin_acting(2, "pd");
    acting_prepared();
    answer("", SL_E_PG_UNREACHABLE, 0);
    CU_ASSERT_TRUE(con_runner_is_holding(runner));
    link_state.is_up = true;
    con_runner_pg_up(runner);
    turn(0);
    acting_prepared();
    CU_ASSERT_EQUAL(link_state.claimed, 1);
    answer(NULL, SL_E_NONE, 1);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "2:failed(no_stock) 1:applied finished ");
    end();
}
