/*
 * pg_link against a real Postgres. Needs DATABASE_URL of a superuser on this machine (see tests/support/with_postgres.sh); skipped without.
 * Claims that stop or restart the server, or change its rules, run only with PG_SUPERVISED=1.
 */
#include "shared/pg/pg_link.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/buf.h"
#include "tests/support/claims.h"

#define PATIENCE_MS 300000

__attribute__((constructor)) static void skip_without_database(void)
{
    if (getenv("DATABASE_URL") == NULL) {
        puts("DATABASE_URL is not set: skipped");
        _exit(77);
    }
}

/* ---- one link and what it said ---- */

struct world {
    struct sl_loop *loop;
    struct sl_timer *guard;
    bool timed_out;
    struct sl_pg_link *link;
    struct sl_pg_link_opts opts;
    int ups;
    int downs;
    struct sl_err why;
    int64_t wait_ms;
    /* The last script. */
    int runs_done;
    bool failed;
    struct sl_err err;
    char sqlstate[SL_SQLSTATE_BYTES];
    char constraint[64];
    char table[64];
    char detail[128];
    size_t step;
    size_t position;
    size_t result_count; /* not NULL */
    struct sl_buf value; /* row 0, column 0 of the last result */
    int64_t changed;
    bool free_in_done;
    bool run_in_done;
};

static void on_guard(void *arg)
{
    struct world *world = arg;
    world->timed_out = true;
    sl_loop_stop(world->loop);
}

static void on_up(struct sl_pg_link *link, void *arg)
{
    (void)link;
    struct world *world = arg;
    world->ups++;
    sl_loop_stop(world->loop);
}

static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct world *world = arg;
    world->downs++;
    world->why = *why;
    world->wait_ms = wait_ms;
    sl_loop_stop(world->loop);
}

static void on_done(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg)
{
    struct world *world = arg;
    world->runs_done++;
    world->failed = error != NULL;
    world->result_count = 0;
    for (size_t i = 0; i < count; i++) {
        world->result_count += results[i] != NULL;
    }
    sl_buf_reset(&world->value);
    if (error != NULL) {
        world->err = error->err;
        world->step = error->step;
        world->position = error->position;
        snprintf(world->sqlstate, sizeof world->sqlstate, "%s", error->sqlstate);
        snprintf(world->constraint, sizeof world->constraint, "%s", error->constraint);
        snprintf(world->table, sizeof world->table, "%s", error->table);
        snprintf(world->detail, sizeof world->detail, "%s", error->detail);
    } else {
        world->changed = sl_pg_changed(results[count - 1]);
        if (sl_pg_rows(results[count - 1]) > 0) {
            sl_buf_append_span(&world->value, sl_pg_value(results[count - 1], 0, 0));
        }
    }
    if (world->run_in_done) {
        world->run_in_done = false;
        struct sl_pg_step step = { .sql = "SELECT 'from within'" };
        CU_ASSERT_TRUE(sl_pg_run(link, &step, 1, on_done, world, NULL));
        return;
    }
    if (world->free_in_done) {
        sl_pg_link_free(SL_TAKE(world->link));
    }
    sl_loop_stop(world->loop);
}

static void world_init(struct world *world, const struct sl_pg_statement *statements, size_t count)
{
    *world = (struct world){ 0 };
    sl_buf_init(&world->value, 64u * 1024 * 1024);
    world->loop = sl_loop_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->loop);
    world->guard = sl_timer_new(world->loop, on_guard, world);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->guard);
    world->opts = (struct sl_pg_link_opts){
        .loop = world->loop,
        .conninfo = getenv("DATABASE_URL"),
        .application_name = "test_pg_link",
        .statements = statements,
        .statement_count = count,
        .arg = world,
        .on_up = on_up,
        .on_down = on_down,
    };
}

static void world_done(struct world *world)
{
    sl_pg_link_free(world->link);
    sl_timer_free(world->guard);
    sl_loop_free(world->loop);
    sl_buf_done(&world->value);
}

static bool wait_until(struct world *world, const int *counter, int least)
{
    world->timed_out = false;
    sl_timer_arm(world->guard, PATIENCE_MS);
    while (*counter < least && !world->timed_out) {
        if (!sl_loop_run(world->loop, NULL)) {
            return false;
        }
    }
    sl_timer_disarm(world->guard);
    return *counter >= least;
}

static void open_link(struct world *world)
{
    struct sl_err err = { 0 };
    world->link = sl_pg_link_new(&world->opts, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->link);
    CU_ASSERT_FALSE(sl_pg_link_is_up(world->link));
}

