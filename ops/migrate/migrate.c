#include "ops/migrate/migrate.h"

#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/pg_session.h"
#include "ops/table.h"
#include "shared/clock.h"
#include "shared/units.h"

#define WAIT_MS_DEFAULT    30000
#define WAIT_MS_MAX        3600000
#define TIMEOUT_MS_DEFAULT 600000
#define TIMEOUT_MS_MAX     86400000
#define EXIT_PENDING       2

extern const struct sl_embedded embedded_migrations[];
extern const size_t embedded_migrations_count;

/* The advisory lock of everybody who changes the schema of a database: "sluice" in ASCII, as one bigint. */
#define LOCK_KEY "126909663503205"

static const char table_sql[] =
    "CREATE TABLE IF NOT EXISTS sluice_migration (version int PRIMARY KEY, name text NOT NULL, "
    "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
static const char list_sql[] =
    "SELECT version, name, checksum, to_char(applied_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
    "FROM sluice_migration ORDER BY version";
static const char insert_sql[] =
    "INSERT INTO sluice_migration (version, name, checksum) VALUES ($1::text::int, $2, $3)";
static const char holder_sql[] =
    "SELECT format('process %s (%s) from %s, for %s s', a.pid, "
    "coalesce(nullif(a.application_name, ''), 'no name'), "
    "coalesce(host(a.client_addr), 'this machine'), "
    "round(extract(epoch FROM now() - a.state_change))) "
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND l.classid = (" LOCK_KEY " >> 32)::oid AND l.objid = (" LOCK_KEY " & 4294967295)::oid";

static bool take_lock(struct ops_pg_session *session, const struct ops_migrate_opts *opts,
                      struct sl_err *err);
static bool read_plan(struct ops_pg_session *session, const struct ops_migrate_opts *opts,
                      struct ops_migration_plan *out, struct sl_err *err);
static bool apply_one(struct ops_pg_session *session, const struct ops_migration *migration,
                      struct sl_err *err);

/* ---- the work ---- */

bool ops_migrate_apply(const struct ops_migrate_opts *opts, int64_t *out_version,
                       struct sl_err *err)
{
    const struct ops_pg_session_opts session_opts = {
        .conninfo = opts->conninfo,
        .application_name = "sluice migrate",
        .statement_ms = opts->timeout_ms > opts->wait_ms ? opts->timeout_ms : opts->wait_ms + 1000,
    };
    struct ops_migration_plan plan = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_open(&session_opts, err);
    if (session == NULL || !take_lock(session, opts, err) ||
        !ops_pg_query(session, table_sql, NULL, 0, NULL, err) ||
        !read_plan(session, opts, &plan, err) || !ops_migration_plan_verdict(&plan, err)) {
        return false;
    }
    int64_t version = plan.version;
    for (size_t i = 0; i < plan.count; i++) {
        const struct ops_migration *migration = &plan.items[i];
        if (migration->state != OPS_MIGRATION_PENDING) {
            continue;
        }
        int64_t start_ms = sl_clock_mono_ms();
        if (!apply_one(session, migration, err)) {
            return false;
        }
        version = migration->version;
        if (opts->on_applied != NULL) {
            opts->on_applied(migration, sl_clock_mono_ms() - start_ms, opts->arg);
        }
    }
    *out_version = version;
    return true; /* the lock goes with the session */
}

/* Who holds the lock, in words. */
static void name_holder(struct ops_pg_session *session, char *out, size_t out_bytes)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    struct sl_err ignored;
    bool is_known =
        ops_pg_query(session, holder_sql, NULL, 0, &rows, &ignored) && rows.row_count > 0;
    snprintf(out, out_bytes, "%s", is_known ? ops_pg_cell_text(&rows, 0, 0) : "somebody");
}

