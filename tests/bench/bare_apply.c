/*
 * bare_apply - the least that a batch costs in Postgres: a blocking libpq loop over the consumer's own statements, and nothing else.
 *
 * Usage: DATABASE_URL=… bare_apply [-b BATCH] BODIES
 * The parameters of every batch are made before the clock runs, by the consumer's own code; what is timed is BEGIN, the claim, the upserts
 * and COMMIT, batch after batch. One line of JSON.
 */
#include <libpq-fe.h>
#include <unistd.h>

#include "consumer/apply.h"
#include "consumer/billing/billing_event.h"
#include "consumer/billing/billing_handler.h"
#include "consumer/inbox.h"
#include "consumer/statements.h"
#include "shared/clock.h"
#include "tests/bench/bodies.h"

#define ARENA_BYTES_MAX  (64u * 1024u * 1024u)
#define PARAMS_BYTES_MAX (24u * 1024u * 1024u)
#define STEPS_MAX        16u
#define NODES_MAX        65536u

struct statement {
    const char *name; /* NULL: sql is sent as it is */
    const char *sql;
    int count;
    const char *values[SL_PG_PARAMS_MAX];
    int lengths[SL_PG_PARAMS_MAX];
    int formats[SL_PG_PARAMS_MAX];
};

struct batch {
    struct statement steps[STEPS_MAX];
    size_t step_count;
};

static void make_batch(struct batch *batch, const struct bench_body *bodies, size_t count);
static struct con_handler the_handler(void);
static void keep(struct batch *batch, const struct sl_pg_step *step);
static PGconn *connect_database(void);
static void run_batch(PGconn *connection, const struct batch *batch);
static void must(PGconn *connection, PGresult *result);

int main(int argc, char **argv)
{
    size_t batch_events = 500;
    for (int option; (option = getopt(argc, argv, "b:")) != -1;) {
        if (option != 'b') {
            return 64;
        }
        batch_events = strtoul(optarg, NULL, 10);
    }
    if (optind + 1 != argc || batch_events == 0) {
        BENCH_FAIL("usage: bare_apply [-b BATCH] BODIES");
    }
    struct bench_bodies bodies = bench_bodies_load(argv[optind]);
    size_t batch_count = (bodies.count + batch_events - 1) / batch_events;
    struct batch *batches = calloc(batch_count, sizeof batches[0]);
    for (size_t i = 0; batches != NULL && i < batch_count; i++) {
        size_t first = i * batch_events;
        size_t left = bodies.count - first;
        make_batch(&batches[i], bodies.items + first, left < batch_events ? left : batch_events);
    }

    PGconn *connection = connect_database();
    int64_t start_us = sl_clock_mono_us();
    for (size_t i = 0; i < batch_count; i++) {
        run_batch(connection, &batches[i]);
    }
    double seconds = (double)(sl_clock_mono_us() - start_us) / 1e6;
    PQfinish(connection);
    printf("{\"events\":%zu,\"seconds\":%.3f,\"per_second\":%.0f}\n", bodies.count, seconds,
           (double)bodies.count / seconds);
    return 0;
}

