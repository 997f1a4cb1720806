/* One event: what became of it in each subsystem, and everything that is known to have happened to it, in order. */
#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/event/event.h"
#include "ops/event/event_absent.h"
#include "ops/flags.h"
#include "ops/outage/kept.h"
#include "ops/pg_table.h"
#include "shared/clock.h"
#include "shared/json/json_write.h"

#define KEPT_BYTES_MAX     65536u
#define EVIDENCE_BYTES_MAX 8192u
#define KEPT_MAX           64 /* signs of one event in journal and drop log */

/* Each as rows of text; $1 is the event's id, $2 what this machine's publisher wrote down of it. The last try says what comes next, unless a letter or the inbox does. */
#define STANDING                                                                                                                   \
    "SELECT n.subsystem, CASE WHEN i.verdict IS NOT NULL THEN i.verdict"                                                           \
    "    WHEN d.status = 'open' THEN 'given up' WHEN d.status IS NOT NULL THEN d.status"                                           \
    "    WHEN a.due_at IS NOT NULL THEN 'waits' ELSE 'unknown' END AS state,"                                                      \
    "  greatest(a.attempt, d.attempts, 0) AS failed_tries," /* a letter may be there before the row of its last try */             \
    "  CASE WHEN i.verdict IS NULL AND d.status IS NULL AND a.due_at IS NOT NULL"                                                  \
    "    THEN to_char(a.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') END AS next_try,"                             \
    "  d.id AS dead_letter"                                                                                                        \
    " FROM (SELECT subsystem FROM sluice_inbox WHERE event_id = $1 UNION SELECT subsystem FROM sluice_attempt WHERE event_id = $1" \
    "   UNION SELECT subsystem FROM sluice_dead_letter WHERE event_id = $1) n"                                                     \
    " LEFT JOIN LATERAL (SELECT verdict FROM sluice_inbox WHERE event_id = $1 AND subsystem = n.subsystem"                         \
    "   ORDER BY applied_at DESC LIMIT 1) i ON true"                                                                               \
    " LEFT JOIN LATERAL (SELECT id, status, attempts FROM sluice_dead_letter WHERE event_id = $1 AND subsystem = n.subsystem"      \
    "   ORDER BY id DESC LIMIT 1) d ON true"                                                                                       \
    " LEFT JOIN LATERAL (SELECT attempt, due_at FROM sluice_attempt WHERE event_id = $1 AND subsystem = n.subsystem"               \
    "   ORDER BY at DESC LIMIT 1) a ON true ORDER BY 1"
