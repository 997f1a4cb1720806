/* The commands that change what a dead letter is, without sending it anywhere: discard and restore. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "ops/actor.h"
#include "ops/commands.h"
#include "ops/dead/dead.h"
#include "ops/dead/dead_plan.h"
#include "ops/pg_table.h"
#include "ops/plan.h"
#include "ops/plural.h"

#define REASON_BYTES_MAX 500u
#define EX_PARTIAL       3

/* $13: at most so many; $14: the note's line, behind its time; $15: who; $16: why. What was done is one row of the audit. */
#define NOTE_SQL                                                                                          \
    "note = concat_ws(E'\\n', note, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\" ')" \
    "  || $14::text)"
#define AUDITED_SQL(act)                                                                           \
    ", noted AS (SELECT sluice_audit_add('" act "', 'dead letters', $15::text, $16::text,"         \
    "  jsonb_build_object('letters', (SELECT jsonb_agg(id ORDER BY id) FROM done)))"               \
    "  WHERE EXISTS (SELECT FROM done))"                                                           \
    " SELECT done.* FROM done LEFT JOIN noted ON true ORDER BY id"

static const char discard_sql[] =
    "WITH done AS (UPDATE sluice_dead_letter SET status = 'discarded', updated_at = now(), " NOTE_SQL
    " WHERE id IN (SELECT d.id FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
    "  AND d.status = 'open' ORDER BY d.id LIMIT $13::text::bigint FOR UPDATE)"
    " RETURNING id, subsystem, type, event_id)" AUDITED_SQL("discarded");

/* Of several letters of one event the youngest is opened, and none while one is open already: the unique index would refuse it. */
static const char restore_sql[] =
    "WITH chosen AS (SELECT d.id, d.subsystem, d.status,"
    "   coalesce(d.event_id, 'sha256:' || encode(d.body_sha256, 'hex')) AS identity"
    "  FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
    "  AND d.status IN ('discarded', 'replaying') ORDER BY d.id LIMIT $13::text::bigint FOR UPDATE),"
    " youngest AS (SELECT DISTINCT ON (subsystem, identity) id FROM chosen c WHERE status = 'replaying'"
    "   OR NOT EXISTS (SELECT FROM sluice_dead_letter o WHERE o.status IN ('open', 'replaying')"
    "    AND o.subsystem = c.subsystem"
    "    AND coalesce(o.event_id, 'sha256:' || encode(o.body_sha256, 'hex')) = c.identity)"
    "  ORDER BY subsystem, identity, id DESC),"
    " items AS (UPDATE sluice_replay_item SET outcome = 'withdrawn', decided_at = now()"
    "  WHERE outcome IS NULL AND dead_letter_id IN (SELECT id FROM youngest)),"
    " done AS (UPDATE sluice_dead_letter SET status = 'open', published_at = NULL, updated_at = now(), " NOTE_SQL
    " WHERE id IN (SELECT id FROM youngest) RETURNING id, subsystem, type, event_id)" AUDITED_SQL(
        "restored");

static const struct ops_column columns[] = {
    { .title = "ID", .is_number = true },
    { .title = "SUBSYSTEM" },
    { .title = "TYPE" },
    { .title = "EVENT" },
};

struct act {
    const char *command;
    const char *verb;   /* in the plan */
    const char *done;   /* in the note */
    const char *status; /* it starts from */
    const char *sql;
    bool needs_reason;
};

static const struct act discard = { .command = "dead discard",
                                    .verb = "discard",
                                    .done = "discarded",
                                    .status = "open",
                                    .sql = discard_sql,
                                    .needs_reason = true };
static const struct act restore = { .command = "dead restore",
                                    .verb = "open again",
                                    .done = "opened again",
                                    .status = "discarded",
                                    .sql = restore_sql };

struct wish {
    struct ops_dead_filter filter;
    int64_t limit;
    const char *reason;
    bool yes;
    enum ops_output output;
};

static int run(const struct act *act, int argc, char **argv);
static bool read_wish(const struct act *act, struct wish *wish, int argc, char **argv,
                      struct sl_err *err);
static bool perform(struct ops_pg_session *session, const struct act *act, const struct wish *wish,
                    const struct ops_dead_plan *plan, int *out_status, struct sl_err *err);

int ops_dead_discard(int argc, char **argv)
{
    return run(&discard, argc, argv);
}

