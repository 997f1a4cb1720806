/* audit outage: what was dropped, set aside, given up, journaled, refused or applied late between two times, by whom it hurts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "ops/commands.h"
#include "ops/outage/audit.h"
#include "ops/outage/audit_rows.h"
#include "ops/outage/kept.h"
#include "ops/outage/refused.h"
#include "ops/pg_session.h"
#include "ops/sections.h"
#include "ops/table.h"
#include "ops/when.h"
#include "shared/clock.h"
#include "shared/units.h"

#define LATE_MS_DEFAULT 60000
#define LATE_MS_MAX     (INT64_C(24) * 3600 * 1000)
#define NUMBER_BYTES    24u
#define DIGITS_MAX      18u
#define US_PER_S        1000000
#define TROUBLE         1 /* exit status */

/* $1 from, $2 to (seconds), $3: later than so many milliseconds. */
static const char rows_sql[] =
    "SELECT CASE WHEN status IN ('open', 'replaying') THEN 'given up' ELSE 'mended' END, subsystem, coalesce(type, ''), count(*),"
    "  (extract(epoch FROM min(created_at)) * 1000000)::bigint, (extract(epoch FROM max(created_at)) * 1000000)::bigint"
    " FROM sluice_dead_letter WHERE created_at >= to_timestamp($1::text::bigint) AND created_at < to_timestamp($2::text::bigint)"
    " GROUP BY 1, 2, 3"
    " UNION ALL SELECT 'late', subsystem, type, count(*), (extract(epoch FROM min(received_at)) * 1000000)::bigint,"
    "  (extract(epoch FROM max(received_at)) * 1000000)::bigint FROM sluice_inbox"
    " WHERE received_at >= to_timestamp($1::text::bigint) AND received_at < to_timestamp($2::text::bigint)"
    "  AND applied_at - received_at > $3::text::bigint * interval '1 millisecond' GROUP BY 2, 3";
enum { WHAT, SUBSYSTEM, TYPE, EVENTS, FIRST, LAST };

static const struct ops_column columns[] = {
    { .title = "SEVERITY" },
    { .title = "SUBSYSTEM" },
    { .title = "WHAT" },
    { .title = "TYPE" },
    { .title = "EVENTS", .is_number = true },
    { .title = "FIRST" },
    { .title = "LAST" },
    { .title = "OWNER" },
    { .title = "IMPACT" },
};

const char ops_audit_outage_usage[] =
    "  --from T          what was received, or given up, since: 2026-01-31T14:00:00Z, or 2h ago as 2h (1d)\n"
    "  --to T            and before (now)\n"
    "  --late D          applied more than that after it was received counts as late (60s)\n"
    "  --state-dir DIR   where this machine's publisher keeps journal and drop log; default: SLUICE_STATE_DIR, the\n"
    "                    local stack, /var/lib/sluice\n" OPS_USAGE_ROWS
    "The most severe first. Dropped and journaled: of this machine's publisher; a line for each subsystem that is\n"
    "bound to them. Refused (503, 429): counted by this machine's publisher since its start, by source and outcome, so\n"
    "they may be older than --from, as is said then; events is empty (null) when it does not tell. Exit status: 0, or 1\n"
    "when something was dropped, set aside or given up and is not mended.\n";

struct wish {
    const char *from;
    const char *to;
    const char *state_dir;
    int64_t late_ms;
    int64_t from_s;
    int64_t to_s;
    enum ops_output output;
};

/* What the command works with. */
struct audit {
    struct wish wish;
    struct ops_address address;
    struct sl_subsystems subsystems;
    struct ops_kept_found found;
    struct ops_refused refused;
    struct ops_audit_rows rows;
};

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err);
static bool gather(struct audit *audit, struct sl_err *err);
static void on_kept(void *arg, const struct ops_kept_event *event);
static bool read_database(struct audit *audit, struct sl_err *err);
static int64_t number(const struct ops_pg_rows *rows, size_t row, size_t column);
static bool print(const struct audit *audit, struct sl_err *err);
static bool tell(const struct audit *audit);