static void world_up(struct world *world, const struct sl_pg_statement *statements, size_t count)
{
    world_init(world, statements, count);
    open_link(world);
    CU_ASSERT_TRUE_FATAL(wait_until(world, &world->ups, 1));
    CU_ASSERT_TRUE(sl_pg_link_is_up(world->link));
    CU_ASSERT_TRUE(sl_pg_link_has_tried(world->link));
}

/* Runs to the end; the outcome is in world. */
static void run(struct world *world, const struct sl_pg_step *steps, size_t count)
{
    struct sl_err err = { 0 };
    int before = world->runs_done;
    bool started = sl_pg_run(world->link, steps, count, on_done, world, &err);
    if (!started) {
        printf("\n  not started: %s\n", err.text);
    }
    CU_ASSERT_TRUE_FATAL(started);
    CU_ASSERT_EQUAL(world->runs_done, before); /* never from inside */
    CU_ASSERT_TRUE_FATAL(wait_until(world, &world->runs_done, before + 1));
}

static void run_sql(struct world *world, const char *sql)
{
    struct sl_pg_step step = { .sql = sql };
    run(world, &step, 1);
}

static void run_text(struct world *world, const char *sql)
{
    int before = world->runs_done;
    CU_ASSERT_TRUE_FATAL(sl_pg_run_text(world->link, sql, on_done, world, NULL));
    CU_ASSERT_TRUE_FATAL(wait_until(world, &world->runs_done, before + 1));
}

static bool value_is(const struct world *world, const char *text)
{
    return !world->failed && sl_span_is(sl_buf_span(&world->value), text);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static bool is_supervised(void)
{
    return getenv("PG_SUPERVISED") != NULL;
}

static int64_t number(const struct world *world)
{
    return atoll(sl_buf_span(&world->value).data);
}

/* DATABASE_URL with "?" or "&" and more options. */
static const char *url_with(const char *more)
{
    static char url[1024];
    const char *base = getenv("DATABASE_URL");
    snprintf(url, sizeof url, "%s%c%s", base, strchr(base, '?') == NULL ? '?' : '&', more);
    return url;
}

/* host, port and user of DATABASE_URL, as written by with_postgres.sh: postgres://user@host:port/db. */
static const char *port_of_url(void)
{
    static char port[8];
    const char *colon = strrchr(getenv("DATABASE_URL"), ':');
    snprintf(port, sizeof port, "%.*s", (int)strcspn(colon + 1, "/?"), colon + 1);
    return port;
}

/* ---- connecting ---- */

CLAIM(pg_link__comes_up_with_the_session_it_promises)
{
    struct world world;
    world_up(&world, NULL, 0);
    run_sql(
        &world,
        "SELECT concat_ws('|', current_setting('TimeZone'), current_setting('DateStyle'), "
        "current_setting('client_encoding'), current_setting('statement_timeout'), "
        "current_setting('lock_timeout'), "
        "current_setting('idle_in_transaction_session_timeout'), "
        "current_setting('application_name'), current_setting('default_transaction_isolation'))");
    CU_ASSERT_TRUE(value_is(&world, "UTC|ISO, MDY|UTF8|20s|5s|30s|test_pg_link|read committed"));
    world_done(&world);
}

CLAIM(pg_link__goes_on_to_the_next_host_when_one_refuses_or_is_silent)
{
    struct world world;
    char url[256];
    world_init(&world, NULL, 0);
    /* Port 1 refuses; 192.0.2.1 (RFC 5737) never answers. */
    snprintf(url, sizeof url,
             "host=127.0.0.1,192.0.2.1,127.0.0.1 port=1,5432,%s user=sluice dbname=sluice",
             port_of_url());
    world.opts.conninfo = url;
    world.opts.attempt_ms = 5000; /* the last one answers, on a busy machine in seconds */
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.downs, 1));
    CU_ASSERT_EQUAL(world.why.code, SL_E_PG_UNREACHABLE);
    CU_ASSERT_EQUAL(world.wait_ms, 0);
    CU_ASSERT_FALSE(sl_pg_link_has_tried(world.link));
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 1));
    CU_ASSERT_EQUAL(world.downs, 2);
    world_done(&world);
}

