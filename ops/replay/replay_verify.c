/* replay verify: the hash chain of the audit, and the runs beside it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/pg_session.h"
#include "ops/replay/replay.h"
#include "ops/replay/replay_chain.h"
#include "ops/table.h"
#include "shared/units.h"

#define PAGE_ROWS    1000
#define DIGITS_MAX   18u
#define NUMBER_BYTES 24u
#define EX_BROKEN    1

static const char page_sql[] =
    "SELECT seq, jsonb_build_array(seq, (extract(epoch FROM at) * 1000000)::bigint, actor, act, subject, reason, detail)::text,"
    " encode(previous, 'hex'), encode(hash, 'hex') FROM sluice_audit WHERE seq > $1::text::bigint ORDER BY seq LIMIT $2::text::bigint";
enum { SEQ, TEXT, PREVIOUS, HASH };

/* A run whose last row of the audit is not there, or says something else than the run's row: rows at the end were taken away, or the run was changed by hand. */
static const char runs_sql[] =
    "SELECT r.run FROM sluice_replay_run r LEFT JOIN sluice_audit a ON a.seq = r.audit_seq AND a.subject = 'replay ' || r.run"
    " LEFT JOIN LATERAL (SELECT m.detail->>'to' AS status FROM sluice_audit m WHERE m.subject = 'replay ' || r.run"
    "  AND m.detail ? 'to' ORDER BY m.seq DESC LIMIT 1) last ON true"
    " WHERE a.seq IS NULL OR r.status <> coalesce(last.status, CASE a.act WHEN 'adopted' THEN 'running' ELSE 'planned' END)"
    " ORDER BY r.created_at LIMIT 1";

struct verdict {
    struct ops_chain chain;
    struct sl_span wanted; /* a head that was kept elsewhere, hex; absent: none */
    bool is_wanted_seen;
    bool is_broken;
    char why[192];
};

static bool read_chain(struct ops_pg_session *session, struct verdict *verdict, struct sl_err *err);
static bool read_page(const struct ops_pg_rows *rows, struct verdict *verdict, struct sl_err *err);
static bool compare_runs(struct ops_pg_session *session, struct verdict *verdict,
                         struct sl_err *err);
static void find(struct verdict *verdict, const char *why);
static bool tell(const struct verdict *verdict, enum ops_output output, struct sl_err *err);

int ops_replay_verify(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct verdict verdict = { 0 };
    const char *head = NULL;
    enum ops_output output = OPS_OUTPUT_TABLE;
    const struct ops_flag flags[] = {
        { .name = "head", .kind = OPS_FLAG_TEXT, .out = (void *)&head },
        OPS_FLAGS_ROWS(output),
    };
    int first = 0;
    uint8_t hash[SL_SHA256_BYTES];
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, &err)) {
        return ops_report("replay verify", &err);
    }
    verdict.wanted = sl_span_of(head);
    if (head != NULL && (verdict.wanted.bytes != sizeof hash * 2 ||
                         !sl_hex_decode(verdict.wanted, hash, sizeof hash))) {
        (void)sl_fail(&err, SL_E_USAGE,
                      "--head takes 64 hexadecimal digits, as verify prints them");
        return ops_report("replay verify", &err);
    }
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice replay", true, &err);
    if (session == NULL || !read_chain(session, &verdict, &err) ||
        !compare_runs(session, &verdict, &err)) {
        return ops_report("replay verify", &err);
    }
    if (head != NULL && !verdict.is_wanted_seen) {
        find(&verdict, "none of its hashes is the head that was kept: the chain was written anew");
    }
    return !tell(&verdict, output, &err) ? ops_report("replay verify", &err)
           : verdict.is_broken           ? EX_BROKEN
                                         : EX_OK;
}

static bool read_chain(struct ops_pg_session *session, struct verdict *verdict, struct sl_err *err)
{
    char room[NUMBER_BYTES];
    snprintf(room, sizeof room, "%d", PAGE_ROWS);
    for (size_t count = PAGE_ROWS; count == PAGE_ROWS && !verdict->is_broken;) {
        char seq[NUMBER_BYTES];
        snprintf(seq, sizeof seq, "%" PRId64, verdict->chain.rows);
        const struct sl_pg_param params[] = { ops_pg_param(seq), ops_pg_param(room) };
        SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
        if (!ops_pg_query(session, page_sql, params, SL_COUNT(params), &rows, err) ||
            !read_page(&rows, verdict, err)) {
            return false;
        }
        count = rows.row_count;
    }
    return true;
}

static bool read_page(const struct ops_pg_rows *rows, struct verdict *verdict, struct sl_err *err)
{
    for (size_t row = 0; row < rows->row_count; row++) {
        struct sl_err why = { 0 };
        struct ops_chain_row link = { .text = ops_pg_cell(rows, row, TEXT),
                                      .previous = ops_pg_cell(rows, row, PREVIOUS),
                                      .hash = ops_pg_cell(rows, row, HASH) };
        if (!sl_units_decimal(ops_pg_cell(rows, row, SEQ), DIGITS_MAX, &link.seq)) {
            return sl_fail(err, SL_E_BUG, "a seq is no number");
        }
        if (!ops_chain_add(&verdict->chain, &link, &why)) {
            find(verdict, why.text);
            return why.code == SL_E_CONFIG || sl_fail(err, why.code, "%s", why.text);
        }
        verdict->is_wanted_seen |=
            verdict->wanted.data != NULL && link.hash.bytes == verdict->wanted.bytes &&
            strncasecmp(link.hash.data, verdict->wanted.data, link.hash.bytes) == 0;
    }
    return true;
}

static bool compare_runs(struct ops_pg_session *session, struct verdict *verdict,
                         struct sl_err *err)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    char why[192];
    if (!ops_pg_query(session, runs_sql, NULL, 0, &rows, err)) {
        return false;
    }
    if (rows.row_count > 0) {
        snprintf(why, sizeof why,
                 "the run %.40s does not stand as its last row says, or that row is missing",
                 ops_pg_cell_text(&rows, 0, 0));
        find(verdict, why);
    }
    return true;
}

/* The first finding is the one that is told. */
static void find(struct verdict *verdict, const char *why)
{
    if (!verdict->is_broken) {
        snprintf(verdict->why, sizeof verdict->why, "%s", why);
    }
    verdict->is_broken = true;
}

static bool tell(const struct verdict *verdict, enum ops_output output, struct sl_err *err)
{
    static const struct ops_column columns[] = {
        { .title = "ROWS", .is_number = true },
        { .title = "VERDICT" },
        { .title = "HEAD" },
        { .title = "WHY" },
    };
    char rows[NUMBER_BYTES];
    char head[SL_SHA256_HEX_BYTES];
    snprintf(rows, sizeof rows, "%" PRId64, verdict->chain.rows);
    sl_hex_encode(verdict->chain.head, sizeof verdict->chain.head, head);
    const char *const cells[] = { rows, verdict->is_broken ? "changed" : "unchanged", head,
                                  verdict->why };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    ops_table_add(&table, cells);
    return ops_table_print(&table, output, stdout, err);
}
