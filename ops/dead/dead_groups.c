/* dead groups: dead letters by cause, with whose they are, whether the cause is new, and whether it gets worse. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "ops/commands.h"
#include "ops/dead/dead.h"
#include "ops/dead/dead_filter.h"
#include "ops/exposition.h"
#include "ops/fetch.h"
#include "ops/pg_table.h"
#include "ops/publisher_page.h"
#include "ops/sections.h"
#include "ops/when.h"

#define LIMIT_DEFAULT  50
#define LIMIT_MAX      1000000
#define ERROR_SHOWN    60 /* characters of an error in a table; programs get all of it */
#define ERROR_WHOLE    1000
#define NUMBER_BYTES   24u
#define PAGE_BYTES_MAX (4u * 1024u * 1024u)
#define ASK_MS         1000
#define US_PER_S       INT64_C(1000000)

#define TIME_SQL(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/*
 * $15: when what runs was deployed; NULL: not known. New: no letter of the cause, of whatever status, is older. A trend is of the letters that match, this hour
 * against the one before.
 */
static const char groups_sql[] =
    "SELECT g.fingerprint, g.subsystem, g.type, g.error_class, g.error_code, g.letters, " TIME_SQL("g.first_seen") ", " TIME_SQL(
        "g.last_seen") ","
                       " CASE WHEN $15::text IS NULL THEN '' WHEN EXISTS (SELECT FROM sluice_dead_letter o WHERE o.subsystem = g.subsystem"
                       "   AND o.fingerprint = g.fingerprint AND o.first_failed_at < $15::text::timestamptz) THEN 'no' ELSE 'yes' END,"
                       " CASE WHEN g.hour = 0 THEN 'quiet' WHEN g.hour > g.before THEN 'rising' WHEN g.hour < g.before THEN 'falling'"
                       "  ELSE 'steady' END,"
                       " '', '', g.samples, g.error, '', g.hour, g.before"
                       " FROM (SELECT d.fingerprint, d.subsystem, min(d.type) AS type, d.error_class, d.error_code, count(*) AS letters,"
                       "   min(d.first_failed_at) AS first_seen, max(d.updated_at) AS last_seen,"
                       "   array_to_string((array_agg(d.id ORDER BY d.id DESC))[1:3], ' ') AS samples,"
                       "   left((array_agg(d.error ORDER BY d.id DESC))[1], $14::text::int) AS error,"
                       "   count(*) FILTER (WHERE d.created_at > now() - interval '1 hour') AS hour,"
                       "   count(*) FILTER (WHERE d.created_at > now() - interval '2 hours' AND d.created_at <= now() - interval '1 hour') AS before"
                       "  FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
                       "  GROUP BY d.subsystem, d.fingerprint, d.error_class, d.error_code"
                       "  ORDER BY letters DESC, max(d.updated_at) DESC LIMIT $13::text::bigint) g"
                       " ORDER BY g.letters DESC, g.last_seen DESC";
enum { FINGERPRINT, SUBSYSTEM, SEVERITY = 10, OWNER, IMPACT = 14 };

static const struct ops_column columns[] = {
    { .title = "FINGERPRINT" },
    { .title = "SUBSYSTEM" },
    { .title = "TYPE" },
    { .title = "CLASS" },
    { .title = "CODE" },
    { .title = "LETTERS", .is_number = true },
    { .title = "FIRST SEEN" },
    { .title = "LAST SEEN" },
    { .title = "NEW", .is_yes_no = true },
    { .title = "TREND" },
    { .title = "SEVERITY" },
    { .title = "OWNER" },
    { .title = "SAMPLES" },
    { .title = "ERROR" },
    { .title = "IMPACT", .is_for_programs = true },
    { .title = "LAST HOUR", .is_number = true, .is_for_programs = true },
    { .title = "HOUR BEFORE", .is_number = true, .is_for_programs = true },
};