CLAIM(pg_link__resolves_names_and_says_which_one_it_cannot)
{
    struct world world;
    char url[256];
    world_init(&world, NULL, 0);
    snprintf(url, sizeof url, "postgres://sluice@localhost:%s/sluice", port_of_url());
    world.opts.conninfo = url;
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 1));
    world_done(&world);

    world_init(&world, NULL, 0);
    world.opts.conninfo = "postgres://sluice@no-such-host.invalid:5432/sluice";
    world.opts.attempt_ms = 5000;
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.downs, 1));
    CU_ASSERT_TRUE(has(world.why.text, "no-such-host.invalid"));
    CU_ASSERT_EQUAL(sl_err_fault(&world.why), SL_FAULT_TRANSIENT);
    CU_ASSERT_TRUE(sl_pg_link_has_tried(world.link));
    struct sl_pg_step step = { .sql = "SELECT 1" };
    struct sl_err err;
    CU_ASSERT_FALSE(sl_pg_run(world.link, &step, 1, on_done, &world, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_PG_UNREACHABLE);
    world_done(&world);
}

CLAIM(pg_link__refuses_a_read_only_session_unless_told_otherwise)
{
    struct world world;
    world_init(&world, NULL, 0);
    world.opts.conninfo = url_with("options=-c%20default_transaction_read_only%3Don");
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.downs, 1));
    CU_ASSERT_TRUE(has(world.why.text, "read-only"));
    CU_ASSERT_EQUAL(world.ups, 0);
    world_done(&world);

    world_init(&world, NULL, 0);
    world.opts.conninfo = url_with("options=-c%20default_transaction_read_only%3Don");
    world.opts.read_only = true;
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 1));
    world_done(&world);
}

/* A session is born with what the server has read by then. since: seconds, as text. */
static void until_reloaded(const char *since)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT extract(epoch FROM pg_conf_load_time()) > %s", since);
    for (bool is_reloaded = false; !is_reloaded;) {
        struct world world;
        world_up(&world, NULL, 0);
        run_sql(&world, sql);
        is_reloaded = value_is(&world, "t");
        world_done(&world);
    }
}

CLAIM(pg_link__never_tells_a_password)
{
    static const char *const wrong[] = {
        "postgres://sluice:pa55/word@127.0.0.1:5432/db",
        "postgres://sluice:pa55@word@h/db",
        "pa55word",
        "host=127.0.0.1 password",
        "postgres://sluice:123/pa55@h/db?x=pa55",
        "postgres://u:1/pa55@h:1/db",
        "service=pa55",
    };
    struct world world;
    world_init(&world, NULL, 0);
    for (size_t i = 0; i < SL_COUNT(wrong); i++) {
        struct sl_err err = { 0 };
        world.opts.conninfo = wrong[i];
        CU_ASSERT_PTR_NULL(sl_pg_link_new(&world.opts, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_CONFIG);
        CU_ASSERT_FALSE(has(err.text, "pa55"));
    }
    world_done(&world);
    if (!is_supervised()) {
        return;
    }

    world_up(&world, NULL, 0);
    run_text(&world, "DROP ROLE IF EXISTS locked; CREATE ROLE locked LOGIN PASSWORD 'right-one';"
                     "CREATE TEMP TABLE hba (line text);"
                     "INSERT INTO hba VALUES ('host all locked 127.0.0.1/32 scram-sha-256'), "
                     "('host all all 127.0.0.1/32 trust');");
    CU_ASSERT_FALSE(world.failed);
    run_sql(&world, "SELECT current_setting('hba_file')");
    char copy[512];
    snprintf(copy, sizeof copy, "COPY hba TO '%s'; SELECT extract(epoch FROM clock_timestamp())",
             sl_buf_span(&world.value).data);
    run_text(&world, copy);
    CU_ASSERT_FALSE(world.failed);
    char since[32];
    snprintf(since, sizeof since, "%s", sl_buf_span(&world.value).data);
    run_sql(&world, "SELECT pg_reload_conf()");
    CU_ASSERT_FALSE(world.failed);
    world_done(&world);
    until_reloaded(since);

    char url[256];
    snprintf(url, sizeof url, "postgres://locked:wrong-locked-secret@127.0.0.1:%s/sluice",
             port_of_url());
    world_init(&world, NULL, 0);
    world.opts.conninfo = url;
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.downs, 1));
    CU_ASSERT_FALSE(has(world.why.text, "wrong-locked-secret"));
    CU_ASSERT_TRUE(has(world.why.text, "28P01"));
    CU_ASSERT_EQUAL(sl_err_fault(&world.why), SL_FAULT_TRANSIENT);
    world_done(&world);

    snprintf(url, sizeof url, "postgres://locked:right-one@127.0.0.1:%s/sluice", port_of_url());
    world_init(&world, NULL, 0);
    world.opts.conninfo = url;
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 1));
    world_done(&world);
}

