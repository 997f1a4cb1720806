#include "ops/breaker.h"

#include <stdio.h>
#include <sysexits.h>

#include "ops/breaker_database.h"
#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/pg_table.h"
#include "ops/queue/order_write.h"
#include "ops/sections.h"

#define FOR_MS_MAX     (INT64_C(30) * 24 * 3600 * 1000)
#define CLOSE_MS       10000 /* long enough for every consumer to read it */
#define TEXT_BYTES_MAX 200u
#define NAME_BYTES     256u

#define TIME(at)                                                                                   \
    "coalesce(to_char(" at " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '')"
static const char list_sql[] =
    "WITH seen AS (SELECT CASE WHEN b.database THEN '*' ELSE c.subsystem END AS subsystem, b.type, min(b.code) AS code, min(b.state) FILTER (WHERE b.state = 'open') IS NOT NULL AS open,"
    "   to_timestamp(min(b.since_ms) / 1000.0) AS since, to_timestamp(min(b.probe_ms) / 1000.0) AS probe_at"
    "   FROM sluice_consumer c, jsonb_to_recordset(c.breakers) AS b(type text, state text, since_ms bigint, probe_ms bigint, database boolean, code text)"
    "   WHERE c.seen_at > now() - interval '15 seconds' GROUP BY 1, 2),"
    " ordered AS (SELECT CASE WHEN subsystem = '' THEN '*' ELSE subsystem END AS subsystem, substr(name, 9) AS type, value #>> '{}' AS state, reason, actor, updated_at, expires_at"
    "   FROM sluice_control WHERE name LIKE 'breaker %' AND (expires_at IS NULL OR expires_at > now()))"
    " SELECT subsystem, type, CASE WHEN s.type IS NULL THEN o.state WHEN s.open THEN 'open' ELSE 'half_open' END, " TIME(
        "coalesce(s.since, o.updated_at)") ", " TIME("s.probe_at") ", " TIME("o.expires_at") ", coalesce(o.state, ''), coalesce(o.reason, s.code, ''), coalesce(o.actor, '')"
                                                                                             " FROM seen s FULL JOIN ordered o USING (subsystem, type) WHERE $1 = '' OR subsystem IN ($1, '*') ORDER BY 1, 2";
static const struct ops_column list_columns[] = {
    { .title = "SUBSYSTEM" }, { .title = "TYPE" },   { .title = "STATE" },
    { .title = "SINCE" },     { .title = "PROBE" },  { .title = "UNTIL" },
    { .title = "ORDERED" },   { .title = "REASON" }, { .title = "BY" },
};

const char ops_breaker_list_usage[] =
    "  [SUBSYSTEM]       whose\n" OPS_USAGE_ROWS
    "Breakers that are not closed, and those that are ordered so. PROBE: the next event of the type that comes\n"
    "after it is tried, and closes the breaker when it is applied. The row * (database) is the database's own: while\n"
    "it is open nobody begins a transaction but one worker after PROBE; REASON is the SQLSTATE that opened it, and it\n"
    "closes by itself. Tripped by an operator it has no PROBE: nobody begins one until UNTIL, or until it is closed.\n"
    "Consumers say this about every second. While Postgres is away this machine's consumer is asked at its socket\n"
    "(--state-dir), and only that row is known.\n";

const char ops_breaker_trip_usage[] =
    "  SUBSYSTEM TYPE    of the events that are not to be tried\n"
    "  --database        instead: the database's breaker, of all subsystems\n"
    "  --for D           ends by itself after that; without it: sluice breaker close\n"
    "  --reason TEXT     shown to the others\n"
    "  --state-dir DIR   where this machine's consumer keeps its socket; default: SLUICE_STATE_DIR, the local stack,\n"
    "                    /var/lib/sluice\n"
    "  --timeout D       longest wait for its answer (3s)\n" OPS_USAGE_DRY_RUN OPS_USAGE_ROWS
    "They wait in the broker, no attempt is spent, none is given up; the other types flow. With --database nothing\n"
    "flows: no transaction begins, no delivery is taken, what is in hand is kept; dead letters are still written.\n"
    "When Postgres cannot take the order, this machine's consumer alone is told, at its socket. Exit status: 0 every\n"
    "running consumer follows, 69 nobody could be told, 75 not all do yet, 2\n"
    "--dry-run.\n";

