/* One event: what became of it in each subsystem, and everything that is known to have happened to it, in order. */
#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/event/event.h"
#include "ops/flags.h"
#include "ops/pg_table.h"

#define NOT_KNOWN 1 /* exit status */

/* Each as rows of text; $1 is the event's id. The last try says what comes next, unless a letter or the inbox does. */
#define STANDING                                                                                                                   \
    "SELECT n.subsystem, CASE WHEN i.verdict IS NOT NULL THEN i.verdict"                                                           \
    "    WHEN d.status = 'open' THEN 'given up' WHEN d.status IS NOT NULL THEN d.status"                                           \
    "    WHEN a.due_at IS NOT NULL THEN 'waits' ELSE 'unknown' END AS state,"                                                      \
    "  coalesce(a.attempt, d.attempts, 0)::text AS failed_tries,"                                                                  \
    "  CASE WHEN i.verdict IS NULL AND d.status IS NULL AND a.due_at IS NOT NULL"                                                  \
    "    THEN to_char(a.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') ELSE '' END AS next_try,"                     \
    "  coalesce(d.id::text, '') AS dead_letter"                                                                                    \
    " FROM (SELECT subsystem FROM sluice_inbox WHERE event_id = $1 UNION SELECT subsystem FROM sluice_attempt WHERE event_id = $1" \
    "   UNION SELECT subsystem FROM sluice_dead_letter WHERE event_id = $1) n"                                                     \
    " LEFT JOIN LATERAL (SELECT verdict FROM sluice_inbox WHERE event_id = $1 AND subsystem = n.subsystem"                         \
    "   ORDER BY applied_at DESC LIMIT 1) i ON true"                                                                               \
    " LEFT JOIN LATERAL (SELECT id, status, attempts FROM sluice_dead_letter WHERE event_id = $1 AND subsystem = n.subsystem"      \
    "   ORDER BY id DESC LIMIT 1) d ON true"                                                                                       \
    " LEFT JOIN LATERAL (SELECT attempt, due_at FROM sluice_attempt WHERE event_id = $1 AND subsystem = n.subsystem"               \
    "   ORDER BY at DESC LIMIT 1) a ON true ORDER BY 1"
#define STORY                                                                                                                           \
    "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS time, place, what, detail FROM ("                    \
    " SELECT min(r.received_at) AS at, 'publisher' AS place, 'received' AS what,"                                                       \
    "   concat_ws(', ', r.type || ' of ' || r.source, 'about ' || r.object, 'account ' || nullif(r.account, ''),"                       \
    "     CASE WHEN r.livemode THEN 'live' ELSE 'test mode' END) AS detail"                                                             \
    "   FROM (SELECT received_at, type, source, object, account, livemode FROM sluice_inbox WHERE event_id = $1"                        \
    "     UNION ALL SELECT received_at, type, source, object, account, livemode FROM sluice_dead_letter"                                \
    "     WHERE event_id = $1 AND received_at IS NOT NULL) r GROUP BY r.type, r.source, r.object, r.account, r.livemode"                \
    " UNION ALL SELECT applied_at, subsystem, verdict, CASE verdict WHEN 'applied' THEN 'what it says was written'"                     \
    "   WHEN 'stale' THEN 'nothing was written: there was something newer'"                                                             \
    "   WHEN 'ignored' THEN 'archived; there is nothing to write for it' ELSE 'written by a replay' END"                                \
    "   FROM sluice_inbox WHERE event_id = $1"                                                                                          \
    " UNION ALL SELECT at, subsystem, format('try %s failed', attempt), concat_ws(' ', class, nullif(code, ''), error,"                 \
    "   '(next try ' || to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') || ')')"                                   \
    "   FROM sluice_attempt WHERE event_id = $1"                                                                                        \
    " UNION ALL SELECT created_at, subsystem, format('dead letter %s', id), concat_ws(' ', reason, nullif(error_code, ''), error)"      \
    "   FROM sluice_dead_letter WHERE event_id = $1"                                                                                    \
    " UNION ALL SELECT updated_at, subsystem, format('letter %s %s', id, status), coalesce(substring(note from '[^\\n]*$'), '')"        \
    "   FROM sluice_dead_letter WHERE event_id = $1 AND status <> 'open'"                                                               \
    " UNION ALL SELECT n.told_at, d.subsystem, 'on-dead told', format('of letter %s', d.id)"                                            \
    "   FROM sluice_dead_notice n JOIN sluice_dead_letter d ON d.id = n.dead_letter_id WHERE d.event_id = $1 AND n.told_at IS NOT NULL" \
    " ) s ORDER BY s.at, s.place LIMIT 500"