CLAIM(pg_link__waits_for_the_schema_its_statements_need)
{
    static const struct sl_pg_statement statements[] = {
        { "late", "SELECT count(*) FROM late_table" },
    };
    struct world other;
    struct world world;
    world_up(&other, NULL, 0);
    run_sql(&other, "DROP TABLE IF EXISTS late_table");
    world_init(&world, statements, 1);
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.downs, 1));
    CU_ASSERT_EQUAL(world.why.code, SL_E_PG_UNREADY);
    CU_ASSERT_TRUE(has(world.why.text, "late: "));
    CU_ASSERT_TRUE(has(world.why.text, "42P01"));
    run_sql(&other, "CREATE TABLE late_table (x int)");
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 1));
    struct sl_pg_step step = { .name = "late" };
    run(&world, &step, 1);
    CU_ASSERT_TRUE(value_is(&world, "0"));
    run_sql(&other, "DROP TABLE late_table");
    world_done(&world);
    world_done(&other);
}

/* ---- scripts ---- */

static void put32(struct sl_buf *buf, uint32_t number_value)
{
    uint32_t big = htonl(number_value);
    sl_buf_append(buf, &big, sizeof big);
}

/* The binary form of int8[] and text[]: dimensions, has-nulls, element type, length, lower bound, then length and bytes each. */
static void array_head(struct sl_buf *buf, uint32_t type, uint32_t count)
{
    put32(buf, 1);
    put32(buf, 0);
    put32(buf, type);
    put32(buf, count);
    put32(buf, 1);
}

CLAIM(pg_link__runs_prepared_statements_with_binary_arrays)
{
    /* The table must be there before its statement is prepared. */
    static const struct sl_pg_statement statements[] = {
        { "array_add", "INSERT INTO array_things SELECT * FROM unnest($1::int8[], $2::text[])" },
    };
    struct world other;
    struct world world;
    world_up(&other, NULL, 0);
    run_text(&other, "DROP TABLE IF EXISTS array_things; CREATE TABLE array_things (id int8 "
                     "PRIMARY KEY, name text)");
    world_up(&world, statements, 1);
    struct sl_buf ids;
    struct sl_buf names;
    sl_buf_init(&ids, 1 << 20);
    sl_buf_init(&names, 1 << 20);
    const uint32_t count = 500;
    array_head(&ids, 20, count);
    array_head(&names, 25, count);
    for (uint32_t i = 0; i < count; i++) {
        char name[32];
        put32(&ids, 8);
        put32(&ids, 0);
        put32(&ids, i);
        int bytes = snprintf(name, sizeof name, "name %u", i);
        put32(&names, (uint32_t)bytes);
        sl_buf_append(&names, name, (size_t)bytes);
    }
    struct sl_pg_param params[] = { { sl_buf_span(&ids), true }, { sl_buf_span(&names), true } };
    struct sl_pg_step steps[] = {
        { .sql = "BEGIN" },
        { .name = "array_add", .params = params, .param_count = 2 },
        { .sql = "COMMIT" },
    };
    run(&world, steps, 3);
    CU_ASSERT_FALSE(world.failed);
    CU_ASSERT_EQUAL(world.result_count, 3);
    run_sql(&world, "SELECT count(*) || '|' || max(id) || '|' || max(name) FROM array_things");
    CU_ASSERT_TRUE(value_is(&world, "500|499|name 99"));

    /* Absent is NULL, empty is not. */
    struct sl_pg_param two[] = { { { NULL, 0 }, false }, { SL_SPAN_LITERAL(""), false } };
    struct sl_pg_step nulls = { .sql =
                                    "SELECT ($1::text IS NULL)::text || ($2::text IS NULL)::text",
                                .params = two,
                                .param_count = 2 };
    run(&world, &nulls, 1);
    CU_ASSERT_TRUE(value_is(&world, "truefalse"));
    run_sql(&other, "DELETE FROM array_things");
    CU_ASSERT_EQUAL(other.changed, 500);
    run_sql(&other, "DROP TABLE array_things");
    sl_buf_done(&ids);
    sl_buf_done(&names);
    world_done(&world);
    world_done(&other);
}

