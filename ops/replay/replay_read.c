/* The commands that only look at replay runs: list and show. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/pg_table.h"
#include "ops/replay/replay.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     100000
#define NUMBER_BYTES  24u

#define TIME_SQL(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/* A run's process holds its advisory lock: the two halves of the number are how pg_locks shows it. */
#define STATUS_SQL                                                                                                 \
    "CASE WHEN r.status = 'running' AND NOT EXISTS (SELECT FROM pg_locks l, pg_database b,"                        \
    "  LATERAL (SELECT hashtextextended('sluice replay ' || r.run, 0) AS key) k"                                   \
    "  WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND b.oid = l.database AND b.datname = current_database()" \
    "  AND l.classid::bigint = (k.key >> 32) & 4294967295 AND l.objid::bigint = k.key & 4294967295)"               \
    " THEN 'cut off' ELSE r.status END"
#define COUNTS_SQL                                                                                 \
    "(SELECT count(*) FILTER (WHERE i.outcome = 'applied') AS applied,"                            \
    " count(*) FILTER (WHERE i.outcome = 'failed') AS failed,"                                     \
    " count(*) FILTER (WHERE i.outcome = 'withdrawn') AS withdrawn,"                               \
    " count(*) FILTER (WHERE i.outcome IS NULL AND d.published_at IS NOT NULL) AS waiting,"        \
    " count(*) FILTER (WHERE i.outcome IS NULL AND d.published_at IS NULL) AS unpublished"         \
    " FROM sluice_replay_item i JOIN sluice_dead_letter d ON d.id = i.dead_letter_id"              \
    " WHERE i.run = r.run)"

static const char list_sql[] =
    "SELECT r.run, " STATUS_SQL
    ", r.letters, c.applied, c.failed, c.waiting, c.unpublished, " TIME_SQL(
        "r.created_at") ", r.actor, r.reason, r.why FROM sluice_replay_run r, LATERAL " COUNTS_SQL
                        " c ORDER BY r.created_at DESC LIMIT $1::text::bigint";
static const struct ops_column list_columns[] = {
    { .title = "RUN" },
    { .title = "STATUS" },
    { .title = "LETTERS", .is_number = true },
    { .title = "REPLAYED", .is_number = true },
    { .title = "FAILED AGAIN", .is_number = true },
    { .title = "WAITING", .is_number = true },
    { .title = "UNPUBLISHED", .is_number = true },
    { .title = "CREATED" },
    { .title = "BY" },
    { .title = "REASON" },
    { .title = "WHY" },
};

/* Of a run that is being published. */
#define PACE_SQL                                                                                             \
    "CASE WHEN r.status = 'running' THEN CASE WHEN r.pace = 0 THEN 'waiting' ELSE r.pace || ' a second' END" \
    " || coalesce(', ' || nullif(r.pace_why, ''), '') END"

/* Label and value; a NULL is left out. */
static const char *const labels[] = {
    "run",  "status", "why",     "letters", "filter", "goes to", "canary",
    "rate", "pace",   "created", "by",      "reason", "ended",
};
static const char show_sql[] =
    "SELECT r.run, " STATUS_SQL
    ", nullif(r.why, ''), r.letters, nullif(r.filter::text, '{}'), r.target,"
    " CASE WHEN r.canary > 0 THEN format('%s letters, %s', r.canary, coalesce('passed ' || " TIME_SQL(
        "r.canary_passed_at") ", 'not passed')) END,"
                              " format('at most %s a second', r.rate), " PACE_SQL
                              ", " TIME_SQL("r.created_at") ", r.actor, nullif(r.reason, ''), " TIME_SQL(
                                  "r.ended_at") " FROM sluice_replay_run r WHERE r.run = $1";

#define OUTCOME_SQL                                                                                \
    "CASE WHEN i.outcome IS NOT NULL THEN i.outcome WHEN d.published_at IS NULL THEN"              \
    " 'unpublished' ELSE 'waiting' END"
static const char items_sql[] =
    "SELECT " OUTCOME_SQL ", i.subsystem, i.type, i.error_code, count(*), min(i.dead_letter_id)"
    " FROM sluice_replay_item i JOIN sluice_dead_letter d ON d.id = i.dead_letter_id WHERE i.run = $1"
    " GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 50";
static const struct ops_column items_columns[] = {
    { .title = "OUTCOME" },
    { .title = "SUBSYSTEM" },
    { .title = "TYPE" },
    { .title = "CODE" },
    { .title = "LETTERS", .is_number = true },
    { .title = "SAMPLE", .is_number = true },
};