static const char count_sql[] =
    "SELECT count(*) FROM (SELECT FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
    " GROUP BY d.subsystem, d.fingerprint, d.error_class, d.error_code) g";

struct groups {
    struct ops_dead_filter filter;
    int64_t limit;
    const char *deployed;
    enum ops_output output;
    int64_t deployed_s; /* 0: not known */
    struct ops_address address;
    struct sl_subsystems subsystems; /* empty when the file cannot be read */
    struct ops_pg_session *session;
};

static void groups_done(struct groups *groups);
static bool read_wish(struct groups *groups, int argc, char **argv, struct sl_err *err);
static void find_deployment(struct groups *groups);
static bool look(struct groups *groups, struct sl_err *err);
static bool print(const struct groups *groups, const struct ops_pg_rows *rows, struct sl_err *err);
static bool tell(const struct groups *groups, const struct ops_pg_rows *rows, struct sl_err *err);
static bool is_first_of(const struct ops_pg_rows *rows, size_t row);

int ops_dead_groups(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct sl_err why = { 0 };
    SL_DONE(groups_done) struct groups groups = { .limit = LIMIT_DEFAULT };
    if (!read_wish(&groups, argc, argv, &err) || !ops_address_open(&groups.address, &err)) {
        return ops_report("dead groups", &err);
    }
    if (!ops_sections_load(&groups.address, &groups.subsystems, &why)) {
        fprintf(stderr, "owners are not known: %s\n", why.text);
    }
    find_deployment(&groups);
    return look(&groups, &err) ? EX_OK : ops_report("dead groups", &err);
}

static void groups_done(struct groups *groups)
{
    ops_pg_session_free(groups->session);
    sl_subsystems_done(&groups->subsystems);
    ops_address_done(&groups->address);
}

static bool read_wish(struct groups *groups, int argc, char **argv, struct sl_err *err)
{
    struct ops_flag flags[OPS_DEAD_FILTER_FLAGS + 4] = { 0 };
    const struct ops_flag more[] = {
        { .name = "limit",
          .kind = OPS_FLAG_COUNT,
          .out = &groups->limit,
          .min = 1,
          .max = LIMIT_MAX },
        { .name = "deployed", .kind = OPS_FLAG_TEXT, .out = (void *)&groups->deployed },
        OPS_FLAGS_ROWS(groups->output),
    };
    _Static_assert(SL_COUNT(flags) == OPS_DEAD_FILTER_FLAGS + SL_COUNT(more), "each flag is read");
    groups->filter.status = "open,replaying";
    ops_dead_filter_flags(&groups->filter, flags);
    memcpy(flags + OPS_DEAD_FILTER_FLAGS, more, sizeof more);
    int first = 0;
    return ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err) &&
           ops_dead_filter_finish(&groups->filter, NULL, sl_clock_wall_us(), err) &&
           (groups->deployed == NULL ||
            ops_when("deployed", groups->deployed, time(NULL), &groups->deployed_s, err));
}

/* Unless it was said: when the consumer that can be asked was started. */
static void find_deployment(struct groups *groups)
{
    SL_DONE(sl_buf_done) struct sl_buf page = { 0 };
    char url[OPS_URL_BYTES];
    char metrics[OPS_URL_BYTES + 16];
    struct sl_err why = { 0 };
    struct ops_sample sample = { 0 };
    int status = 0;
    sl_buf_init(&page, PAGE_BYTES_MAX);
    if (groups->deployed_s != 0 || !ops_address_consumer(&groups->address, NULL, url, &why)) {
        return;
    }
    snprintf(metrics, sizeof metrics, "%s/metrics", url);
    const struct ops_fetch fetch = { .url = metrics, .timeout_ms = ASK_MS };
    if (!ops_fetch(&fetch, &status, &page, &why) || status != 200) {
        return;
    }
    struct sl_span rest = sl_buf_span(&page);
    while (ops_sample_next(&rest, &sample)) {
        if (sl_span_is(sample.name, OPS_STARTED_METRIC)) {
            groups->deployed_s = sample.value;
        }
    }
}