#define STORY                                                                                                                                                     \
    "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS time, place, what, detail FROM ("                                              \
    " SELECT min(r.received_at) AS at, 'publisher' AS place, 'received' AS what,"                                                                                 \
    "   concat_ws(', ', r.type || ' of ' || r.source, 'about ' || r.object, 'account ' || nullif(r.account, ''),"                                                 \
    "     CASE WHEN r.livemode THEN 'live' ELSE 'test mode' END) AS detail"                                                                                       \
    "   FROM (SELECT received_at, type, source, object, account, livemode FROM sluice_inbox WHERE event_id = $1"                                                  \
    "     UNION ALL SELECT received_at, type, source, object, account, livemode FROM sluice_dead_letter"                                                          \
    "     WHERE event_id = $1 AND received_at IS NOT NULL) r GROUP BY r.type, r.source, r.object, r.account, r.livemode"                                          \
    " UNION ALL SELECT min(t.at) - interval '1 microsecond', 'publisher', 'published', 'by then, confirmed by the broker: a consumer had it'"                     \
    "   FROM (SELECT applied_at AS at FROM sluice_inbox WHERE event_id = $1 UNION ALL SELECT at FROM sluice_attempt WHERE event_id = $1"                          \
    "     UNION ALL SELECT created_at FROM sluice_dead_letter WHERE event_id = $1) t HAVING count(*) > 0"                                                         \
    " UNION ALL SELECT applied_at, subsystem, verdict, CASE verdict WHEN 'applied' THEN 'what it says was written'"                                               \
    "   WHEN 'stale' THEN 'nothing was written: there was something newer'"                                                                                       \
    "   WHEN 'ignored' THEN 'archived; there is nothing to write for it' ELSE 'written by a replay' END"                                                          \
    "   FROM sluice_inbox WHERE event_id = $1"                                                                                                                    \
    " UNION ALL SELECT at, subsystem, format('try %s failed', attempt), concat_ws(' ', class, nullif(code, ''), error,"                                           \
    "   '(next try ' || to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') || ')')"                                                             \
    "   FROM sluice_attempt WHERE event_id = $1"                                                                                                                  \
    " UNION ALL SELECT created_at, subsystem, format('dead letter %s', id), concat_ws(' ', reason, nullif(error_code, ''), error)"                                \
    "   FROM sluice_dead_letter WHERE event_id = $1"                                                                                                              \
    " UNION ALL SELECT updated_at, subsystem, format('letter %s %s', id, status), coalesce(substring(note from '[^\\n]*$'), '')"                                  \
    "   FROM sluice_dead_letter WHERE event_id = $1 AND status <> 'open'"                                                                                         \
    " UNION ALL SELECT i.published_at, i.subsystem, 'replay published', concat_ws(', ', format('letter %s by %s', i.dead_letter_id, r.actor),"                    \
    "     nullif(r.reason, ''), 'run ' || r.run)"                                                                                                                 \
    "   FROM sluice_replay_item i JOIN sluice_replay_run r USING (run) JOIN sluice_dead_letter d ON d.id = i.dead_letter_id"                                      \
    "   WHERE d.event_id = $1 AND i.published_at IS NOT NULL"                                                                                                     \
    " UNION ALL SELECT i.decided_at, i.subsystem, 'replay failed', concat_ws(' ', format('letter %s is open again', i.dead_letter_id), nullif(i.error_code, ''))" \
    "   FROM sluice_replay_item i JOIN sluice_dead_letter d ON d.id = i.dead_letter_id WHERE d.event_id = $1 AND i.outcome = 'failed'"                            \
    " UNION ALL SELECT n.told_at, d.subsystem, 'on-dead told', format('of letter %s', d.id)"                                                                      \
    "   FROM sluice_dead_notice n JOIN sluice_dead_letter d ON d.id = n.dead_letter_id WHERE d.event_id = $1 AND n.told_at IS NOT NULL"                           \
    " UNION ALL SELECT k.at, 'publisher', k.what, k.detail FROM jsonb_to_recordset($2::text::jsonb) AS k(at timestamptz, what text, detail text)"                 \
    " ) s ORDER BY s.at, s.place LIMIT 500"

static const char standing_sql[] = STANDING;
static const char story_sql[] = STORY;
static const char json_sql[] =
    "SELECT jsonb_build_object('id', $1::text,"
    " 'subsystems', (SELECT coalesce(jsonb_agg(to_jsonb(s)), '[]') FROM (" STANDING ") s),"
    " 'story', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (" STORY ") t))"
    " || CASE WHEN $3::text IS NULL THEN '{}' ELSE jsonb_build_object('evidence', $3::text::jsonb) END";

static const struct ops_column standing_columns[] = {
    { .title = "SUBSYSTEM" },
    { .title = "STATE" },
    { .title = "FAILED TRIES", .is_number = true },
    { .title = "NEXT TRY" },
    { .title = "DEAD LETTER", .is_number = true },
};
static const struct ops_column story_columns[] = {
    { .title = "TIME" }, { .title = "WHERE" }, { .title = "WHAT" }, { .title = "DETAIL" }
};

const char ops_event_show_usage[] =
    "  EVENT             its id, such as evt_1Q…\n"
    "  --state-dir DIR   where this machine's publisher keeps its journal; default: SLUICE_STATE_DIR, the local\n"
    "                    stack, /var/lib/sluice\n" OPS_USAGE_ROWS
    "What became of it in each subsystem, and its story: received, journaled or dropped (by this machine's\n"
    "publisher), every failed try with the error, written (or why not), given up, replayed. Times are UTC. Exit\n"
    "status: 0, or 66 when nothing is known of it; then it is said what waits in the broker, which cannot be searched,\n"
    "and, with a key of Stripe's, whether it was delivered. ndjson and csv are the story alone.\n";

