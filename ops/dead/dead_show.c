/* One dead letter as a person needs it: what, why, its history, and what to do. */
#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/dead/dead.h"
#include "ops/dead/dead_advice.h"
#include "ops/dead/dead_plan.h"
#include "ops/json_shape.h"
#include "ops/pg_session.h"
#include "ops/sections.h"
#include "shared/digest.h"
#include "shared/event/envelope.h"

#define SHAPED_BYTES_MAX (8u * 1024u * 1024u)
#define HEX_SHOWN        256u /* bytes of a message that is no envelope */

#define TIME_SQL(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/* Label and value, in the order they are printed; a NULL is left out. */
static const char *const labels[] = {
    "letter",   "status",   "subsystem", "event",        "type",      "source",      "account",
    "livemode", "object",   "occurred",  "received",     "reason",    "error class", "error code",
    "error",    "group",    "attempts",  "first failed", "set aside", "changed",     "routing key",
    "replays",  "last run", "published", "message",
};
#define LABELS SL_COUNT(labels)
enum {
    ID = 0,
    SUBSYSTEM = 2,
    EVENT = 3,
    REASON = 11,
    CLASS = 12,
    CODE = 13,
    ENVELOPE = LABELS,
    NOTE,
    CELLS
};

static const char show_sql[] =
    "SELECT d.id, d.status, d.subsystem, d.event_id, d.type, d.source, nullif(d.account, ''),"
    " CASE WHEN d.livemode THEN 'yes' ELSE 'no' END, d.object, " TIME_SQL("d.occurred_at") ", " TIME_SQL(
        "d.received_at") ","
                         " d.reason, d.error_class, d.error_code, d.error, d.fingerprint, d.attempts, " TIME_SQL("d.first_failed_at") ", " TIME_SQL(
                             "d.created_at") ", " TIME_SQL("d.updated_at") ","
                                                                           " d.routing_key, d.replays, d.replay_run, " TIME_SQL(
                                                                               "d.published_at") ","
                                                                                                 " format('%s bytes, sha256 %s', octet_length(d.envelope), encode(d.body_sha256, 'hex')),"
                                                                                                 " encode(d.envelope, 'hex'), d.note"
                                                                                                 " FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
                                                                                                 " ORDER BY d.id DESC LIMIT 20";

static const char history_sql[] =
    "SELECT at_text, said FROM ("
    " SELECT a.at, " TIME_SQL(
        "a.at") " AS at_text,"
                "  format('attempt %s failed: %s %s %s', a.attempt, a.class, a.code, a.error) AS said"
                "  FROM sluice_attempt a WHERE a.event_id = $1 AND a.subsystem = $2"
                " UNION ALL"
                " SELECT i.applied_at, " TIME_SQL(
                    "i.applied_at") ", format('the inbox of %s has it: %s',"
                                    "  i.subsystem, i.verdict) FROM sluice_inbox i WHERE i.event_id = $1"
                                    ") h ORDER BY at LIMIT 200";

#define LETTER_JSON OPS_PG_ROW_JSON("to_jsonb(d) - 'envelope' - 'payload' - 'body_sha256'")
#define TRY_JSON    OPS_PG_ROW_JSON("to_jsonb(a)")
static const char json_sql[] =
    "SELECT coalesce(jsonb_agg(" LETTER_JSON
    " || jsonb_build_object('message_bytes', octet_length(d.envelope),"
    "  'message_sha256', encode(d.body_sha256, 'hex'))"
    " || CASE WHEN $13 = 'yes' THEN jsonb_build_object('payload', d.payload) ELSE '{}' END"
    " || jsonb_build_object('history', (SELECT coalesce(jsonb_agg(" TRY_JSON
    " ORDER BY a.at), '[]')"
    "   FROM sluice_attempt a WHERE a.event_id = d.event_id AND a.subsystem = d.subsystem))"
    " ORDER BY d.id DESC), '[]'), count(*)"
    " FROM (SELECT * FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
    "  ORDER BY d.id DESC LIMIT 20) d";