int ops_dead_restore(int argc, char **argv)
{
    return run(&restore, argc, argv);
}

static int run(const struct act *act, int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .limit = OPS_DEAD_LIMIT_DEFAULT };
    struct ops_dead_plan plan = { 0 };
    int status = EX_OK;
    if (!read_wish(act, &wish, argc, argv, &err)) {
        return ops_report(act->command, &err);
    }
    const struct ops_dead_plan_wish show = {
        .limit = wish.limit, .verb = act->verb, .is_meant = wish.yes, .output = wish.output
    };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice dead", false, &err);
    bool is_done = session != NULL &&
                   ops_dead_plan_show(session, &wish.filter, &show, &plan, &err) &&
                   perform(session, act, &wish, &plan, &status, &err);
    return is_done ? status : ops_report(act->command, &err);
}

static bool read_wish(const struct act *act, struct wish *wish, int argc, char **argv,
                      struct sl_err *err)
{
    struct ops_flag flags[OPS_DEAD_FILTER_FLAGS + 6] = { 0 };
    const struct ops_flag more[] = {
        { .name = "limit",
          .kind = OPS_FLAG_COUNT,
          .out = &wish->limit,
          .min = 1,
          .max = OPS_DEAD_LIMIT_MAX },
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->reason },
        OPS_FLAGS_MEANT(wish->yes),
        OPS_FLAGS_ROWS(wish->output),
    };
    wish->filter.status = act->status;
    ops_dead_filter_flags(&wish->filter, flags);
    memcpy(flags + OPS_DEAD_FILTER_FLAGS, more, sizeof more);
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err) ||
        !ops_dead_filter_finish(&wish->filter, first < argc ? argv[first] : NULL,
                                sl_clock_wall_us(), err)) {
        return false;
    }
    if (!ops_dead_filter_is_narrow(&wish->filter)) {
        return sl_fail(
            err, SL_E_USAGE,
            "it needs a filter, such as --subsystem, --fingerprint or a letter's number");
    }
    if (act->needs_reason && wish->reason == NULL) {
        return sl_fail(err, SL_E_USAGE,
                       "--reason TEXT is required: who reads it later must know why");
    }
    if (wish->reason != NULL && strlen(wish->reason) > REASON_BYTES_MAX) {
        return sl_fail(err, SL_E_USAGE, "--reason takes at most %u bytes", REASON_BYTES_MAX);
    }
    return true;
}

static bool perform(struct ops_pg_session *session, const struct act *act, const struct wish *wish,
                    const struct ops_dead_plan *plan, int *out_status, struct sl_err *err)
{
    if (plan->chosen == 0 || !wish->yes) {
        *out_status = ops_plan_end(plan->chosen > 0, OPS_PLAN_YES);
        return true;
    }
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 4];
    char actor[OPS_ACTOR_BYTES];
    char limit[OPS_DEAD_NUMBER_BYTES];
    char line[REASON_BYTES_MAX + OPS_ACTOR_BYTES + 32];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    ops_actor(actor);
    snprintf(limit, sizeof limit, "%" PRId64, wish->limit);
    snprintf(line, sizeof line, "%s by %s%s%s", act->done, actor, wish->reason == NULL ? "" : ": ",
             wish->reason == NULL ? "" : wish->reason);
    ops_dead_filter_params(&wish->filter, params);
    params[OPS_DEAD_FILTER_PARAMS] = ops_pg_param(limit);
    params[OPS_DEAD_FILTER_PARAMS + 1] = ops_pg_param(line);
    params[OPS_DEAD_FILTER_PARAMS + 2] = ops_pg_param(actor);
    params[OPS_DEAD_FILTER_PARAMS + 3] = ops_pg_param(wish->reason == NULL ? "" : wish->reason);
    if (!ops_pg_query(session, act->sql, params, SL_COUNT(params), &rows, err) ||
        !ops_pg_table_print(&rows, columns, SL_COUNT(columns), wish->output, err)) {
        return false;
    }
    fprintf(stderr, "%s: %zu letter%s\n", act->done, rows.row_count, ops_plural(rows.row_count));
    if ((int64_t)rows.row_count < plan->chosen) {
        fprintf(stderr,
                "%" PRId64 " were left as they are: another letter of the same event is open, or "
                "somebody else was quicker\n",
                plan->chosen - (int64_t)rows.row_count);
        *out_status = EX_PARTIAL;
    }
    return true;
}
