/*
 * The runner as stories, against a scripted Postgres link: each script the runner sends is written down as one word, and the story says
 * how it ends. "claim" is BEGIN and the claim, "write" the handler's steps, "commit" the end, "rollback" what it says.
 */
#include "consumer/runner.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/digest.h"
#include "tests/support/claims.h"

#define EVENTS_MAX 8u

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
    int64_t claimed; /* elements in the claim's arrays */
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
    struct sl_pg_error error = { 0 };
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
static struct con_runner *runner;
static struct con_delivery deliveries[EVENTS_MAX];
static struct con_delivery *list[EVENTS_MAX];
static struct sl_buf bodies[EVENTS_MAX];
static char trace[512]; /* what the owner was told */

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

static void on_failed(void *arg, struct con_delivery *delivery, const struct sl_envelope *envelope,
                      const struct sl_err *why, const char *sqlstate)
{
    (void)arg;
    char text[40];
    snprintf(text, sizeof text, "%d:failed(%s%s)", (int)delivery->tag,
             sqlstate[0] == '\0' ? sl_code_name(why->code) : sqlstate,
             envelope == NULL ? ",?" : "");
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

/* Events 1 .. count, all of a type that billing archives; `rubbish` (from 1) is no message. */
static void begin(size_t count, size_t rubbish)
{
    struct sl_err err;
    trace[0] = '\0';
    memset(&link_state, 0, sizeof link_state);
    link_state.is_up = true;
    loop = sl_loop_new(&err);
    metrics = sl_metrics_new(&err);
    runner = con_runner_new(&(struct con_runner_opts){ .loop = loop,
                                                       .metrics = metrics,
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
        snprintf(id, sizeof id, "evt_%zu", i + 1);
        struct sl_envelope envelope = { .id = sl_span_of(id),
                                        .source = SL_SPAN_LITERAL("stripe"),
                                        .type = SL_SPAN_LITERAL("charge.succeeded"),
                                        .account = SL_SPAN_LITERAL(""),
                                        .body = SL_SPAN_LITERAL("{}") };
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
    CU_ASSERT_STRING_EQUAL(link_state.sent, "claim");
    answer(NULL, SL_E_NONE, 0);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:duplicate 2:duplicate finished ");
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
    CU_ASSERT_EQUAL(link_state.claimed, 2); /* 3 4 */
    answer("22003", SL_E_PG_PERMANENT, 0);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_EQUAL(link_state.claimed, 1); /* 3 */
    answer("22003", SL_E_PG_PERMANENT, 0);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_EQUAL(link_state.claimed, 1); /* 4 */
    answer(NULL, SL_E_NONE, 1);
    answer(NULL, SL_E_NONE, 0);
    CU_ASSERT_STRING_EQUAL(trace, "1:ignored 2:ignored 3:failed(22003) 4:ignored finished ");
    end();
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