CLAIM(pg_link__an_error_in_the_middle_names_its_step_and_leaves_a_usable_session)
{
    static const struct sl_pg_statement statements[] = {
        { "thing_add", "INSERT INTO mid_things VALUES ($1::text::int8, $2)" },
    };
    struct world world;
    struct world other;
    world_up(&other, NULL, 0);
    run_text(&other, "DROP TABLE IF EXISTS mid_things; CREATE TABLE mid_things (id int8 "
                     "CONSTRAINT mid_things_key PRIMARY KEY, name text NOT NULL)");
    world_up(&world, statements, 1);
    struct sl_pg_param one[] = { { SL_SPAN_LITERAL("1"), false }, { SL_SPAN_LITERAL("a"), false } };
    struct sl_pg_step steps[] = {
        { .sql = "BEGIN" },
        { .name = "thing_add", .params = one, .param_count = 2 },
        { .name = "thing_add", .params = one, .param_count = 2 },
        { .name = "thing_add", .params = one, .param_count = 2 },
        { .sql = "COMMIT" },
    };
    run(&world, steps, 5);
    CU_ASSERT_TRUE(world.failed);
    CU_ASSERT_EQUAL(world.step, 2);
    CU_ASSERT_STRING_EQUAL(world.sqlstate, "23505");
    CU_ASSERT_STRING_EQUAL(world.constraint, "mid_things_key");
    CU_ASSERT_STRING_EQUAL(world.table, "mid_things");
    CU_ASSERT_TRUE(has(world.detail, "(id)=(1)"));
    CU_ASSERT_EQUAL(world.err.code, SL_E_PG_ITEM);
    CU_ASSERT_TRUE(has(world.err.text, "thing_add: "));
    CU_ASSERT_EQUAL(world.result_count, 2);

    /* The transaction has failed until the owner rolls it back. */
    run_sql(&world, "SELECT 1");
    CU_ASSERT_STRING_EQUAL(world.sqlstate, "25P02");
    CU_ASSERT_EQUAL(world.err.code, SL_E_PG_HALT);
    run_sql(&world, "ROLLBACK");
    CU_ASSERT_FALSE(world.failed);
    run(&world, &steps[1], 1);
    CU_ASSERT_FALSE(world.failed);
    CU_ASSERT_EQUAL(world.changed, 1);
    CU_ASSERT_EQUAL(world.downs, 0);

    /* Without BEGIN the steps are one transaction of their own. */
    struct sl_pg_param fresh[] = { { SL_SPAN_LITERAL("7"), false },
                                   { SL_SPAN_LITERAL("b"), false } };
    struct sl_pg_step loose[] = {
        { .name = "thing_add", .params = fresh, .param_count = 2 },
        { .name = "thing_add", .params = one, .param_count = 2 },
    };
    run(&world, loose, 2);
    CU_ASSERT_TRUE(world.failed);
    run_sql(&world, "SELECT count(*) FROM mid_things");
    CU_ASSERT_TRUE(value_is(&world, "1"));
    run_sql(&world, "DROP TABLE mid_things");
    world_done(&world);
    world_done(&other);
}

CLAIM(pg_link__tells_no_value_that_was_sent)
{
    struct world world;
    world_up(&world, NULL, 0);
    struct sl_pg_param param = { SL_SPAN_LITERAL("card 4242"), false };
    struct sl_pg_step step = { .sql = "SELECT $1::text::int8", .params = &param, .param_count = 1 };
    run(&world, &step, 1);
    CU_ASSERT_STRING_EQUAL(world.sqlstate, "22P02");
    CU_ASSERT_EQUAL(world.err.code, SL_E_PG_PERMANENT);
    CU_ASSERT_FALSE(has(world.err.text, "4242"));
    CU_ASSERT_TRUE(has(world.err.text, "22P02"));
    world_done(&world);
}

