#include "ops/dead/dead_plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "ops/table.h"
#include "shared/units.h"

#define DIGITS_MAX   18u
#define GROUPS_SHOWN 20

static const char count_sql[] =
    "WITH matched AS (SELECT d.* FROM sluice_dead_letter d WHERE " OPS_DEAD_WHERE "),"
    " chosen AS (SELECT * FROM matched ORDER BY id LIMIT $13::text::bigint)"
    " SELECT (SELECT count(*) FROM chosen), (SELECT count(*) FROM matched),"
    " (SELECT count(*) FROM chosen d WHERE EXISTS (SELECT FROM sluice_inbox i"
    "  WHERE i.event_id = d.event_id AND i.subsystem = d.subsystem AND i.account = d.account"
    "  AND i.livemode = d.livemode AND i.occurred_at = d.occurred_at))";

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
static bool print_groups(const struct ops_pg_rows *rows, struct sl_err *err);

bool ops_dead_plan_show(struct ops_pg_session *session, const struct ops_dead_filter *filter,
                        int64_t limit, const char *verb, struct ops_dead_plan *out_plan,
                        struct sl_err *err)
{
    struct sl_pg_param params[OPS_DEAD_FILTER_PARAMS + 2];
    char limit_text[OPS_DEAD_NUMBER_BYTES];
    char groups_text[OPS_DEAD_NUMBER_BYTES];
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    snprintf(limit_text, sizeof limit_text, "%" PRId64, limit);
    snprintf(groups_text, sizeof groups_text, "%d", GROUPS_SHOWN);
    ops_dead_filter_params(filter, params);
    params[OPS_DEAD_FILTER_PARAMS] = ops_pg_param(limit_text);
    params[OPS_DEAD_FILTER_PARAMS + 1] = ops_pg_param(groups_text);
    if (!ops_pg_query(session, count_sql, params, OPS_DEAD_FILTER_PARAMS + 1, &rows, err) ||
        !read_counts(&rows, out_plan, err)) {
        return false;
    }
    fprintf(stderr, "%s %" PRId64 " of %" PRId64 " dead letters that match%s\n", verb,
            out_plan->chosen, out_plan->matched,
            out_plan->chosen < out_plan->matched ? " (--limit N for more)" : "");
    return out_plan->chosen == 0 ||
           (ops_pg_query(session, groups_sql, params, SL_COUNT(params), &rows, err) &&
            print_groups(&rows, err));
}

static bool read_counts(const struct ops_pg_rows *rows, struct ops_dead_plan *out_plan,
                        struct sl_err *err)
{
    return (sl_units_decimal(ops_pg_cell(rows, 0, 0), DIGITS_MAX, &out_plan->chosen) &&
            sl_units_decimal(ops_pg_cell(rows, 0, 1), DIGITS_MAX, &out_plan->matched) &&
            sl_units_decimal(ops_pg_cell(rows, 0, 2), DIGITS_MAX, &out_plan->applied)) ||
           sl_fail(err, SL_E_BUG, "a count is no number");
}

static bool print_groups(const struct ops_pg_rows *rows, struct sl_err *err)
{
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t row = 0; row < rows->row_count; row++) {
        const char *cells[SL_COUNT(columns)];
        for (size_t i = 0; i < SL_COUNT(columns); i++) {
            cells[i] = ops_pg_cell_text(rows, row, i);
        }
        ops_table_add(&table, cells);
    }
    return ops_table_print(&table, OPS_OUTPUT_TABLE, stderr, err);
}