static bool look(struct groups *groups, struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 3];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    char limit[NUMBER_BYTES];
    char shown[NUMBER_BYTES];
    char deployed[SL_RFC3339_BYTES];
    snprintf(limit, sizeof limit, "%" PRId64, groups->limit);
    snprintf(shown, sizeof shown, "%d",
             groups->output == OPS_OUTPUT_TABLE ? ERROR_SHOWN : ERROR_WHOLE);
    sl_clock_rfc3339(groups->deployed_s * US_PER_S, deployed);
    ops_dead_filter_params(&groups->filter, params);
    params[OPS_DEAD_FILTER_PARAMS] = ops_pg_param(limit);
    params[OPS_DEAD_FILTER_PARAMS + 1] = ops_pg_param(shown);
    params[OPS_DEAD_FILTER_PARAMS + 2] =
        groups->deployed_s == 0 ? (struct sl_pg_param){ 0 } : ops_pg_param(deployed);
    groups->session = ops_pg_session_here("sluice dead", true, err);
    return groups->session != NULL &&
           ops_pg_query(groups->session, groups_sql, params, SL_COUNT(params), &rows, err) &&
           print(groups, &rows, err) && tell(groups, &rows, err);
}

static bool print(const struct groups *groups, const struct ops_pg_rows *rows, struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t row = 0; row < rows->row_count; row++) {
        const char *cells[SL_COUNT(columns)];
        for (size_t column = 0; column < SL_COUNT(columns); column++) {
            cells[column] = ops_pg_cell_text(rows, row, column);
        }
        const struct sl_subsystem *subsystem =
            sl_subsystems_find(&groups->subsystems, ops_pg_cell(rows, row, SUBSYSTEM));
        if (subsystem != NULL) {
            cells[SEVERITY] = sl_subsystem_severity_name(subsystem->severity);
            cells[OWNER] = subsystem->owner;
            cells[IMPACT] = subsystem->impact;
        }
        ops_table_add(&table, cells);
    }
    return ops_table_print(&table, groups->output, stdout, err);
}

/* Whom it hurts, once a subsystem; and never a silent cut. */
static bool tell(const struct groups *groups, const struct ops_pg_rows *rows, struct sl_err *err)
{
    for (size_t row = 0; row < rows->row_count; row++) {
        const struct sl_subsystem *subsystem =
            sl_subsystems_find(&groups->subsystems, ops_pg_cell(rows, row, SUBSYSTEM));
        if (subsystem != NULL && subsystem->impact[0] != '\0' && is_first_of(rows, row)) {
            fprintf(stderr, "%s: %s\n", subsystem->name, subsystem->impact);
        }
    }
    if (groups->deployed_s == 0 && rows->row_count > 0) {
        fputs("which of them are new is not known: no consumer can be asked when it was started; "
              "--deployed T says it\n",
              stderr);
    }
    if (rows->row_count == 0) {
        fputs("no dead letter matches\n", stderr);
        return ops_section_meant(groups->filter.subsystem, err);
    }
    if ((int64_t)rows->row_count < groups->limit) {
        return true;
    }
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows count = { 0 };
    ops_dead_filter_params(&groups->filter, params);
    if (!ops_pg_query(groups->session, count_sql, params, SL_COUNT(params), &count, err)) {
        return false;
    }
    fprintf(stderr, "the first %zu are shown, of %s groups that match; --limit N shows more\n",
            rows->row_count, ops_pg_cell_text(&count, 0, 0));
    return true;
}

static bool is_first_of(const struct ops_pg_rows *rows, size_t row)
{
    for (size_t i = 0; i < row; i++) {
        if (sl_span_eq(ops_pg_cell(rows, i, SUBSYSTEM), ops_pg_cell(rows, row, SUBSYSTEM))) {
            return false;
        }
    }
    return true;
}