static bool take_lock(struct ops_pg_session *session, const struct ops_migrate_opts *opts,
                      struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    char who[160];
    char wait[24];
    if (!ops_pg_query(session, "SELECT pg_try_advisory_lock(" LOCK_KEY ")", NULL, 0, &rows, err)) {
        return false;
    }
    if (sl_span_is(ops_pg_cell(&rows, 0, 0), "t")) {
        return true;
    }
    name_holder(session, who, sizeof who);
    if (opts->on_waiting != NULL) {
        opts->on_waiting(who, opts->arg);
    }
    /* lock_timeout holds for advisory locks too; 0 would mean for ever. */
    snprintf(wait, sizeof wait, "%lld", (long long)(opts->wait_ms > 0 ? opts->wait_ms : 1));
    struct sl_pg_param param = ops_pg_param(wait);
    static const char set_sql[] =
        "SELECT current_setting('lock_timeout'), set_config('lock_timeout', $1, false)";
    if (!ops_pg_query(session, set_sql, &param, 1, &rows, err)) {
        return false;
    }
    if (!ops_pg_query(session, "SELECT pg_advisory_lock(" LOCK_KEY ")", NULL, 0, NULL, err)) {
        if (strcmp(ops_pg_sqlstate(session), "55P03") == 0) {
            name_holder(session, who, sizeof who);
            return sl_fail(err, SL_E_PG_CONTENTION,
                           "another migration is at work in this database: %s; waited %lld ms, "
                           "changed nothing",
                           who, (long long)opts->wait_ms);
        }
        return false;
    }
    param = ops_pg_param(ops_pg_cell_text(&rows, 0, 0));
    return ops_pg_query(session, "SELECT set_config('lock_timeout', $1, false)", &param, 1, NULL,
                        err);
}

static bool keep_applied(const struct ops_pg_rows *rows, struct ops_migration_applied *out,
                         struct sl_err *err)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        if (!sl_units_decimal(ops_pg_cell(rows, i, 0), 10, &out[i].version)) {
            return sl_fail(err, SL_E_PG_DRIFT,
                           "table sluice_migration holds a version that is no number of ours: '%s'",
                           ops_pg_cell_text(rows, i, 0));
        }
        snprintf(out[i].name, sizeof out[i].name, "%s", ops_pg_cell_text(rows, i, 1));
        snprintf(out[i].checksum, sizeof out[i].checksum, "%s", ops_pg_cell_text(rows, i, 2));
        snprintf(out[i].applied_at, sizeof out[i].applied_at, "%s", ops_pg_cell_text(rows, i, 3));
    }
    return true;
}

static bool read_plan(struct ops_pg_session *session, const struct ops_migrate_opts *opts,
                      struct ops_migration_plan *out, struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (!ops_pg_query(session, list_sql, NULL, 0, &rows, err)) {
        return false;
    }
    struct ops_migration_applied applied[OPS_MIGRATIONS_MAX];
    if (rows.row_count > OPS_MIGRATIONS_MAX) {
        return sl_fail(err, SL_E_LIMIT, "more than %u migrations", OPS_MIGRATIONS_MAX);
    }
    return keep_applied(&rows, applied, err) &&
           ops_migration_plan_make(opts->files, opts->file_count, applied, rows.row_count, out,
                                   err);
}

/* Line of the 1-based character in a UTF-8 text. */
static size_t line_of(const char *text, size_t position)
{
    size_t line = 1;
    for (size_t at = 1; *text != '\0' && at < position; text++) {
        line += *text == '\n';
        at += ((unsigned char)text[1] & 0xc0u) != 0x80u;
    }
    return line;
}

static bool apply_one(struct ops_pg_session *session, const struct ops_migration *migration,
                      struct sl_err *err)
{
    char version[24];
    size_t position = 0;
    snprintf(version, sizeof version, "%lld", (long long)migration->version);
    struct sl_pg_param params[] = { ops_pg_param(version), ops_pg_param(migration->name),
                                    ops_pg_param(migration->checksum) };

