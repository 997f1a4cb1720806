#include "ops/pg_session.h"

#include <stdlib.h>
#include <unistd.h>

#include "ops/stack.h"
#include "shared/config/conf.h"

#define OPEN_MS_DEFAULT      15000
#define STATEMENT_MS_DEFAULT 20000
#define ANSWER_SLACK_MS      5000 /* the server's own limit comes first, since it says which statement */
#define MISTAKES_BYTES_MAX   8192u

struct ops_pg_session {
    struct sl_loop *loop;
    struct sl_timer *open_deadline;
    struct sl_pg_link *link;
    bool is_up;
    bool is_lost;
    bool is_done; /* the running script has ended */
    struct sl_err why;
    /* Outcome of the last script. */
    bool failed;
    struct sl_err err;
    char sqlstate[SL_SQLSTATE_BYTES];
    size_t position;
    struct ops_pg_rows *rows; /* where to; NULL: nobody wants them */
};

static void on_up(struct sl_pg_link *link, void *arg);
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg);
static void on_open_deadline(void *arg);
static bool await_open(struct ops_pg_session *session, int64_t open_ms, struct sl_err *err);
static void on_done(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg);
static bool is_behind(const char *sqlstate);
static bool await_done(struct ops_pg_session *session, struct sl_err *err);
static bool keep_rows(struct ops_pg_rows *rows, const struct sl_pg_result *result,
                      struct sl_err *err);

/* ---- the address ---- */

struct settings {
    char *database_url;
};

static const struct sl_conf_key keys[] = {
    { .offset = offsetof(struct settings, database_url),
      .type = SL_CONF_SECRET,
      .env = "DATABASE_URL",
      .help = "Postgres, as libpq takes it" },
};

char *ops_pg_address(const char *flag, struct sl_err *err)
{
    if (flag != NULL) {
        if (sl_pg_has_password(flag)) {
            sl_fail(err, SL_E_USAGE,
                    "a password on the command line can be read by every user of this machine: "
                    "set DATABASE_URL, or keep the password in ~/.pgpass");
            return NULL;
        }
        return strdup(flag);
    }
    struct settings settings = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    sl_conf_source_init(&source, environ, &mistakes);
    sl_conf_read(keys, SL_COUNT(keys), &source, &settings, &mistakes);
    SL_AUTO(ops_pg_address_free) char *address = settings.database_url;
    if (!sl_conf_verdict(&mistakes, err)) {
        return NULL;
    }
    if (address == NULL) {
        address = ops_stack_lookup("DATABASE_URL");
    }
    if (address == NULL) {
        sl_fail(err, SL_E_CONFIG, "no database is known: set DATABASE_URL, or run `sluice dev`");
    }
    return SL_TAKE(address);
}

void ops_pg_address_free(char *address)
{
    if (address != NULL) {
        explicit_bzero(address, strlen(address));
        free(address);
    }
}

/* ---- the session ---- */

struct ops_pg_session *ops_pg_session_open(const struct ops_pg_session_opts *opts,
                                           struct sl_err *err)
{
    SL_AUTO(ops_pg_session_free) struct ops_pg_session *session = calloc(1, sizeof *session);
    if (session == NULL || (session->loop = sl_loop_new(err)) == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a database session");
        return NULL;
    }
    session->open_deadline = sl_timer_new(session->loop, on_open_deadline, session);
    int64_t statement_ms = opts->statement_ms > 0 ? opts->statement_ms : STATEMENT_MS_DEFAULT;
    const struct sl_pg_link_opts link_opts = {
        .loop = session->loop,
        .conninfo = opts->conninfo,
        .application_name = opts->application_name,
        .script_ms = statement_ms + ANSWER_SLACK_MS,
        .statement_ms = statement_ms,
        .lock_ms = opts->lock_ms,
        .read_only = opts->read_only,
        .arg = session,
        .on_up = on_up,
        .on_down = on_down,
    };
    if (session->open_deadline == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a database session");
        return NULL;
    }
    session->link = sl_pg_link_new(&link_opts, err);
    if (session->link == NULL ||
        !await_open(session, opts->open_ms > 0 ? opts->open_ms : OPEN_MS_DEFAULT, err)) {
        return NULL;
    }
    return SL_TAKE(session);
}

struct ops_pg_session *ops_pg_session_here(const char *application_name, bool read_only,
                                           struct sl_err *err)
{
    SL_AUTO(ops_pg_address_free) char *address = ops_pg_address(NULL, err);
    const struct ops_pg_session_opts opts = { .conninfo = address,
                                              .application_name = application_name,
                                              .read_only = read_only };
    return address == NULL ? NULL : ops_pg_session_open(&opts, err);
}

static bool await_open(struct ops_pg_session *session, int64_t open_ms, struct sl_err *err)
{
    sl_fail(&session->why, SL_E_PG_UNREACHABLE, "no database session within %lld ms",
            (long long)open_ms);
    sl_timer_arm(session->open_deadline, open_ms);
    bool has_run = sl_loop_run(session->loop, err);
    sl_timer_disarm(session->open_deadline);
    if (has_run && !session->is_up) {
        sl_fail(err, session->why.code, "%s", session->why.text);
    }
    return has_run && session->is_up;
}

static void on_open_deadline(void *arg)
{
    struct ops_pg_session *session = arg;
    sl_loop_stop(session->loop);
}