static void audit_free(struct audit *audit)
{
    if (audit != NULL) {
        sl_subsystems_done(&audit->subsystems);
        ops_address_done(&audit->address);
        free(audit);
    }
}
SL_DEFINE_AUTO(struct audit *, audit_free)

int ops_audit_outage(int argc, char **argv)
{
    struct sl_err err = { 0 };
    SL_AUTO(audit_free) struct audit *audit = calloc(1, sizeof *audit);
    if (audit == NULL) {
        (void)sl_fail(&err, SL_E_MEMORY, "no memory for the rows");
        return ops_report("audit outage", &err);
    }
    audit->wish = (struct wish){ .from = "1d", .late_ms = LATE_MS_DEFAULT };
    if (!read_wish(&audit->wish, argc, argv, &err) || !ops_address_open(&audit->address, &err) ||
        !ops_sections_load(&audit->address, &audit->subsystems, &err) || !gather(audit, &err) ||
        !print(audit, &err)) {
        return ops_report("audit outage", &err);
    }
    return tell(audit) ? TROUBLE : EX_OK;
}

static bool read_wish(struct wish *wish, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "from", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->from },
        { .name = "to", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->to },
        { .name = "late",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->late_ms,
          .min = 1,
          .max = LATE_MS_MAX },
        { .name = "state-dir", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->state_dir },
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    int64_t now_s = time(NULL);
    wish->to_s = now_s + 1;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err) ||
        !ops_when("from", wish->from, now_s, &wish->from_s, err) ||
        (wish->to != NULL && !ops_when("to", wish->to, now_s, &wish->to_s, err))) {
        return false;
    }
    return wish->from_s < wish->to_s || sl_fail(err, SL_E_USAGE, "--from must be before --to");
}

static bool gather(struct audit *audit, struct sl_err *err)
{
    if (!ops_kept_visit(audit->wish.state_dir, on_kept, audit, &audit->found, err) ||
        !read_database(audit, err)) {
        return false;
    }
    ops_refused_count(audit->wish.state_dir, audit->wish.from_s, audit->wish.to_s, &audit->refused,
                      &audit->rows);
    ops_audit_sort(&audit->rows);
    return true;
}

static void on_kept(void *arg, const struct ops_kept_event *event)
{
    static const enum ops_audit_what whats[] = { [OPS_KEPT_WAITING] = OPS_AUDIT_JOURNALED,
                                                 [OPS_KEPT_ASIDE] = OPS_AUDIT_ASIDE,
                                                 [OPS_KEPT_DROPPED] = OPS_AUDIT_DROPPED };
    struct audit *audit = arg;
    int64_t at_s = event->received_us / US_PER_S;
    if (event->state != OPS_KEPT_PUBLISHED && at_s >= audit->wish.from_s &&
        at_s < audit->wish.to_s) {
        ops_audit_add_kept(&audit->rows, whats[event->state], &audit->subsystems, event->source,
                           event->type, event->received_us);
    }
}

static bool read_database(struct audit *audit, struct sl_err *err)
{
    char texts[3][NUMBER_BYTES];
    snprintf(texts[0], NUMBER_BYTES, "%" PRId64, audit->wish.from_s);
    snprintf(texts[1], NUMBER_BYTES, "%" PRId64, audit->wish.to_s);
    snprintf(texts[2], NUMBER_BYTES, "%" PRId64, audit->wish.late_ms);
    const struct sl_pg_param params[] = { ops_pg_param(texts[0]), ops_pg_param(texts[1]),
                                          ops_pg_param(texts[2]) };
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice audit", true, err);
    if (session == NULL || !ops_pg_query(session, rows_sql, params, SL_COUNT(params), &rows, err)) {
        return false;
    }
    for (size_t row = 0; row < rows.row_count; row++) {
        struct sl_span what = ops_pg_cell(&rows, row, WHAT);
        struct sl_span name = ops_pg_cell(&rows, row, SUBSYSTEM);
        ops_audit_add(&audit->rows,
                      sl_span_is(what, "given up") ? OPS_AUDIT_GIVEN_UP
                      : sl_span_is(what, "late")   ? OPS_AUDIT_LATE
                                                   : OPS_AUDIT_MENDED,
                      sl_subsystems_find(&audit->subsystems, name),
                      ops_pg_cell_text(&rows, row, SUBSYSTEM), ops_pg_cell(&rows, row, TYPE),
                      number(&rows, row, EVENTS), number(&rows, row, FIRST),
                      number(&rows, row, LAST));
    }
    return true;
}

