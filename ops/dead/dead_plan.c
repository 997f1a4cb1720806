#include "ops/dead/dead_plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "ops/pg_table.h"
#include "ops/sections.h"
#include "shared/units.h"

#define DIGITS_MAX   18u
#define GROUPS_SHOWN 20

static const char count_sql[] =
    "WITH matched AS (SELECT d.* FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE "),"
    " chosen AS (SELECT * FROM matched ORDER BY id LIMIT $13::text::bigint)"
    " SELECT (SELECT count(*) FROM chosen), (SELECT count(*) FROM matched),"
    " (SELECT count(*) FROM chosen d WHERE EXISTS (SELECT FROM sluice_inbox i"
    "  WHERE i.event_id = d.event_id AND i.subsystem = d.subsystem AND i.account = d.account"
    "  AND i.livemode = d.livemode AND i.occurred_at = d.occurred_at)),"
    " (SELECT count(*) FROM chosen d WHERE coalesce(d.received_at, d.first_failed_at, d.created_at)"
    "    < now() - nullif($14::text::bigint, 0) * interval '1 millisecond'"
    "  AND NOT EXISTS (SELECT FROM sluice_inbox i"
    "  WHERE i.event_id = d.event_id AND i.subsystem = d.subsystem AND i.account = d.account"
    "  AND i.livemode = d.livemode AND i.occurred_at = d.occurred_at))";

static const char any_sql[] = "SELECT 1 FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE " LIMIT 1";

static const char groups_sql[] =
    "WITH chosen AS (SELECT d.* FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE
    " ORDER BY d.id LIMIT $13::text::bigint)"
    " SELECT subsystem, min(type), error_class, error_code, fingerprint, count(*),"
    " to_char(min(created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    " FROM chosen GROUP BY 1, 3, 4, 5 ORDER BY 6 DESC LIMIT $14::text::bigint";

static const struct ops_column columns[] = {
    { .title = "SUBSYSTEM" }, { .title = "TYPE" },        { .title = "CLASS" },
    { .title = "CODE" },      { .title = "FINGERPRINT" }, { .title = "LETTERS", .is_number = true },
    { .title = "OLDEST" },
};

static bool read_counts(const struct ops_pg_rows *rows, struct ops_dead_plan *out_plan,
                        struct sl_err *err);
static bool check_named(struct ops_pg_session *session, const struct ops_dead_filter *filter,
                        struct sl_err *err);

bool ops_dead_plan_show(struct ops_pg_session *session, const struct ops_dead_filter *filter,
                        const struct ops_dead_plan_wish *wish, struct ops_dead_plan *out_plan,
                        struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 2];
    char limit_text[OPS_DEAD_NUMBER_BYTES];
    char groups_text[OPS_DEAD_NUMBER_BYTES];
    char keep_text[OPS_DEAD_NUMBER_BYTES];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    snprintf(limit_text, sizeof limit_text, "%" PRId64, wish->limit);
    snprintf(keep_text, sizeof keep_text, "%" PRId64, wish->keep_ms);
    snprintf(groups_text, sizeof groups_text, "%d", GROUPS_SHOWN);
    ops_dead_filter_params(filter, params);
    params[OPS_DEAD_FILTER_PARAMS] = ops_pg_param(limit_text);
    params[OPS_DEAD_FILTER_PARAMS + 1] = ops_pg_param(keep_text);
    if (!ops_pg_query(session, count_sql, params, SL_COUNT(params), &rows, err) ||
        !read_counts(&rows, out_plan, err)) {
        return false;
    }
    fprintf(stderr, "%s %" PRId64 " of %" PRId64 " dead letters that match%s\n", wish->verb,
            out_plan->chosen, out_plan->matched,
            out_plan->chosen < out_plan->matched ? " (--limit N for more)" : "");
    bool is_talk = wish->is_meant;
    if (out_plan->matched == 0 &&
        (!check_named(session, filter, err) || !ops_section_meant(filter->subsystem, err))) {
        return false;
    }
    if (out_plan->chosen == 0 && (is_talk || wish->output == OPS_OUTPUT_TABLE)) {
        return true;
    }
    params[OPS_DEAD_FILTER_PARAMS + 1] = ops_pg_param(groups_text);
    return ops_pg_query(session, groups_sql, params, SL_COUNT(params), &rows, err) &&
           ops_pg_table_print_to(&rows, columns, SL_COUNT(columns),
                                 is_talk ? OPS_OUTPUT_TABLE : wish->output,
                                 is_talk ? stderr : stdout, err);
}

/* A letter that is in another status than the act starts from is there, and there is nothing to do. */
static bool check_named(struct ops_pg_session *session, const struct ops_dead_filter *filter,
                        struct sl_err *err)
{
    struct ops_dead_filter any = *filter;
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    any.status = NULL;
    ops_dead_filter_params(&any, params);
    if (filter->id == NULL && filter->event == NULL) {
        return true;
    }
    return ops_pg_query(session, any_sql, params, SL_COUNT(params), &rows, err) &&
           (rows.row_count > 0 || ops_dead_absent(filter, err));
}

bool ops_dead_absent(const struct ops_dead_filter *filter, struct sl_err *err)
{
    return filter->id != NULL ? sl_fail(err, SL_E_ABSENT, "there is no dead letter %s", filter->id)
                              : sl_fail(err, SL_E_ABSENT, "no dead letter is about the event %.80s",
                                        filter->event);
}

static bool read_counts(const struct ops_pg_rows *rows, struct ops_dead_plan *out_plan,
                        struct sl_err *err)
{
    return (sl_units_decimal(ops_pg_cell(rows, 0, 0), DIGITS_MAX, &out_plan->chosen) &&
            sl_units_decimal(ops_pg_cell(rows, 0, 1), DIGITS_MAX, &out_plan->matched) &&
            sl_units_decimal(ops_pg_cell(rows, 0, 2), DIGITS_MAX, &out_plan->applied) &&
            sl_units_decimal(ops_pg_cell(rows, 0, 3), DIGITS_MAX, &out_plan->forgotten)) ||
           sl_fail(err, SL_E_BUG, "a count is no number");
}