static void on_up(struct sl_pg_link *link, void *arg)
{
    (void)link;
    struct ops_pg_session *session = arg;
    session->is_up = !session->is_lost;
    sl_loop_stop(session->loop);
}

/* While opening, hosts of this round may be left; afterwards the session is over. */
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)wait_ms;
    struct ops_pg_session *session = arg;
    session->why = *why;
    if (session->is_up) {
        session->is_lost = true;
    }
    if (session->is_up || sl_pg_link_has_tried(link)) {
        sl_loop_stop(session->loop);
    }
}

void ops_pg_session_free(struct ops_pg_session *session)
{
    if (session == NULL) {
        return;
    }
    sl_pg_link_free(session->link);
    sl_timer_free(session->open_deadline);
    if (session->loop != NULL) {
        sl_loop_free(session->loop);
    }
    free(session);
}

/* ---- queries ---- */

bool ops_pg_query(struct ops_pg_session *session, const char *sql, const struct sl_pg_param *params,
                  size_t param_count, struct ops_pg_rows *out_rows, struct sl_err *err)
{
    const struct sl_pg_step step = { .sql = sql, .params = params, .param_count = param_count };
    if (out_rows != NULL) {
        ops_pg_rows_done(out_rows);
    }
    session->rows = out_rows;
    session->is_done = false;
    if (session->is_lost) {
        return sl_fail(err, session->why.code, "the database session was lost: %s",
                       session->why.text);
    }
    return sl_pg_run(session->link, &step, 1, on_done, session, err) && await_done(session, err);
}

bool ops_pg_text(struct ops_pg_session *session, const char *sql, size_t *out_position,
                 struct sl_err *err)
{
    session->rows = NULL;
    session->is_done = false;
    session->position = 0;
    if (session->is_lost) {
        return sl_fail(err, session->why.code, "the database session was lost: %s",
                       session->why.text);
    }
    bool is_done =
        sl_pg_run_text(session->link, sql, on_done, session, err) && await_done(session, err);
    if (out_position != NULL) {
        *out_position = session->position;
    }
    return is_done;
}

/* A table, column or function that does not exist. */
static bool is_behind(const char *sqlstate)
{
    static const char *const states[] = { "42P01", "42703", "42883" };
    for (size_t i = 0; i < SL_COUNT(states); i++) {
        if (strcmp(sqlstate, states[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Turns the loop until the script has ended; on_down and on_up may stop it in between. */
static bool await_done(struct ops_pg_session *session, struct sl_err *err)
{
    while (!session->is_done) {
        if (!sl_loop_run(session->loop, err)) {
            return false;
        }
    }
    session->rows = NULL;
    if (session->failed) {
        return sl_fail(err, session->err.code, "%s%s", session->err.text,
                       is_behind(session->sqlstate)
                           ? "; the tables are older than this program: sluice migrate up"
                           : "");
    }
    return true;
}

static void on_done(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg)
{
    struct ops_pg_session *session = arg;
    (void)count;
    session->is_done = true;
    session->failed = error != NULL;
    session->sqlstate[0] = '\0';
    if (!sl_pg_link_is_up(link)) {
        session->is_lost = true;
    }
    if (error != NULL) {
        session->err = error->err;
        session->why = error->err;
        session->position = error->position;
        memcpy(session->sqlstate, error->sqlstate, sizeof session->sqlstate);
    } else if (session->rows != NULL) {
        session->failed = !keep_rows(session->rows, results[0], &session->err);
    }
    sl_loop_stop(session->loop);
}

const char *ops_pg_sqlstate(const struct ops_pg_session *session)
{
    return session->sqlstate;
}

/* ---- rows ---- */

static bool keep_rows(struct ops_pg_rows *rows, const struct sl_pg_result *result,
                      struct sl_err *err)
{
    size_t row_count = sl_pg_rows(result);
    size_t column_count = sl_pg_columns(result);
    sl_arena_init(&rows->arena, OPS_PG_ROWS_BYTES_MAX);
    struct sl_span *cells = sl_arena_array(&rows->arena, row_count * column_count, sizeof *cells);
    bool is_kept = cells != NULL;
    for (size_t i = 0; is_kept && i < row_count * column_count; i++) {
        struct sl_span value = sl_pg_value(result, i / column_count, i % column_count);
        if (value.data != NULL) {
            cells[i] = sl_arena_copy(&rows->arena, value);
            is_kept = cells[i].data != NULL;
        }
    }
    if (!is_kept) {
        ops_pg_rows_done(rows);
        return sl_fail(err, SL_E_LIMIT, "an answer of more than %zu MiB",
                       OPS_PG_ROWS_BYTES_MAX >> 20);
    }
    rows->cells = cells;
    rows->row_count = row_count;
    rows->column_count = column_count;
    rows->changed = sl_pg_changed(result);
    return true;
}

struct sl_span ops_pg_cell(const struct ops_pg_rows *rows, size_t row, size_t column)
{
    SL_ASSERT(row < rows->row_count);
    SL_ASSERT(column < rows->column_count);
    return rows->cells[row * rows->column_count + column];
}

const char *ops_pg_cell_text(const struct ops_pg_rows *rows, size_t row, size_t column)
{
    const char *text = ops_pg_cell(rows, row, column).data;
    return text == NULL ? "" : text; /* sl_arena_copy puts a NUL behind each */
}

void ops_pg_rows_done(struct ops_pg_rows *rows)
{
    sl_arena_done(&rows->arena);
    *rows = (struct ops_pg_rows){ 0 };
}