/* What the publisher of this machine wrote down of one event: a JSON array of {at, what, detail}. */
struct signs {
    const char *id;
    struct sl_buf text;
    struct sl_json_writer json;
    int count;
    bool is_received; /* said already */
};

static bool show(const char *id, const char *state_dir, enum ops_output output, bool *out_is_known,
                 struct sl_err *err);
static bool tell_absent(const char *id, struct sl_buf *out_json, struct sl_err *err);
static bool read_signs(struct signs *signs, const char *state_dir, struct sl_err *err);
static void on_kept(void *arg, const struct ops_kept_event *event);
static void put_sign(struct signs *signs, int64_t at_us, const char *what, const char *detail);
static bool show_story(struct ops_pg_session *session, const struct sl_pg_param *params,
                       enum ops_output output, struct sl_err *err);
static bool show_tables(struct ops_pg_session *session, const struct sl_pg_param *params,
                        const struct ops_pg_rows *standing, struct sl_err *err);

static void signs_done(struct signs *signs)
{
    sl_buf_done(&signs->text);
}

int ops_event_show(int argc, char **argv)
{
    struct sl_err err = { 0 };
    enum ops_output output = OPS_OUTPUT_TABLE;
    const char *state_dir = NULL;
    const struct ops_flag flags[] = {
        { .name = "state-dir", .kind = OPS_FLAG_TEXT, .out = (void *)&state_dir },
        OPS_FLAGS_ROWS(output),
    };
    int first = 0;
    bool is_known = false;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, &err) ||
        !show(argv[first], state_dir, output, &is_known, &err)) {
        return ops_report("event show", &err);
    }
    if (!is_known) {
        sl_fail(&err, SL_E_ABSENT,
                "nothing is known of %.80s: no table has it, and no journal or drop log here",
                argv[first]);
        return ops_report("event show", &err);
    }
    return EX_OK;
}

static bool show(const char *id, const char *state_dir, enum ops_output output, bool *out_is_known,
                 struct sl_err *err)
{
    SL_DONE(signs_done) struct signs signs = { .id = id };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows standing = { 0 };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows json = { 0 };
    if (!read_signs(&signs, state_dir, err)) {
        return false;
    }
    struct sl_pg_param params[] = { ops_pg_param(id),
                                    { .value = sl_buf_span(&signs.text) },
                                    { .value = { 0 } } };
    SL_DONE(sl_buf_done) struct sl_buf evidence = { 0 };
    sl_buf_init(&evidence, EVIDENCE_BYTES_MAX);
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice event", true, err);
    if (session == NULL || !ops_pg_query(session, standing_sql, params, 1, &standing, err)) {
        return false;
    }
    *out_is_known = standing.row_count > 0 || signs.count > 0;
    if (!*out_is_known && !tell_absent(id, &evidence, err)) {
        return false;
    }
    params[2].value = *out_is_known ? (struct sl_span){ 0 } : sl_buf_span(&evidence);
    if (output == OPS_OUTPUT_TABLE) {
        return !*out_is_known || show_tables(session, params, &standing, err);
    }
    if (output != OPS_OUTPUT_JSON) {
        return !*out_is_known || show_story(session, params, output, err);
    }
    if (!ops_pg_query(session, json_sql, params, 3, &json, err)) {
        return false;
    }
    return puts(ops_pg_cell_text(&json, 0, 0)) >= 0 ||
           sl_fail(err, SL_E_IO, "the event could not be written");
}