struct wish {
    struct ops_dead_filter filter;
    bool payload;
    enum ops_output output;
    struct sl_subsystems
        subsystems; /* whose sections may say what to do; empty when their file has mistakes */
};

static void wish_done(struct wish *wish);
static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool show_json(struct ops_pg_session *session, const struct wish *wish, struct sl_err *err);
static bool show_text(struct ops_pg_session *session, const struct wish *wish, struct sl_err *err);
static void load_sections(struct wish *wish);
static void print_letter(const struct wish *wish, const struct ops_pg_rows *rows, size_t row);
static const char *advice_for(const struct wish *wish, const struct ops_pg_rows *rows, size_t row);
static bool print_history(struct ops_pg_session *session, const struct ops_pg_rows *letters,
                          size_t row, struct sl_err *err);
static bool print_payload(struct sl_span hex, bool is_wanted, struct sl_err *err);
static void print_clean(struct sl_span text);
static void print_block(const char *label, struct sl_span text);

int ops_dead_show(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_DONE(wish_done) struct wish wish = { 0 };
    if (!read_wish(&wish, argc, argv, &err)) {
        return ops_report("dead show", &err);
    }
    load_sections(&wish);
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice dead", true, &err);
    bool is_done =
        session != NULL && (wish.output == OPS_OUTPUT_JSON ? show_json(session, &wish, &err)
                                                           : show_text(session, &wish, &err));
    return is_done ? EX_OK : ops_report("dead show", &err);
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "payload", .kind = OPS_FLAG_SWITCH, .out = &wish->payload },
        { .name = "subsystem", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->filter.subsystem },
        OPS_FLAGS_OUTPUT(wish->output),
    };
    int first = 0;
    return ops_flags_read(flags, SL_COUNT(flags), argc, argv, 1, 1, &first, err) &&
           ops_dead_filter_finish(&wish->filter, argv[first], sl_clock_wall_us(), err);
}

static void wish_done(struct wish *wish)
{
    sl_subsystems_done(&wish->subsystems);
}

/* Not knowing them costs a sentence, not the command. */
static void load_sections(struct wish *wish)
{
    struct sl_err why;
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    if (!ops_address_open(&address, &why) ||
        !ops_sections_load(&address, &wish->subsystems, &why)) {
        sl_subsystems_done(&wish->subsystems);
        wish->subsystems = (struct sl_subsystems){ 0 };
    }
}