    if (!ops_pg_query(session, "BEGIN", NULL, 0, NULL, err)) {
        return sl_err_wrap(err, "%s is not applied", migration->name);
    }
    if (!ops_pg_text(session, migration->file->data, &position, err) ||
        !ops_pg_query(session, insert_sql, params, SL_COUNT(params), NULL, err)) {
        struct sl_err ignored;
        (void)!ops_pg_query(session, "ROLLBACK", NULL, 0, NULL, &ignored);
        return position == 0 ? sl_err_wrap(err, "%s is not applied", migration->name)
                             : sl_err_wrap(err, "%s is not applied, line %zu", migration->name,
                                           line_of(migration->file->data, position));
    }
    if (!ops_pg_query(session, "COMMIT", NULL, 0, NULL, err)) {
        return ops_pg_sqlstate(session)[0] == '\0'
                   ? sl_err_wrap(err,
                                 "whether %s is applied is not known (`sluice migrate status` "
                                 "tells)",
                                 migration->name)
                   : sl_err_wrap(err, "%s is not applied", migration->name);
    }
    return true;
}

bool ops_migrate_read(const struct ops_migrate_opts *opts, struct ops_migration_plan *out_plan,
                      struct sl_err *err)
{
    const struct ops_pg_session_opts session_opts = {
        .conninfo = opts->conninfo,
        .application_name = "sluice migrate",
        .read_only = true,
    };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_open(&session_opts, err);
    if (session == NULL ||
        !ops_pg_query(session, "SELECT to_regclass('sluice_migration') IS NOT NULL", NULL, 0, &rows,
                      err)) {
        return false;
    }
    if (!sl_span_is(ops_pg_cell(&rows, 0, 0), "t")) {
        return ops_migration_plan_make(opts->files, opts->file_count, NULL, 0, out_plan, err);
    }
    return read_plan(session, opts, out_plan, err);
}

/* ---- the commands ---- */

/* What `up` says while it works. */
struct report {
    enum ops_output output;
    struct ops_table table;
    size_t applied_count;
};

static const struct ops_column up_columns[] = {
    { .title = "VERSION", .is_number = true },
    { .title = "NAME" },
    { .title = "MS", .is_number = true },
};

static const struct ops_column status_columns[] = {
    { .title = "VERSION", .is_number = true },
    { .title = "NAME" },
    { .title = "STATE" },
    { .title = "APPLIED AT" },
    { .title = "CHECKSUM" },
};

static int show_status(const char *command, const struct ops_migrate_opts *opts,
                       enum ops_output output);

static void say_waiting(const char *who, void *arg)
{
    (void)arg;
    fprintf(stderr, "another migration is at work in this database: %s; waiting\n", who);
}

static void say_applied(const struct ops_migration *migration, int64_t took_ms, void *arg)
{
    struct report *report = arg;
    char version[24];
    char took[24];
    report->applied_count++;
    if (report->output == OPS_OUTPUT_TABLE) {
        printf("applied %s in %lld ms\n", migration->name, (long long)took_ms);
        fflush(stdout);
    }
    snprintf(version, sizeof version, "%lld", (long long)migration->version);
    snprintf(took, sizeof took, "%lld", (long long)took_ms);
    ops_table_add(&report->table, (const char *const[]){ version, migration->name, took });
}

static void report_done(struct report *report)
{
    ops_table_done(&report->table);
}