CLAIM(pg_link__refuses_before_it_sends)
{
    struct world world;
    struct sl_err err;
    world_up(&world, NULL, 0);
    struct sl_pg_param nul = { SL_SPAN_LITERAL("a\0b"), false };
    struct sl_pg_step step = { .sql = "SELECT $1::text", .params = &nul, .param_count = 1 };
    CU_ASSERT_FALSE(sl_pg_run(world.link, &step, 1, on_done, &world, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_PG_PERMANENT);
    step = (struct sl_pg_step){ .name = "never prepared" };
    CU_ASSERT_FALSE(sl_pg_run(world.link, &step, 1, on_done, &world, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_BUG);
    step = (struct sl_pg_step){ .sql = "SELECT 1" };
    CU_ASSERT_TRUE(sl_pg_run(world.link, &step, 1, on_done, &world, &err));
    CU_ASSERT_TRUE(sl_pg_link_is_busy(world.link));
    CU_ASSERT_FALSE(sl_pg_run(world.link, &step, 1, on_done, &world, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_BUG);
    CU_ASSERT_TRUE(wait_until(&world, &world.runs_done, 1));
    CU_ASSERT_FALSE(sl_pg_link_is_busy(world.link));
    CU_ASSERT_TRUE(value_is(&world, "1"));
    world_done(&world);
}

CLAIM(pg_link__does_not_deadlock_when_both_sides_have_megabytes_to_say)
{
    struct world world;
    world_up(&world, NULL, 0);
    const size_t bytes = 5u * 1024 * 1024;
    char *big = malloc(bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    memset(big, 'x', bytes);
    struct sl_pg_param text = { sl_span_make(big, bytes), false };
    struct sl_pg_param binary = { sl_span_make(big, bytes), true };
    struct sl_pg_step steps[] = {
        { .sql = "SELECT $1::text", .params = &text, .param_count = 1 },
        { .sql = "SELECT $1::text || 'y'", .params = &text, .param_count = 1 },
        { .sql = "SELECT octet_length($1::bytea)", .params = &binary, .param_count = 1 },
        { .sql = "SELECT $1::text || 'z'", .params = &binary, .param_count = 1 },
    };
    run(&world, steps, SL_COUNT(steps));
    CU_ASSERT_FALSE(world.failed);
    CU_ASSERT_EQUAL(world.value.used_bytes, bytes + 1);
    free(big);
    world_done(&world);
}

CLAIM(pg_link__runs_a_text_of_many_statements_and_points_at_its_fault)
{
    struct world world;
    world_up(&world, NULL, 0);
    run_text(&world, "CREATE TEMP TABLE a (x int); INSERT INTO a VALUES (1), (2); SELECT sum(x) "
                     "FROM a;");
    CU_ASSERT_TRUE(value_is(&world, "3"));
    run_text(&world, "SELECT 1;\nSELEKT 2;");
    CU_ASSERT_STRING_EQUAL(world.sqlstate, "42601");
    CU_ASSERT_EQUAL(world.position, 11);
    run_text(&world, "INSERT INTO a VALUES (9); SELECT 1/0");
    CU_ASSERT_STRING_EQUAL(world.sqlstate, "22012");
    run_sql(&world, "SELECT count(*) FROM a"); /* back in the pipeline, and nothing half done */
    CU_ASSERT_TRUE(value_is(&world, "2"));
    run_text(&world, "-- nothing");
    CU_ASSERT_FALSE(world.failed);
    run_text(&world, "COPY a FROM STDIN");
    CU_ASSERT_TRUE(world.failed);
    CU_ASSERT_EQUAL(sl_err_fault(&world.err), SL_FAULT_TRANSIENT);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 2));
    world_done(&world);
}

CLAIM(pg_link__the_owner_may_run_or_free_inside_a_callback)
{
    struct world world;
    world_up(&world, NULL, 0);
    struct sl_pg_step step = { .sql = "SELECT 'first'" };
    world.run_in_done = true;
    CU_ASSERT_TRUE(sl_pg_run(world.link, &step, 1, on_done, &world, NULL));
    CU_ASSERT_TRUE(wait_until(&world, &world.runs_done, 2));
    CU_ASSERT_TRUE(value_is(&world, "from within"));
    world.free_in_done = true;
    CU_ASSERT_TRUE(sl_pg_run(world.link, &step, 1, on_done, &world, NULL));
    CU_ASSERT_TRUE(wait_until(&world, &world.runs_done, 3));
    CU_ASSERT_PTR_NULL(world.link);
    world_done(&world);

    /* While a script runs, its owner may go. */
    world_up(&world, NULL, 0);
    CU_ASSERT_TRUE(sl_pg_run(world.link, &step, 1, on_done, &world, NULL));
    sl_pg_link_free(SL_TAKE(world.link));
    CU_ASSERT_EQUAL(world.runs_done, 0);
    world_done(&world);

    /* Inside the callback that reports a lost connection, too. */
    world_up(&world, NULL, 0);
    world.free_in_done = true;
    step.sql = "SELECT pg_terminate_backend(pg_backend_pid())";
    CU_ASSERT_TRUE(sl_pg_run(world.link, &step, 1, on_done, &world, NULL));
    CU_ASSERT_TRUE(wait_until(&world, &world.runs_done, 1));
    CU_ASSERT_PTR_NULL(world.link);
    CU_ASSERT_EQUAL(world.downs, 0);
    world_done(&world);
}

/* ---- trouble ---- */

CLAIM(pg_link__a_statement_that_takes_too_long_is_contention)
{
    struct world world;
    world_init(&world, NULL, 0);
    world.opts.statement_ms = 1000;
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 1));
    run_sql(&world, "SELECT pg_sleep(10)");
    CU_ASSERT_STRING_EQUAL(world.sqlstate, "57014");
    CU_ASSERT_EQUAL(world.err.code, SL_E_PG_CONTENTION);
    CU_ASSERT_TRUE(sl_pg_link_is_up(world.link));
    world_done(&world);
}