static bool show_json(struct ops_pg_session *session, const struct wish *wish, struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 1];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    ops_dead_filter_params(&wish->filter, params);
    params[OPS_DEAD_FILTER_PARAMS] = ops_pg_param(wish->payload ? "yes" : "no");
    if (!ops_pg_query(session, json_sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    if (sl_span_is(ops_pg_cell(&rows, 0, 1), "0")) {
        return ops_dead_absent(&wish->filter, err);
    }
    puts(ops_pg_cell_text(&rows, 0, 0));
    return true;
}

static bool show_text(struct ops_pg_session *session, const struct wish *wish, struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    ops_dead_filter_params(&wish->filter, params);
    if (!ops_pg_query(session, show_sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    if (rows.row_count == 0) {
        return ops_dead_absent(&wish->filter, err);
    }
    for (size_t row = 0; row < rows.row_count; row++) {
        SL_ASSERT(rows.column_count == CELLS);
        fputs(row == 0 ? "" : "\n", stdout);
        print_letter(wish, &rows, row);
        if (!print_history(session, &rows, row, err) ||
            !print_payload(ops_pg_cell(&rows, row, ENVELOPE), wish->payload, err)) {
            return false;
        }
    }
    return true;
}

static void print_letter(const struct wish *wish, const struct ops_pg_rows *rows, size_t row)
{
    for (size_t i = 0; i < LABELS; i++) {
        struct sl_span value = ops_pg_cell(rows, row, i);
        if (value.bytes > 0) {
            print_block(labels[i], value);
        }
    }
    print_block("notes", ops_pg_cell(rows, row, NOTE));
    print_block("what to do", sl_span_of(advice_for(wish, rows, row)));
    printf("%-14sonly after the cause is fixed: sluice dead replay --id %s --yes --reason WHY\n",
           "replay", ops_pg_cell_text(rows, row, ID));
}

/* The section's own words on the code come first. */
static const char *advice_for(const struct wish *wish, const struct ops_pg_rows *rows, size_t row)
{
    struct sl_span code = ops_pg_cell(rows, row, CODE);
    const struct sl_subsystem *section =
        sl_subsystems_find(&wish->subsystems, ops_pg_cell(rows, row, SUBSYSTEM));
    const struct sl_subsystem_rule *rule =
        section == NULL ? NULL : sl_subsystem_rule_find(section, code);
    return rule != NULL && *rule->resolution != '\0'
               ? rule->resolution
               : ops_dead_advice(ops_pg_cell(rows, row, REASON), ops_pg_cell(rows, row, CLASS),
                                 code);
}

static void print_block(const char *label, struct sl_span text)
{
    struct sl_span line = { 0 };
    while (text.bytes > 0 && sl_span_split(&text, '\n', &line)) {
        printf("%-14s", label);
        print_clean(line);
        label = "";
    }
}

static bool print_history(struct ops_pg_session *session, const struct ops_pg_rows *letters,
                          size_t row, struct sl_err *err)
{
    const struct sl_pg_param params[] = {
        { .value = ops_pg_cell(letters, row, EVENT) },
        { .value = ops_pg_cell(letters, row, SUBSYSTEM) },
    };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    if (!ops_pg_query(session, history_sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.row_count; i++) {
        printf("%-14s%s  ", i == 0 ? "history" : "", ops_pg_cell_text(&rows, i, 0));
        print_clean(ops_pg_cell(&rows, i, 1));
    }
    return true;
}

/* Personal data is shown only to who asks for it. */
static bool print_payload(struct sl_span hex, bool is_wanted, struct sl_err *err)
{
    if (!is_wanted) {
        printf("%-14snot shown, it may hold personal data: --payload shows it\n", "payload");
        return true;
    }
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf shaped = { 0 };
    struct sl_envelope envelope;
    struct sl_err why;
    sl_buf_init(&bytes, SL_ENVELOPE_BYTES_MAX + hex.bytes);
    sl_buf_init(&shaped, SHAPED_BYTES_MAX);
    char *room = sl_buf_reserve(&bytes, hex.bytes / 2);
    if (room == NULL || !sl_hex_decode(hex, (uint8_t *)room, hex.bytes / 2)) {
        return sl_fail(err, SL_E_MEMORY, "the message does not fit into memory");
    }
    sl_buf_commit(&bytes, hex.bytes / 2);
    if (!sl_envelope_decode(sl_buf_span(&bytes), &envelope, &why)) {
        printf("%-14sno envelope (%s); its bytes begin with\n", "payload", why.text);
        print_clean(sl_span_make(hex.data, hex.bytes > 2 * HEX_SHOWN ? 2 * HEX_SHOWN : hex.bytes));
        return true;
    }
    puts("payload");
    if (!ops_json_reshape(envelope.body, OPS_JSON_TWO, &shaped)) {
        return sl_fail(err, SL_E_MEMORY, "the payload does not fit into memory");
    }
    struct sl_span rest = sl_buf_span(&shaped);
    struct sl_span line = { 0 };
    while (sl_span_split(&rest, '\n', &line)) {
        print_clean(line);
    }
    return true;
}

/* A terminal is never driven by data. */
static void print_clean(struct sl_span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        putchar(byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
    putchar('\n');
}