static const char standing_sql[] = STANDING;
static const char story_sql[] = STORY;
static const char json_sql[] =
    "SELECT jsonb_pretty(jsonb_build_object('id', $1::text,"
    " 'subsystems', (SELECT coalesce(jsonb_agg(to_jsonb(s)), '[]') FROM (" STANDING ") s),"
    " 'story', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (" STORY ") t)))";

static const struct ops_column standing_columns[] = {
    { .title = "SUBSYSTEM" },
    { .title = "STATE" },
    { .title = "FAILED TRIES", .is_number = true },
    { .title = "NEXT TRY" },
    { .title = "DEAD LETTER" },
};
static const struct ops_column story_columns[] = {
    { .title = "TIME" }, { .title = "WHERE" }, { .title = "WHAT" }, { .title = "DETAIL" }
};

const char ops_event_show_usage[] =
    "  EVENT             its id, such as evt_1Q…\n"
    "  -o table|json     for people (default) or for programs\n"
    "What became of it in each subsystem, and its story: received, every failed try with the error, written (or why\n"
    "not), given up, replayed. Times are UTC. Exit status: 0, or 1 when the database knows nothing of it.\n";

static bool show(const char *id, enum ops_output output, bool *out_is_known, struct sl_err *err);
static bool show_tables(struct ops_pg_session *session, const struct sl_pg_param *id,
                        const struct ops_pg_rows *standing, struct sl_err *err);

int ops_event_show(int argc, char **argv)
{
    struct sl_err err = { 0 };
    enum ops_output output = OPS_OUTPUT_TABLE;
    const struct ops_flag flags[] = { OPS_FLAGS_OUTPUT(output) };
    int first = 0;
    bool is_known = false;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, &err) ||
        !show(argv[first], output, &is_known, &err)) {
        return ops_report("event show", &err);
    }
    if (!is_known) {
        fprintf(
            stderr,
            "nothing is known of %s: it never came, or waits in a publisher's journal (sluice journal "
            "list) or for its first try in a queue (sluice queue list), or is older than what is kept\n",
            argv[first]);
    }
    return is_known ? EX_OK : NOT_KNOWN;
}

static bool show(const char *id, enum ops_output output, bool *out_is_known, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(id);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows standing = { 0 };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows json = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice event", true, err);
    if (session == NULL || !ops_pg_query(session, standing_sql, &param, 1, &standing, err)) {
        return false;
    }
    *out_is_known = standing.row_count > 0;
    if (output == OPS_OUTPUT_TABLE) {
        return !*out_is_known || show_tables(session, &param, &standing, err);
    }
    if (!ops_pg_query(session, json_sql, &param, 1, &json, err)) {
        return false;
    }
    return puts(ops_pg_cell_text(&json, 0, 0)) >= 0 ||
           sl_fail(err, SL_E_IO, "the event could not be written");
}

static bool show_tables(struct ops_pg_session *session, const struct sl_pg_param *id,
                        const struct ops_pg_rows *standing, struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows story = { 0 };
    if (!ops_pg_query(session, story_sql, id, 1, &story, err) ||
        !ops_pg_table_print(standing, standing_columns, SL_COUNT(standing_columns),
                            OPS_OUTPUT_TABLE, err)) {
        return false;
    }
    putchar('\n');
    if (!ops_pg_table_print(&story, story_columns, SL_COUNT(story_columns), OPS_OUTPUT_TABLE,
                            err)) {
        return false;
    }
    fputs(
        "A subsystem that is not named has no sign of it: it may wait there for its first try (sluice queue "
        "list)\n",
        stderr);
    return true;
}