CLAIM(pg_link__comes_back_after_the_server_ended_its_session)
{
    struct world world;
    struct world other;
    char sql[128];
    world_up(&world, NULL, 0);
    world_up(&other, NULL, 0);
    run_sql(&world, "SELECT pg_backend_pid()");
    long long pid = number(&world);

    /* In the middle of a script. */
    struct sl_pg_step steps[] = { { .sql = "BEGIN" },
                                  { .sql = "SELECT pg_sleep(10)" },
                                  { .sql = "COMMIT" } };
    CU_ASSERT_TRUE(sl_pg_run(world.link, steps, 3, on_done, &world, NULL));
    snprintf(sql, sizeof sql,
             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %lld AND "
             "wait_event = 'PgSleep'",
             pid);
    do {
        run_sql(&other, sql); /* no row, as long as it has not come so far */
    } while (!value_is(&other, "t"));
    CU_ASSERT_TRUE(wait_until(&world, &world.runs_done, 2));
    CU_ASSERT_STRING_EQUAL(world.sqlstate, "57P01");
    CU_ASSERT_EQUAL(world.step, 1);
    CU_ASSERT_EQUAL(world.err.code, SL_E_PG_SYSTEMIC);
    CU_ASSERT_EQUAL(world.downs, 1);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 2));

    /* While idle. */
    run_sql(&world, "SELECT pg_backend_pid()");
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%lld)", (long long)number(&world));
    run_sql(&other, sql);
    CU_ASSERT_TRUE(wait_until(&world, &world.downs, 2));
    CU_ASSERT_TRUE(has(world.why.text, "administrator"));
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 3));
    run_sql(&world, "SELECT 'back'");
    CU_ASSERT_TRUE(value_is(&world, "back"));
    world_done(&world);
    world_done(&other);
}

CLAIM(pg_link__leaves_a_server_that_became_read_only)
{
    struct world world;
    world_up(&world, NULL, 0);
    run_sql(&world, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
    run_sql(&world, "CREATE TABLE never (x int)");
    CU_ASSERT_STRING_EQUAL(world.sqlstate, "25006");
    CU_ASSERT_EQUAL(world.err.code, SL_E_PG_SYSTEMIC);
    CU_ASSERT_EQUAL(world.downs, 1);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 2));
    world_done(&world);
}

CLAIM(pg_link__prepares_anew_when_a_plan_no_longer_fits)
{
    static const struct sl_pg_statement statements[] = { { "all", "SELECT * FROM shape" } };
    struct world world;
    struct world other;
    world_up(&other, NULL, 0);
    run_text(&other, "DROP TABLE IF EXISTS shape; CREATE TABLE shape (a int); INSERT INTO shape "
                     "VALUES (1)");
    world_up(&world, statements, 1);
    struct sl_pg_step step = { .name = "all" };
    run(&world, &step, 1);
    CU_ASSERT_TRUE(value_is(&world, "1"));
    run_sql(&other, "ALTER TABLE shape ADD COLUMN b int");
    run(&world, &step, 1);
    CU_ASSERT_STRING_EQUAL(world.sqlstate, "0A000");
    CU_ASSERT_EQUAL(world.err.code, SL_E_PG_SYSTEMIC);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 2));
    run(&world, &step, 1);
    CU_ASSERT_TRUE(value_is(&world, "1"));

    /* Again and again: that is no accident. */
    for (int i = 0; i < 4; i++) {
        run_sql(&world, "DEALLOCATE ALL");
        /* A success forgets earlier ones, so the last ones run in the same script. */
        struct sl_pg_step both[] = { { .sql = "DEALLOCATE ALL" }, { .name = "all" } };
        run(&world, both, 2);
        CU_ASSERT_STRING_EQUAL(world.sqlstate, "26000");
        CU_ASSERT_EQUAL(world.err.code, SL_E_PG_SYSTEMIC);
        CU_ASSERT_TRUE(wait_until(&world, &world.ups, 3 + i));
    }
    for (int i = 0; i < 4; i++) {
        struct sl_pg_step both[] = { { .sql = "DEALLOCATE ALL" }, { .name = "all" } };
        run(&world, both, 2);
        CU_ASSERT_TRUE(wait_until(&world, &world.ups, 7 + i));
    }
    CU_ASSERT_EQUAL(world.err.code, SL_E_PG_HALT);
    run_sql(&other, "DROP TABLE shape");
    world_done(&world);
    world_done(&other);
}

