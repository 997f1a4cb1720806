/* The command: ask, show the plan, publish with --yes, tell. */
#include "ops/requeue/requeue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/plan.h"
#include "ops/replay/replay_route.h"
#include "ops/requeue/requeue_rows.h"
#include "ops/sections.h"
#include "ops/table.h"
#include "ops/trigger/courier.h"
#include "ops/when.h"
#include "shared/clock.h"
#include "shared/event/event_message.h"

#define LIMIT_DEFAULT 500
#define RATE_DEFAULT  50
#define RATE_MAX      10000
#define US_PER_S      INT64_C(1000000)
#define EXIT_PARTIAL  3
#define ARENA_BYTES   (OPS_PG_ROWS_BYTES_MAX / 2)

const char ops_requeue_usage[] =
    "  SUBSYSTEM         whose section has a requeue_query\n"
    "  --from T          events of then or later: 2026-01-31T14:00:00Z, or 2h ago as 2h (1d)\n"
    "  --to T            events before that (now)\n"
    "  --limit N         at most so many (500)\n"
    "  --rate N          at most so many a second (50)\n" OPS_USAGE_YES OPS_USAGE_ROWS
    "They go to the section's own queue and nowhere else. An id that the section has dealt with is left out, so\n"
    "nothing is applied twice. Exit status: 0 published, or nothing to do; 2 the plan has work; 3 some are\n"
    "incomplete or were not published.\n";

static const struct ops_column columns[] = {
    { .title = "EVENT" }, { .title = "TYPE" }, { .title = "OCCURRED" }, { .title = "STATE" }
};

struct wish {
    const char *subsystem;
    const char *from;
    const char *to;
    int64_t limit;
    int64_t rate;
    bool is_meant;
    enum ops_output output;
    char from_text[SL_RFC3339_BYTES];
    char to_text[SL_RFC3339_BYTES];
};

struct requeue {
    struct wish wish;
    struct ops_address address;
    struct sl_subsystems sections;
    struct ops_pg_session *session;
    struct ops_pg_rows rows;
    struct ops_courier *courier;
    struct ops_replay_route route;
    struct sl_arena arena;
    struct ops_table table;
    size_t wanted;
    size_t published;
    size_t known;
    size_t incomplete;
};

static void requeue_done(struct requeue *requeue);
static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool read_time(const char *flag, const char *text, char out_text[SL_RFC3339_BYTES],
                      struct sl_err *err);
static bool ask(struct requeue *requeue, struct sl_err *err);
static bool go_through(struct requeue *requeue, struct sl_err *err);
static bool publish(struct requeue *requeue, const struct sl_envelope *event,
                    enum sl_publish_outcome *out_outcome, struct sl_err *err);
static void show(struct requeue *requeue, const struct sl_envelope *event, const char *state);
static int tell(const struct requeue *requeue);

int ops_requeue(int argc, char **argv)
{
    SL_DONE(requeue_done)
    struct requeue requeue = { .wish = { .limit = LIMIT_DEFAULT, .rate = RATE_DEFAULT } };
    struct sl_err err = { 0 };
    sl_arena_init(&requeue.arena, ARENA_BYTES);
    ops_table_init(&requeue.table, columns, SL_COUNT(columns));
    bool is_done = read_wish(&requeue.wish, argc, argv, &err) && ask(&requeue, &err) &&
                   go_through(&requeue, &err);
    if (!is_done && requeue.published == 0) {
        return ops_report("requeue", &err);
    }
    int status = tell(&requeue);
    return is_done ? status : ops_report("requeue", &err);
}

static void requeue_done(struct requeue *requeue)
{
    ops_table_done(&requeue->table);
    ops_courier_free(requeue->courier);
    ops_pg_rows_done(&requeue->rows);
    ops_pg_session_free(requeue->session);
    sl_subsystems_done(&requeue->sections);
    ops_address_done(&requeue->address);
    sl_arena_done(&requeue->arena);
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "from", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->from },
        { .name = "to", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->to },
        { .name = "limit",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->limit,
          .min = 1,
          .max = OPS_REQUEUE_ROWS_MAX },
        { .name = "rate", .kind = OPS_FLAG_COUNT, .out = &wish->rate, .min = 1, .max = RATE_MAX },
        OPS_FLAGS_MEANT(wish->is_meant),
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, err)) {
        return false;
    }
    wish->subsystem = argv[first];
    return read_time("from", wish->from == NULL ? "24h" : wish->from, wish->from_text, err) &&
           read_time("to", wish->to == NULL ? "1s" : wish->to, wish->to_text, err);
}

static bool read_time(const char *flag, const char *text, char out_text[SL_RFC3339_BYTES],
                      struct sl_err *err)
{
    int64_t then_s = 0;
    if (!ops_when(flag, text, time(NULL), &then_s, err)) {
        return false;
    }
    sl_clock_rfc3339_s(then_s, out_text);
    return true;
}

