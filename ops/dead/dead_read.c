/* The commands that only look: list, export. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/dead/dead.h"
#include "ops/dead/dead_filter.h"
#include "ops/pg_table.h"
#include "ops/plural.h"
#include "ops/sections.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     1000000
#define PAGE_ROWS                                                                                  \
    20 /* of an export: the largest envelopes of a page stay far below an answer's limit */
#define ERROR_SHOWN  60 /* characters of an error in a table; programs get all of it */
#define ERROR_WHOLE  1000
#define NUMBER_BYTES 24u

#define TIME_SQL(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

static const char list_sql[] =
    "SELECT d.id, d.status, d.subsystem, d.type, d.event_id, d.object, d.error_class,"
    " d.error_code, d.attempts, " TIME_SQL(
        "d.created_at") ", d.fingerprint,"
                        " left(d.error, $14::text::int)"
                        " FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
                        " ORDER BY d.id DESC LIMIT $13::text::bigint";
static const struct ops_column list_columns[] = {
    { .title = "ID", .is_number = true },
    { .title = "STATUS" },
    { .title = "SUBSYSTEM" },
    { .title = "TYPE" },
    { .title = "EVENT" },
    { .title = "OBJECT" },
    { .title = "CLASS" },
    { .title = "CODE" },
    { .title = "ATTEMPTS", .is_number = true },
    { .title = "CREATED" },
    { .title = "FINGERPRINT" },
    { .title = "ERROR" },
};

static const char count_sql[] = "SELECT count(*) FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE;

/* Everything that makes the letter again elsewhere. $13: behind this id; $14: so many. */
static const char export_sql[] =
    "SELECT d.id, json_build_object('id', d.id, 'subsystem', d.subsystem, 'source', d.source,"
    " 'account', d.account, 'livemode', d.livemode, 'event_id', d.event_id, 'type', d.type,"
    " 'object', d.object, 'occurred_at', d.occurred_at, 'received_at', d.received_at,"
    " 'reason', d.reason, 'error_class', d.error_class, 'error_code', d.error_code,"
    " 'error', d.error, 'fingerprint', d.fingerprint, 'attempts', d.attempts,"
    " 'status', d.status, 'routing_key', d.routing_key, 'replays', d.replays, 'note', d.note,"
    " 'first_failed_at', d.first_failed_at, 'created_at', d.created_at,"
    " 'updated_at', d.updated_at,"
    " 'envelope_base64', translate(encode(d.envelope, 'base64'), E'\\n', ''))"
    " FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
    " AND d.id > $13::text::bigint ORDER BY d.id LIMIT $14::text::bigint";

struct wish {
    const char *command;
    struct ops_dead_filter filter;
    int64_t limit;
    enum ops_output output;
    const char *out_file;
};

static bool read_wish(struct wish *wish, bool is_export, int argc, char **argv, struct sl_err *err);
static bool look(const struct wish *wish, const char *sql, const struct ops_column *columns,
                 size_t count, struct sl_err *err);
static bool tell_left_out(struct ops_pg_session *session, const struct wish *wish, size_t shown,
                          struct sl_err *err);
static bool export_letters(const struct wish *wish, FILE *out, struct sl_err *err);

int ops_dead_list(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .command = "dead list", .limit = LIMIT_DEFAULT };
    bool is_done = read_wish(&wish, false, argc, argv, &err) &&
                   look(&wish, list_sql, list_columns, SL_COUNT(list_columns), &err);
    return is_done ? EX_OK : ops_report(wish.command, &err);
}

static bool read_wish(struct wish *wish, bool is_export, int argc, char **argv, struct sl_err *err)
{
    struct ops_flag flags[OPS_DEAD_FILTER_FLAGS + 3] = { 0 };
    wish->filter.status = "open,replaying";
    ops_dead_filter_flags(&wish->filter, flags);
    struct ops_flag *more = flags + OPS_DEAD_FILTER_FLAGS;
    more[0] = (struct ops_flag){
        .name = "limit", .kind = OPS_FLAG_COUNT, .out = &wish->limit, .min = 1, .max = LIMIT_MAX
    };
    const struct ops_flag output[] = { OPS_FLAGS_ROWS(wish->output) };
    more[1] = output[0];
    more[2] = output[1];
    if (is_export) {
        more[1] = (struct ops_flag){ .name = "out", .kind = OPS_FLAG_TEXT, .out = &wish->out_file };
    }
    int first = 0;
    return ops_flags_read(flags, OPS_DEAD_FILTER_FLAGS + (is_export ? 2 : 3), argc, argv, 0, 0,
                          &first, err) &&
           ops_dead_filter_finish(&wish->filter, NULL, sl_clock_wall_us(), err);
}