int ops_migrate_up(int argc, char **argv)
{
    SL_DONE(report_done) struct report report = { .output = OPS_OUTPUT_TABLE };
    struct sl_err err = { 0 };
    const char *url = NULL;
    bool is_dry = false;
    struct ops_migrate_opts opts = {
        .files = embedded_migrations,
        .file_count = embedded_migrations_count,
        .wait_ms = WAIT_MS_DEFAULT,
        .timeout_ms = TIMEOUT_MS_DEFAULT,
        .arg = &report,
        .on_waiting = say_waiting,
        .on_applied = say_applied,
    };
    const struct ops_flag flags[] = {
        { .name = "database-url", .kind = OPS_FLAG_TEXT, .out = &url },
        { .name = "wait", .kind = OPS_FLAG_DURATION, .out = &opts.wait_ms, .max = WAIT_MS_MAX },
        { .name = "timeout",
          .kind = OPS_FLAG_DURATION,
          .out = &opts.timeout_ms,
          .min = 1000,
          .max = TIMEOUT_MS_MAX },
        OPS_FLAG_DRY_RUN(is_dry),
        OPS_FLAGS_ROWS(report.output),
    };
    int first_word = 0;
    int64_t version = 0;
    ops_table_init(&report.table, up_columns, SL_COUNT(up_columns));
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first_word, &err)) {
        return ops_report("migrate up", &err);
    }
    SL_AUTO(ops_pg_address_free) char *address = ops_pg_address(url, &err);
    if (address == NULL) {
        return ops_report("migrate up", &err);
    }
    opts.conninfo = address;
    if (is_dry) {
        return show_status("migrate up", &opts, report.output);
    }
    bool is_applied = ops_migrate_apply(&opts, &version, &err);
    struct sl_err print_err = { 0 };
    if (report.output != OPS_OUTPUT_TABLE &&
        !ops_table_print(&report.table, report.output, stdout, &print_err)) {
        return ops_report("migrate up", &print_err);
    }
    if (!is_applied) {
        return ops_report("migrate up", &err);
    }
    if (report.output == OPS_OUTPUT_TABLE) {
        printf("%s, version %lld\n",
               report.applied_count == 0 ? "nothing to do: the database is up to date"
                                         : "the database is up to date",
               (long long)version);
    }
    if (report.applied_count > 0) {
        fputs("next: sluice topology apply\n", stderr);
    }
    return EX_OK;
}

static bool print_plan(const struct ops_migration_plan *plan, enum ops_output output,
                       struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, status_columns, SL_COUNT(status_columns));
    for (size_t i = 0; i < plan->count; i++) {
        const struct ops_migration *item = &plan->items[i];
        char version[24];
        snprintf(version, sizeof version, "%lld", (long long)item->version);
        ops_table_add(&table, (const char *const[]){ version, item->name,
                                                     ops_migration_state_name(item->state),
                                                     item->applied_at, item->checksum });
    }
    return ops_table_print(&table, output, stdout, err);
}

int ops_migrate_status(int argc, char **argv)
{
    struct sl_err err = { 0 };
    const char *url = NULL;
    enum ops_output output = OPS_OUTPUT_TABLE;
    const struct ops_flag flags[] = {
        { .name = "database-url", .kind = OPS_FLAG_TEXT, .out = &url },
        OPS_FLAGS_ROWS(output),
    };
    int first_word = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first_word, &err)) {
        return ops_report("migrate status", &err);
    }
    SL_AUTO(ops_pg_address_free) char *address = ops_pg_address(url, &err);
    const struct ops_migrate_opts opts = {
        .conninfo = address,
        .files = embedded_migrations,
        .file_count = embedded_migrations_count,
    };
    return address == NULL ? ops_report("migrate status", &err)
                           : show_status("migrate status", &opts, output);
}

static int show_status(const char *command, const struct ops_migrate_opts *opts,
                       enum ops_output output)
{
    struct sl_err err = { 0 };
    struct ops_migration_plan plan = { 0 };
    if (!ops_migrate_read(opts, &plan, &err) || !print_plan(&plan, output, &err) ||
        !ops_migration_plan_verdict(&plan, &err)) {
        return ops_report(command, &err);
    }
    if (plan.pending_count > 0) {
        fprintf(stderr, "%zu pending; next: sluice migrate up\n", plan.pending_count);
        return EXIT_PENDING;
    }
    return EX_OK;
}