/* What there is to say all the same: to a person now, to programs in the answer. */
static bool tell_absent(const char *id, struct sl_buf *out_json, struct sl_err *err)
{
    struct ops_absent absent;
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, EVIDENCE_BYTES_MAX);
    if (!ops_address_open(&address, err)) {
        return false;
    }
    ops_absent_look(&address, id, &absent);
    ops_absent_tell(&absent, &text);
    ops_absent_json(&absent, out_json);
    fprintf(stderr, "%.*s", SL_SPAN_ARGS(sl_buf_span(&text)));
    return sl_buf_ok(out_json) || sl_fail(err, SL_E_MEMORY, "no memory for an answer");
}

/* A journal that this user may not read is no reason to say nothing. */
static bool read_signs(struct signs *signs, const char *state_dir, struct sl_err *err)
{
    struct ops_kept_found found = { 0 };
    struct sl_err why = { 0 };
    sl_buf_init(&signs->text, KEPT_BYTES_MAX);
    signs->json = sl_json_writer_make(&signs->text);
    sl_json_array_begin(&signs->json);
    if (!ops_kept_visit(state_dir, on_kept, signs, &found, &why)) {
        fprintf(stderr, "the journal does not tell: %s\n", why.text);
    }
    sl_json_array_end(&signs->json);
    return sl_buf_ok(&signs->text) ||
           sl_fail(err, SL_E_MEMORY, "no memory for what the journal tells");
}

static void on_kept(void *arg, const struct ops_kept_event *event)
{
    static const char *const details[] = {
        [OPS_KEPT_WAITING] = "the broker was away: it is kept here and published when it is back",
        [OPS_KEPT_PUBLISHED] = "the broker was away: it was kept here, and published since",
        [OPS_KEPT_ASIDE] = "it cannot be published as it is: sluice journal list --poison",
        [OPS_KEPT_DROPPED] = "only this is left of it",
    };
    struct signs *signs = arg;
    char detail[512];
    if (event->id.data == NULL || !sl_span_is(event->id, signs->id) || signs->count == KEPT_MAX) {
        return;
    }
    signs->count++;
    if (!signs->is_received && event->state != OPS_KEPT_PUBLISHED) { /* else the inbox says it */
        signs->is_received = true;
        snprintf(detail, sizeof detail, "%.*s of %.*s", SL_SPAN_ARGS(event->type),
                 SL_SPAN_ARGS(event->source));
        put_sign(signs, event->received_us, "received", detail);
    }
    snprintf(detail, sizeof detail, "%s%s%.*s", details[event->state],
             event->reason.data == NULL ? "" : ": ", (int)event->reason.bytes,
             event->reason.data == NULL ? "" : event->reason.data);
    put_sign(signs, event->received_us + 1, ops_kept_name(event->state), detail);
}

static void put_sign(struct signs *signs, int64_t at_us, const char *what, const char *detail)
{
    char at[SL_RFC3339_BYTES];
    sl_clock_rfc3339(at_us, at);
    sl_json_object_begin(&signs->json);
    sl_json_put_text(&signs->json, "at", sl_span_of(at));
    sl_json_put_text(&signs->json, "what", sl_span_of(what));
    sl_json_put_text(&signs->json, "detail", sl_span_of(detail));
    sl_json_object_end(&signs->json);
}

static bool show_story(struct ops_pg_session *session, const struct sl_pg_param *params,
                       enum ops_output output, struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows story = { 0 };
    return ops_pg_query(session, story_sql, params, 2, &story, err) &&
           ops_pg_table_print(&story, story_columns, SL_COUNT(story_columns), output, err);
}

static bool show_tables(struct ops_pg_session *session, const struct sl_pg_param *params,
                        const struct ops_pg_rows *standing, struct sl_err *err)
{
    if (standing->row_count > 0) {
        if (!ops_pg_table_print(standing, standing_columns, SL_COUNT(standing_columns),
                                OPS_OUTPUT_TABLE, err)) {
            return false;
        }
        putchar('\n');
    }
    if (!show_story(session, params, OPS_OUTPUT_TABLE, err)) {
        return false;
    }
    fputs(
        "A subsystem that is not named has no sign of it: it may wait there for its first try (sluice queue "
        "list)\n",
        stderr);
    return true;
}