const char ops_breaker_close_usage[] =
    "  SUBSYSTEM TYPE    of the events that are to be tried again\n"
    "  --database        instead: the database's breaker\n"
    "  --for D           nothing opens it for so long (10s)\n"
    "  --reason TEXT     shown to the others\n"
    "  --state-dir DIR   where this machine's consumer keeps its socket, for when Postgres cannot take the order\n"
    "  --timeout D       longest wait for its answer (3s)\n" OPS_USAGE_DRY_RUN OPS_USAGE_ROWS
    "What is held comes back by itself, within five probe intervals (breaker_probe) and a quarter. Close it when\n"
    "the cause is mended: what fails again opens it again. Exit status: 0 every running consumer follows, 75 not\n"
    "all do yet, 2 --dry-run.\n";

struct wish {
    const char *reason;
    int64_t for_ms;
    bool dry_run;
    bool is_database;
    struct ops_daemon_where where; /* this machine's consumer */
    enum ops_output output;
    char **words;
    int word_count;
};

static bool read_wish(struct wish *wish, bool is_order, int argc, char **argv, struct sl_err *err);
static bool list(const struct wish *wish, struct sl_err *err);
static bool list_here(const struct wish *wish, struct sl_err *err);
static int order(const char *command, bool is_trip, int argc, char **argv);
static bool check(const struct wish *wish, struct sl_err *err);
static bool act(const struct wish *wish, bool is_trip, int *out_status, struct sl_err *err);
static bool act_on_type(const struct ops_breaker_wish *wish, const char *subsystem,
                        const char *type, int *out_status, struct sl_err *err);

int ops_breaker_list(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { 0 };
    bool is_done = read_wish(&wish, false, argc, argv, &err) && list(&wish, &err);
    return is_done ? EX_OK : ops_report("breaker list", &err);
}

int ops_breaker_trip(int argc, char **argv)
{
    return order("breaker trip", true, argc, argv);
}

int ops_breaker_close(int argc, char **argv)
{
    return order("breaker close", false, argc, argv);
}

static bool read_wish(struct wish *wish, bool is_order, int argc, char **argv, struct sl_err *err)
{
    wish->where =
        (struct ops_daemon_where){ .program = OPS_CONSUMER, .timeout_ms = OPS_DAEMON_TIMEOUT_MS };
    const struct ops_flag list_flags[] = { OPS_FLAGS_ROWS(wish->output),
                                           OPS_FLAGS_DAEMON(wish->where) };
    const struct ops_flag order_flags[] = {
        { .name = "for",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->for_ms,
          .min = 1000,
          .max = FOR_MS_MAX },
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->reason },
        OPS_FLAG_DRY_RUN(wish->dry_run),
        OPS_FLAGS_ROWS(wish->output),
        { .name = "database", .kind = OPS_FLAG_SWITCH, .out = &wish->is_database },
        OPS_FLAGS_DAEMON(wish->where),
    };
    int first = 0;
    if (!ops_flags_read(is_order ? order_flags : list_flags,
                        is_order ? SL_COUNT(order_flags) : SL_COUNT(list_flags), argc, argv, 0,
                        is_order ? 2 : 1, &first, err)) {
        return false;
    }
    if (is_order && argc - first != (wish->is_database ? 0 : 2)) {
        return sl_fail(err, SL_E_USAGE,
                       wish->is_database ? "--database is for all subsystems and types: no names"
                                         : "a SUBSYSTEM and a TYPE, or --database");
    }
    wish->words = argv + first;
    wish->word_count = argc - first;
    if (wish->reason != NULL && strlen(wish->reason) > TEXT_BYTES_MAX) {
        return sl_fail(err, SL_E_USAGE, "--reason takes at most %u bytes", TEXT_BYTES_MAX);
    }
    return true;
}