static void make_batch(struct batch *batch, const struct bench_body *bodies, size_t count)
{
    struct sl_err err = { 0 };
    struct sl_arena arena;
    sl_arena_init(&arena, ARENA_BYTES_MAX);
    struct sl_buf bytes;
    sl_buf_init(&bytes, PARAMS_BYTES_MAX);
    struct sl_json_parser *parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
    struct con_handler billing = the_handler();
    struct con_event *events = calloc(count, sizeof events[0]);
    size_t *indexes = calloc(count, sizeof indexes[0]);
    for (size_t i = 0; i < count; i++) {
        indexes[i] = i;
        events[i].envelope = bench_envelope(bodies[i].body, sl_clock_wall_us());
        events[i].json =
            sl_json_parse(parser, &arena, bodies[i].body, CON_BILLING_JSON_DEPTH, NODES_MAX, &err);
    }
    struct con_chosen_events chosen = { .events = events, .indexes = indexes, .count = count };
    struct sl_pg_param claim[CON_INBOX_CLAIM_PARAMS];
    if (!con_inbox_claim(&chosen, "billing", billing.type->archives, &arena, &bytes, claim, &err) ||
        !billing.type->read(billing.self, &arena, events, count, NULL, &err) ||
        !billing.type->plan(billing.self, 0, count, &err)) {
        BENCH_FAIL("%s", err.text);
    }
    size_t step_count = 0;
    const struct sl_pg_step *steps = billing.type->steps(billing.self, &step_count);
    keep(batch, &(struct sl_pg_step){ .sql = "BEGIN" });
    keep(batch, &(struct sl_pg_step){ .name = "claim", .params = claim, SL_COUNT(claim) });
    for (size_t i = 0; i < step_count; i++) {
        keep(batch, &steps[i]);
    }
    keep(batch, &(struct sl_pg_step){ .sql = "COMMIT" });
    sl_arena_done(&arena);
    sl_buf_done(&bytes);
    sl_json_parser_free(parser);
    con_handler_done(&billing);
    free(events);
    free(indexes);
}

static struct con_handler the_handler(void)
{
    static const struct sl_subsystem subsystem = { .name = "billing" };
    static struct sl_metrics *metrics;
    struct con_handler billing = { 0 };
    struct sl_err err = { 0 };
    metrics = metrics == NULL ? sl_metrics_new(&err) : metrics;
    const struct con_handler_opts opts = { .metrics = metrics, .subsystem = &subsystem };
    if (metrics == NULL || !con_billing_handler_init(&billing, &opts, &err)) {
        BENCH_FAIL("%s", err.text);
    }
    return billing;
}

/* Copies: the plan is gone when the clock runs. */
static void keep(struct batch *batch, const struct sl_pg_step *step)
{
    if (batch->step_count == STEPS_MAX) {
        BENCH_FAIL("a batch has more than %u steps", STEPS_MAX);
    }
    struct statement *statement = &batch->steps[batch->step_count++];
    *statement =
        (struct statement){ .name = step->name, .sql = step->sql, .count = (int)step->param_count };
    for (size_t i = 0; i < step->param_count; i++) {
        struct sl_span value = step->params[i].value;
        char *copy = value.data == NULL ? NULL : calloc(1, value.bytes + 1);
        if (copy != NULL) {
            memcpy(copy, value.data, value.bytes);
        }
        statement->values[i] = copy;
        statement->lengths[i] = (int)value.bytes;
        statement->formats[i] = step->params[i].is_binary ? 1 : 0;
    }
}

static PGconn *connect_database(void)
{
    const char *url = getenv("DATABASE_URL");
    PGconn *connection = PQconnectdb(url == NULL ? "" : url);
    if (PQstatus(connection) != CONNECTION_OK) {
        BENCH_FAIL("the database is not reachable");
    }
    must(connection, PQexec(connection, "SET client_min_messages = warning"));
    must(connection, PQexec(connection, "SELECT sluice_inbox_make_partitions()"));
    static struct con_statements statements;
    struct con_handler billing = the_handler();
    con_apply_statements(&statements);
    billing.type->add_statements(&statements);
    con_handler_done(&billing);
    for (size_t i = 0; i < statements.count; i++) {
        must(connection,
             PQprepare(connection, statements.items[i].name, statements.items[i].sql, 0, NULL));
    }
    return connection;
}

static void run_batch(PGconn *connection, const struct batch *batch)
{
    for (size_t i = 0; i < batch->step_count; i++) {
        const struct statement *step = &batch->steps[i];
        PGresult *result = step->name == NULL
                               ? PQexec(connection, step->sql)
                               : PQexecPrepared(connection, step->name, step->count, step->values,
                                                step->lengths, step->formats, 0);
        must(connection, result);
    }
}

static void must(PGconn *connection, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        BENCH_FAIL("%s", PQerrorMessage(connection));
    }
    PQclear(result);
}