static bool look(const struct wish *wish, const char *sql, const struct ops_column *columns,
                 size_t count, struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 2];
    char limit[NUMBER_BYTES];
    char shown[NUMBER_BYTES];
    snprintf(limit, sizeof limit, "%" PRId64, wish->limit);
    snprintf(shown, sizeof shown, "%d",
             wish->output == OPS_OUTPUT_TABLE ? ERROR_SHOWN : ERROR_WHOLE);
    ops_dead_filter_params(&wish->filter, params);
    params[OPS_DEAD_FILTER_PARAMS] = ops_pg_param(limit);
    params[OPS_DEAD_FILTER_PARAMS + 1] = ops_pg_param(shown);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice dead", true, err);
    return session != NULL && ops_pg_query(session, sql, params, SL_COUNT(params), &rows, err) &&
           ops_pg_table_print(&rows, columns, count, wish->output, err) &&
           tell_left_out(session, wish, rows.row_count, err);
}

/* Never a silent cut. */
static bool tell_left_out(struct ops_pg_session *session, const struct wish *wish, size_t shown,
                          struct sl_err *err)
{
    if ((int64_t)shown < wish->limit) {
        if (shown == 0) {
            fputs("no dead letter matches\n", stderr);
        }
        return shown > 0 || ops_section_meant(wish->filter.subsystem, err);
    }
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    ops_dead_filter_params(&wish->filter, params);
    if (!ops_pg_query(session, count_sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    fprintf(stderr, "the first %zu are shown, of %s letters that match; --limit N shows more\n",
            shown, ops_pg_cell_text(&rows, 0, 0));
    return true;
}

/* Export ---------------------------------------------------------------------------------------- */

int ops_dead_export(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .command = "dead export", .limit = LIMIT_MAX };
    if (!read_wish(&wish, true, argc, argv, &err)) {
        return ops_report(wish.command, &err);
    }
    FILE *out = wish.out_file == NULL ? stdout : fopen(wish.out_file, "wxe");
    if (out == NULL) {
        sl_fail(&err, SL_E_CREATE, "cannot make the file %.200s: %s", wish.out_file,
                strerror(errno));
        return ops_report(wish.command, &err);
    }
    bool is_done = export_letters(&wish, out, &err);
    bool is_written = fflush(out) == 0 && !ferror(out);
    is_written = (out == stdout || fclose(out) == 0) && is_written;
    if (is_done && !is_written) {
        is_done = sl_fail(&err, SL_E_IO, "the letters could not be written");
    }
    return is_done ? EX_OK : ops_report(wish.command, &err);
}

static bool export_letters(const struct wish *wish, FILE *out, struct sl_err *err)
{
    char after[NUMBER_BYTES] = "0";
    char page[NUMBER_BYTES];
    int64_t written = 0;
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 2];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice dead", true, err);
    if (session == NULL) {
        return false;
    }
    do {
        int64_t left = wish->limit - written;
        snprintf(page, sizeof page, "%" PRId64, left < PAGE_ROWS ? left : PAGE_ROWS);
        ops_dead_filter_params(&wish->filter, params);
        params[OPS_DEAD_FILTER_PARAMS] = ops_pg_param(after);
        params[OPS_DEAD_FILTER_PARAMS + 1] = ops_pg_param(page);
        if (!ops_pg_query(session, export_sql, params, SL_COUNT(params), &rows, err)) {
            return false;
        }
        for (size_t row = 0; row < rows.row_count; row++) {
            fprintf(out, "%s\n", ops_pg_cell_text(&rows, row, 1));
            snprintf(after, sizeof after, "%s", ops_pg_cell_text(&rows, row, 0));
        }
        written += (int64_t)rows.row_count;
    } while (rows.row_count > 0 && written < wish->limit);
    fprintf(stderr, "%" PRId64 " letter%s; still in the table as well\n", written,
            ops_plural((uint64_t)written));
    return true;
}