static const char audit_sql[] = "SELECT " TIME_SQL(
    "at") ", act, actor, concat_ws('; ', nullif(reason, ''), nullif(detail->>'why', ''))"
          " FROM sluice_audit WHERE subject = 'replay ' || $1::text ORDER BY seq LIMIT 200";
static const struct ops_column audit_columns[] = {
    { .title = "TIME" },
    { .title = "ACT" },
    { .title = "BY" },
    { .title = "WHY" },
};

#define RUN_JSON OPS_PG_ROW_JSON("to_jsonb(r)")
#define ACT_JSON OPS_PG_ROW_JSON("to_jsonb(a) - 'hash' - 'previous'")
static const char json_sql[] =
    "SELECT " RUN_JSON " || to_jsonb(c) || jsonb_build_object('status', " STATUS_SQL
    ", 'audit', (SELECT coalesce(jsonb_agg(" ACT_JSON " ORDER BY a.seq), '[]')"
    " FROM sluice_audit a WHERE a.subject = 'replay ' || r.run))"
    " FROM sluice_replay_run r, LATERAL " COUNTS_SQL " c WHERE r.run = $1";

static bool list(int64_t limit, enum ops_output output, struct sl_err *err);
static bool show(const char *run, enum ops_output output, struct sl_err *err);
static bool show_text(struct ops_pg_session *session, const struct sl_pg_param *run,
                      struct sl_err *err);

int ops_replay_list(int argc, char **argv)
{
    struct sl_err err = { 0 };
    int64_t limit = LIMIT_DEFAULT;
    enum ops_output output = OPS_OUTPUT_TABLE;
    const struct ops_flag flags[] = {
        { .name = "limit", .kind = OPS_FLAG_COUNT, .out = &limit, .min = 1, .max = LIMIT_MAX },
        OPS_FLAGS_ROWS(output),
    };
    int first = 0;
    bool is_done = ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, &err) &&
                   list(limit, output, &err);
    return is_done ? EX_OK : ops_report("replay list", &err);
}

static bool list(int64_t limit, enum ops_output output, struct sl_err *err)
{
    char text[NUMBER_BYTES];
    snprintf(text, sizeof text, "%" PRId64, limit);
    const struct sl_pg_param param = ops_pg_param(text);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice replay", false, err);
    return session != NULL && ops_pg_query(session, list_sql, &param, 1, &rows, err) &&
           ops_pg_table_print(&rows, list_columns, SL_COUNT(list_columns), output, err);
}

int ops_replay_show(int argc, char **argv)
{
    struct sl_err err = { 0 };
    enum ops_output output = OPS_OUTPUT_TABLE;
    const struct ops_flag flags[] = { OPS_FLAGS_OUTPUT(output) };
    int first = 0;
    bool is_done = ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, &err) &&
                   show(argv[first], output, &err);
    return is_done ? EX_OK : ops_report("replay show", &err);
}

static bool show(const char *run, enum ops_output output, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(run);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice replay", false, err);
    if (session == NULL || !ops_pg_query(session, output == OPS_OUTPUT_JSON ? json_sql : show_sql,
                                         &param, 1, &rows, err)) {
        return false;
    }
    if (rows.row_count == 0) {
        return sl_fail(err, SL_E_ABSENT, "there is no run '%.40s': sluice replay list", run);
    }
    if (output == OPS_OUTPUT_JSON) {
        puts(ops_pg_cell_text(&rows, 0, 0));
        return true;
    }
    for (size_t i = 0; i < SL_COUNT(labels); i++) {
        if (ops_pg_cell(&rows, 0, i).data != NULL) {
            printf("%-9s %s\n", labels[i], ops_pg_cell_text(&rows, 0, i));
        }
    }
    return show_text(session, &param, err);
}

static bool show_text(struct ops_pg_session *session, const struct sl_pg_param *run,
                      struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows items = { 0 };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows audit = { 0 };
    if (!ops_pg_query(session, items_sql, run, 1, &items, err) ||
        !ops_pg_query(session, audit_sql, run, 1, &audit, err)) {
        return false;
    }
    putchar('\n');
    if (!ops_pg_table_print(&items, items_columns, SL_COUNT(items_columns), OPS_OUTPUT_TABLE,
                            err)) {
        return false;
    }
    putchar('\n');
    return ops_pg_table_print(&audit, audit_columns, SL_COUNT(audit_columns), OPS_OUTPUT_TABLE,
                              err);
}