CLAIM(pg_link__a_server_that_hangs_costs_no_more_than_the_deadline)
{
    if (!is_supervised()) {
        return;
    }
    struct world world;
    world_init(&world, NULL, 0);
    world.opts.script_ms = 5000; /* which what is well stays within */
    open_link(&world);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 1));
    run_sql(&world, "SELECT pg_backend_pid()");
    pid_t backend = (pid_t)number(&world);
    const size_t bytes =
        5u * 1024 * 1024; /* more than the socket takes: the farewell must not block either */
    char *big = calloc(1, bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    struct sl_pg_param param = { sl_span_make(big, bytes), true };
    struct sl_pg_step step = { .sql = "SELECT octet_length($1::bytea)",
                               .params = &param,
                               .param_count = 1 };
    CU_ASSERT_EQUAL(kill(backend, SIGSTOP), 0);
    run(&world, &step, 1);
    CU_ASSERT_EQUAL(world.err.code, SL_E_DEADLINE);
    CU_ASSERT_EQUAL(sl_err_fault(&world.err), SL_FAULT_TRANSIENT);
    CU_ASSERT_EQUAL(world.downs, 1);
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 2));
    run(&world, &step, 1);
    CU_ASSERT_TRUE(value_is(&world, "5242880"));
    CU_ASSERT_EQUAL(kill(backend, SIGCONT), 0);
    free(big);
    world_done(&world);
}

static pid_t postmaster(struct world *world)
{
    run_sql(world, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)");
    return (pid_t)number(world);
}

CLAIM(pg_link__a_frozen_postmaster_costs_no_more_than_the_attempt)
{
    if (!is_supervised()) {
        return;
    }
    struct world other;
    struct world world;
    world_up(&other, NULL, 0);
    pid_t pid = postmaster(&other);
    CU_ASSERT_FATAL(pid > 1);
    CU_ASSERT_EQUAL(kill(pid, SIGSTOP), 0);
    world_init(&world, NULL, 0);
    world.opts.attempt_ms = 2000; /* the kernel accepts, nobody answers */
    open_link(&world);
    bool is_down = wait_until(&world, &world.downs, 1);
    CU_ASSERT_EQUAL(kill(pid, SIGCONT), 0);
    CU_ASSERT_TRUE(is_down);
    CU_ASSERT_TRUE(has(world.why.text, "within 2000 ms"));
    CU_ASSERT_TRUE(wait_until(&world, &world.ups, 1));
    world_done(&world);
    world_done(&other);
}

CLAIM(pg_link__comes_back_after_a_restart_and_after_a_crash)
{
    if (!is_supervised()) {
        return;
    }
    struct world world;
    world_up(&world, NULL, 0);
    static const int endings[] = { SIGINT, SIGQUIT, SIGKILL };
    for (size_t i = 0; i < SL_COUNT(endings); i++) {
        int ups = world.ups;
        pid_t pid = postmaster(&world);
        CU_ASSERT_FATAL(pid > 1);
        struct sl_pg_step step = { .sql = "SELECT pg_sleep(15)" };
        int before = world.runs_done;
        CU_ASSERT_TRUE(sl_pg_run(world.link, &step, 1, on_done, &world, NULL));
        CU_ASSERT_EQUAL(kill(pid, endings[i]), 0);
        CU_ASSERT_TRUE(wait_until(&world, &world.runs_done, before + 1));
        CU_ASSERT_TRUE(world.failed);
        CU_ASSERT_EQUAL(sl_err_fault(&world.err), SL_FAULT_TRANSIENT);
        CU_ASSERT_TRUE(wait_until(&world, &world.ups, ups + 1));
        run_sql(&world, "SELECT 'again'");
        CU_ASSERT_TRUE(value_is(&world, "again"));
    }
    world_done(&world);
}