static int64_t number(const struct ops_pg_rows *rows, size_t row, size_t column)
{
    int64_t found = 0;
    return sl_units_decimal(ops_pg_cell(rows, row, column), DIGITS_MAX, &found) ? found : 0;
}

static bool print(const struct audit *audit, struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t i = 0; i < audit->rows.count; i++) {
        const struct ops_audit_row *row = &audit->rows.items[i];
        const struct sl_subsystem *subsystem = row->subsystem;
        char events[NUMBER_BYTES], first[SL_RFC3339_BYTES], last[SL_RFC3339_BYTES];
        snprintf(events, sizeof events, "%" PRId64, row->events);
        bool is_known = row->events >= 0;
        sl_clock_rfc3339_s(row->first_us / 1000000, first);
        sl_clock_rfc3339_s(row->last_us / 1000000, last);
        const char *const cells[] = { subsystem == NULL
                                          ? ""
                                          : sl_subsystem_severity_name(subsystem->severity),
                                      row->name,
                                      ops_audit_what_name(row->what),
                                      row->type,
                                      is_known ? events : NULL,
                                      is_known ? first : NULL,
                                      is_known ? last : NULL,
                                      subsystem == NULL ? "" : subsystem->owner,
                                      subsystem == NULL ? "" : subsystem->impact };
        ops_table_add(&table, cells);
    }
    return ops_table_print(&table, audit->wish.output, stdout, err);
}

/* What to do about it, to stderr. True when something is not mended. */
static bool tell(const struct audit *audit)
{
    static const char *const moves[] = {
        [OPS_AUDIT_DROPPED] = "dropped: ask for them again: sluice reconcile stripe",
        [OPS_AUDIT_ASIDE] = "set aside: sluice journal list --poison",
        [OPS_AUDIT_GIVEN_UP] = "given up: sluice dead groups",
        [OPS_AUDIT_JOURNALED] =
            "journaled: published when the broker is back: sluice journal status",
        [OPS_AUDIT_REFUSED] =
            "refused: the senders come again by themselves, Stripe for three days",
        [OPS_AUDIT_LATE] = "applied late: nothing is missing",
        [OPS_AUDIT_MENDED] = NULL,
    };
    bool is_trouble = false;
    for (size_t what = 0; what < SL_COUNT(moves); what++) {
        bool is_there = false;
        for (size_t i = 0; i < audit->rows.count; i++) {
            is_there = is_there || (size_t)audit->rows.items[i].what == what;
        }
        if (is_there && moves[what] != NULL) {
            fprintf(stderr, "%s\n", moves[what]);
        }
        is_trouble = is_trouble || (is_there && what <= OPS_AUDIT_GIVEN_UP);
    }
    if (audit->rows.count == 0) {
        fputs("nothing was dropped, set aside, given up, journaled or late\n", stderr);
    }
    fprintf(stderr, "%s\n", audit->refused.says);
    if (audit->rows.left_out > 0) {
        fprintf(stderr, "%" PRId64 " more events of other types are in no line\n",
                audit->rows.left_out);
    }
    if (audit->found.strange > 0) {
        fprintf(stderr, "%" PRId64 " lines of the drop log cannot be read\n", audit->found.strange);
    }
    if (!audit->found.has_journal && !audit->found.has_drops) {
        fputs("no publisher keeps a journal or a drop log here: run it on its machine too\n",
              stderr);
    }
    return is_trouble;
}