static bool list(const struct wish *wish, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(wish->word_count == 0 ? "" : wish->words[0]);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice breaker", false, err);
    if (session == NULL || !ops_pg_query(session, list_sql, &param, 1, &rows, err)) {
        return ops_breaker_is_away(err) && list_here(wish, err);
    }
    if (!ops_pg_table_print(&rows, list_columns, SL_COUNT(list_columns), wish->output, err)) {
        return false;
    }
    if (rows.row_count == 0) {
        fputs("every breaker is closed, as far as running consumers say\n", stderr);
        return ops_section_meant(wish->word_count == 0 ? NULL : wish->words[0], err);
    }
    return true;
}

/* err: why Postgres did not say it; it stays the reason when the socket does not say it either. */
static bool list_here(const struct wish *wish, struct sl_err *err)
{
    struct sl_err deaf = { 0 };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, list_columns, SL_COUNT(list_columns));
    if (!ops_breaker_database_show(&wish->where, &table, &deaf)) {
        return false;
    }
    fprintf(stderr,
            "%s\nas this machine's consumer says; other consumers and types are not known\n",
            err->text);
    return ops_table_print(&table, wish->output, stdout, err);
}

static int order(const char *command, bool is_trip, int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { 0 };
    int status = EX_OK;
    bool is_done = read_wish(&wish, true, argc, argv, &err) && check(&wish, &err) &&
                   act(&wish, is_trip, &status, &err);
    return is_done ? status : ops_report(command, &err);
}

static bool check(const struct wish *wish, struct sl_err *err)
{
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    if (wish->is_database) {
        return true;
    }
    if (strlen(wish->words[1]) == 0 || strlen(wish->words[1]) > TEXT_BYTES_MAX) {
        return sl_fail(err, SL_E_USAGE, "an event type has 1 to %u bytes", TEXT_BYTES_MAX);
    }
    return ops_address_open(&address, err) && ops_sections_load(&address, &subsystems, err) &&
           ops_section(&subsystems, wish->words[0], err) != NULL;
}

static bool act(const struct wish *wish, bool is_trip, int *out_status, struct sl_err *err)
{
    const struct ops_breaker_wish wanted = {
        .is_trip = is_trip,
        .reason = wish->reason,
        .for_ms = !is_trip && wish->for_ms == 0 ? CLOSE_MS : wish->for_ms,
        .dry_run = wish->dry_run,
        .output = wish->output,
        .where = wish->where,
    };
    return wish->is_database
               ? ops_breaker_database(&wanted, out_status, err)
               : act_on_type(&wanted, wish->words[0], wish->words[1], out_status, err);
}

static bool act_on_type(const struct ops_breaker_wish *wish, const char *subsystem,
                        const char *type, int *out_status, struct sl_err *err)
{
    char name[NAME_BYTES];
    char at[OPS_ORDER_TIME_BYTES];
    snprintf(name, sizeof name, "breaker %s", type);
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice breaker", false, err);
    const struct ops_order written = { .subsystem = subsystem,
                                       .name = name,
                                       .value = wish->is_trip ? "\"open\"" : "\"closed\"",
                                       .reason = wish->reason,
                                       .for_ms = wish->for_ms,
                                       .dry_run = wish->dry_run };
    const struct ops_breaker_told told = {
        .subsystem = subsystem,
        .type = type,
        .what = wish->is_trip ? "held back; its events wait in the broker, unspent"
                              : "tried again; what was held comes back by itself",
    };
    return session != NULL && ops_order_write(session, &written, NULL, at, err) &&
           ops_breaker_tell(wish, &told, err) &&
           ops_order_tell(session, subsystem, at, false, out_status, err);
}