static bool ask(struct requeue *requeue, struct sl_err *err)
{
    const struct wish *wish = &requeue->wish;
    if (!ops_address_open(&requeue->address, err) ||
        !ops_sections_load(&requeue->address, &requeue->sections, err)) {
        return false;
    }
    const struct sl_subsystem *section = ops_section(&requeue->sections, wish->subsystem, err);
    if (section == NULL) {
        return false;
    }
    if (section->requeue_query[0] == '\0') {
        return sl_fail(
            err, SL_E_CONFIG,
            "[%s] has no requeue_query: a SELECT of event_id, type and body from the tables its events come from",
            wish->subsystem);
    }
    const struct ops_requeue_question question = { .subsystem = wish->subsystem,
                                                   .query = section->requeue_query,
                                                   .from = wish->from_text,
                                                   .to = wish->to_text,
                                                   .limit = wish->limit };
    requeue->session = ops_pg_session_here("sluice requeue", true, err);
    return requeue->session != NULL &&
           ops_requeue_ask(requeue->session, &question, &requeue->rows, err) &&
           ops_replay_route(sl_span_of(wish->subsystem), (struct sl_span){ 0 }, &requeue->route,
                            err);
}

static bool go_through(struct requeue *requeue, struct sl_err *err)
{
    int64_t now_us = sl_clock_wall_us();
    for (size_t i = 0; i < requeue->rows.row_count; i++) {
        struct ops_requeue_row row;
        enum sl_publish_outcome outcome = SL_PUBLISH_LOST;
        sl_arena_reset(&requeue->arena);
        if (!ops_requeue_read(&requeue->rows, i, now_us, &requeue->arena, &row, err)) {
            return false;
        }
        requeue->known += row.state == OPS_REQUEUE_KNOWN ? 1 : 0;
        requeue->incomplete += row.state == OPS_REQUEUE_INCOMPLETE ? 1 : 0;
        if (row.state != OPS_REQUEUE_WANTED || !requeue->wish.is_meant) {
            requeue->wanted += row.state == OPS_REQUEUE_WANTED ? 1 : 0;
            show(requeue, &row.event, ops_requeue_state_name(row.state));
            continue;
        }
        requeue->wanted++;
        if (!publish(requeue, &row.event, &outcome, err)) {
            return false;
        }
        requeue->published += outcome == SL_PUBLISH_CONFIRMED ? 1 : 0;
        show(requeue, &row.event,
             outcome == SL_PUBLISH_CONFIRMED ? "published" : sl_publish_outcome_name(outcome));
    }
    return true;
}

static bool publish(struct requeue *requeue, const struct sl_envelope *event,
                    enum sl_publish_outcome *out_outcome, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    sl_buf_init(&bytes, SL_ENVELOPE_BYTES_MAX);
    if (requeue->courier == NULL) {
        requeue->courier = ops_courier_new(&requeue->address, err);
    }
    if (requeue->courier == NULL || !sl_envelope_encode(event, &bytes, err)) {
        return false;
    }
    struct sl_amqp_message message =
        sl_event_message(event, sl_span_of(requeue->route.key), sl_buf_span(&bytes));
    message.exchange = requeue->route.exchange;
    return ops_courier_send(requeue->courier, &message, 1, US_PER_S / requeue->wish.rate,
                            out_outcome, err);
}

static void show(struct requeue *requeue, const struct sl_envelope *event, const char *state)
{
    char id[SL_EVENT_ID_BYTES_MAX + 1];
    char type[SL_EVENT_TYPE_BYTES_MAX + 1];
    char occurred[SL_RFC3339_BYTES] = "";
    snprintf(id, sizeof id, "%.*s", (int)event->id.bytes,
             event->id.data == NULL ? "" : event->id.data);
    snprintf(type, sizeof type, "%.*s", (int)event->type.bytes,
             event->type.data == NULL ? "" : event->type.data);
    if (event->occurred_at_s > 0) {
        sl_clock_rfc3339_s(event->occurred_at_s, occurred);
    }
    ops_table_add(&requeue->table, (const char *const[]){ id, type, occurred, state });
}

static int tell(const struct requeue *requeue)
{
    struct sl_err err = { 0 };
    const struct wish *wish = &requeue->wish;
    if (!ops_table_print(&requeue->table, wish->output, stdout, &err)) {
        return ops_report("requeue", &err);
    }
    fprintf(stderr, "%zu events of %s between %s and %s: ", requeue->rows.row_count,
            wish->subsystem, wish->from_text, wish->to_text);
    if (wish->is_meant) {
        fprintf(stderr, "%zu published, ", requeue->published);
    } else {
        fprintf(stderr, "%zu would be published, ", requeue->wanted);
    }
    fprintf(stderr, "%zu known, %zu incomplete\n", requeue->known, requeue->incomplete);
    if (requeue->incomplete > 0) {
        fprintf(
            stderr,
            "sluice requeue: the query must yield event_id, type and body, or an event_id of the archive\n");
    }
    if (!wish->is_meant && requeue->wanted > 0) {
        return ops_plan_end(true, OPS_PLAN_YES);
    }
    return requeue->incomplete > 0 || requeue->published < requeue->wanted ? EXIT_PARTIAL : EX_OK;
}
