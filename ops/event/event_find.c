/* Which events there were: by object, type, time, subsystem and verdict, the newest first. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "ops/commands.h"
#include "ops/event/event.h"
#include "ops/flags.h"
#include "ops/pg_table.h"
#include "ops/sections.h"
#include "ops/when.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     10000
#define NUMBER_BYTES  24u

/* $1 object, $2 type, $3 subsystem, $4 verdict, $5 since, $6 until (seconds), $7 limit, $8 account; '' says nothing. Letters that are resolved are told by the inbox. */
static const char find_sql[] =
    "SELECT event_id, type, coalesce(object, ''), subsystem, verdict,"
    "  to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
    "  coalesce(to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '')"
    " FROM (SELECT event_id, type, object, subsystem, verdict, received_at, applied_at, account FROM sluice_inbox"
    "   UNION ALL SELECT event_id, type, object, subsystem, 'given up', received_at, NULL, account FROM sluice_dead_letter"
    "   WHERE status IN ('open', 'replaying') AND event_id IS NOT NULL) e"
    " WHERE ($1 = '' OR object = $1) AND ($2 = '' OR type = $2 OR type LIKE replace(replace($2, '_', '\\_'), '*', '%'))"
    "  AND ($3 = '' OR subsystem = $3) AND ($4 = '' OR verdict = $4) AND ($8 = '' OR account = $8)"
    "  AND ($5 = '' OR received_at >= to_timestamp($5::text::bigint)) AND ($6 = '' OR received_at < to_timestamp($6::text::bigint))"
    " ORDER BY received_at DESC NULLS LAST, event_id, subsystem LIMIT $7::text::bigint";

static const struct ops_column columns[] = {
    { .title = "EVENT" },     { .title = "TYPE" },    { .title = "OBJECT" },
    { .title = "SUBSYSTEM" }, { .title = "VERDICT" }, { .title = "RECEIVED" },
    { .title = "APPLIED" },
};

static const char *const verdicts[] = { "applied", "stale", "ignored", "replayed", "given up" };

const char ops_event_find_usage[] =
    "  --object ID       about this object, such as cus_…\n"
    "  --type T          of this type; `invoice.*`: all that begin so\n"
    "  --subsystem S     what became of them there\n"
    "  --verdict V       applied, stale, ignored, replayed, or 'given up'\n"
    "  --account ID      of this connected account\n"
    "  --since T         received at or after: 2026-01-31T14:00:00Z, or 2h ago as 2h\n"
    "  --until T         received before\n"
    "  --limit N         at most so many (50)\n" OPS_USAGE_ROWS
    "The newest first, one line for each subsystem. Without --object, --type or --since: of the last day.\n";

struct wish {
    const char *object;
    const char *type;
    const char *subsystem;
    const char *verdict;
    const char *account;
    const char *since;
    const char *until;
    int64_t limit;
    enum ops_output output;
    char since_s[NUMBER_BYTES];
    char until_s[NUMBER_BYTES];
};

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool read_time(const char *flag, const char *text, char out_s[NUMBER_BYTES],
                      struct sl_err *err);
static bool find(const struct wish *wish, struct sl_err *err);

int ops_event_find(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .limit = LIMIT_DEFAULT };
    bool is_done = read_wish(&wish, argc, argv, &err) && find(&wish, &err);
    return is_done ? EX_OK : ops_report("event find", &err);
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "object", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->object },
        { .name = "type", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->type },
        { .name = "subsystem", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->subsystem },
        { .name = "verdict", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->verdict },
        { .name = "account", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->account },
        { .name = "since", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->since },
        { .name = "until", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->until },
        { .name = "limit",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->limit,
          .min = 1,
          .max = LIMIT_MAX },
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err)) {
        return false;
    }
    bool is_verdict = wish->verdict == NULL;
    for (size_t i = 0; i < SL_COUNT(verdicts) && !is_verdict; i++) {
        is_verdict = strcmp(wish->verdict, verdicts[i]) == 0;
    }
    if (!is_verdict) {
        return sl_fail(
            err, SL_E_USAGE,
            "--verdict takes applied, stale, ignored, replayed or 'given up', not '%.40s'",
            wish->verdict);
    }
    if (wish->object == NULL && wish->type == NULL && wish->since == NULL) {
        wish->since = "24h";
    }
    return read_time("since", wish->since, wish->since_s, err) &&
           read_time("until", wish->until, wish->until_s, err);
}

static bool read_time(const char *flag, const char *text, char out_s[NUMBER_BYTES],
                      struct sl_err *err)
{
    int64_t then_s = 0;
    if (text == NULL) {
        return true;
    }
    if (!ops_when(flag, text, time(NULL), &then_s, err)) {
        return false;
    }
    snprintf(out_s, NUMBER_BYTES, "%" PRId64, then_s);
    return true;
}

static struct sl_pg_param text_or_nothing(const char *text)
{
    return ops_pg_param(text == NULL ? "" : text);
}

static bool find(const struct wish *wish, struct sl_err *err)
{
    char limit[NUMBER_BYTES];
    snprintf(limit, sizeof limit, "%" PRId64, wish->limit);
    const struct sl_pg_param params[] = {
        text_or_nothing(wish->object),
        text_or_nothing(wish->type),
        text_or_nothing(wish->subsystem),
        text_or_nothing(wish->verdict),
        ops_pg_param(wish->since_s),
        ops_pg_param(wish->until_s),
        ops_pg_param(limit),
        text_or_nothing(wish->account),
    };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice event", true, err);
    if (session == NULL || !ops_pg_query(session, find_sql, params, SL_COUNT(params), &rows, err) ||
        !ops_pg_table_print(&rows, columns, SL_COUNT(columns), wish->output, err)) {
        return false;
    }
    if (rows.row_count == 0) {
        fputs("no event is known that matches\n", stderr);
        return ops_section_meant(wish->subsystem, err);
    }
    if (rows.row_count == (size_t)wish->limit) {
        fprintf(stderr, "there may be more: --limit, or --until %s\n",
                ops_pg_cell_text(&rows, rows.row_count - 1, 5));
    }
    return true;
}
