#include "ops/breaker.h"

#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/pg_table.h"
#include "ops/queue/order_write.h"
#include "ops/sections.h"
#include "shared/nearest.h"

#define FOR_MS_MAX     (INT64_C(30) * 24 * 3600 * 1000)
#define CLOSE_MS       10000 /* long enough for every consumer to read it */
#define TEXT_BYTES_MAX 200u
#define NAME_BYTES     256u

#define TIME(at)                                                                                   \
    "coalesce(to_char(" at " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '')"
static const char list_sql[] =
    "WITH seen AS (SELECT c.subsystem, b.type, min(b.state) FILTER (WHERE b.state = 'open') IS NOT NULL AS open,"
    "   to_timestamp(min(b.since_ms) / 1000.0) AS since, to_timestamp(min(b.probe_ms) / 1000.0) AS probe_at"
    "   FROM sluice_consumer c, jsonb_to_recordset(c.breakers) AS b(type text, state text, since_ms bigint, probe_ms bigint)"
    "   WHERE c.seen_at > now() - interval '15 seconds' GROUP BY 1, 2),"
    " ordered AS (SELECT subsystem, substr(name, 9) AS type, value #>> '{}' AS state, reason, actor, updated_at, expires_at"
    "   FROM sluice_control WHERE name LIKE 'breaker %' AND (expires_at IS NULL OR expires_at > now()))"
    " SELECT subsystem, type, CASE WHEN s.type IS NULL THEN o.state WHEN s.open THEN 'open' ELSE 'half_open' END, " TIME(
        "coalesce(s.since, o.updated_at)") ", " TIME("s.probe_at") ", " TIME("o.expires_at") ", coalesce(o.state, ''), coalesce(o.reason, ''), coalesce(o.actor, '')"
                                                                                             " FROM seen s FULL JOIN ordered o USING (subsystem, type) WHERE $1 = '' OR subsystem = $1 ORDER BY 1, 2";
static const struct ops_column list_columns[] = {
    { .title = "SUBSYSTEM" }, { .title = "TYPE" },   { .title = "STATE" },
    { .title = "SINCE" },     { .title = "PROBE" },  { .title = "UNTIL" },
    { .title = "ORDERED" },   { .title = "REASON" }, { .title = "BY" },
};

const char ops_breaker_list_usage[] =
    "  [SUBSYSTEM]       whose\n"
    "  -o table|json|ndjson|csv  for people (default) or for programs\n"
    "Breakers that are not closed, and those that are ordered so. PROBE: the next event of the type that comes\n"
    "after it is tried, and closes the breaker when it is applied. Consumers say this about every second.\n";

const char ops_breaker_trip_usage[] =
    "  SUBSYSTEM TYPE    of the events that are not to be tried\n"
    "  --for D           ends by itself after that; without it: sluice breaker close\n"
    "  --reason TEXT     shown to the others\n"
    "They wait in the broker, no attempt is spent, none is given up; the other types flow. Exit status: 0 every\n"
    "running consumer follows, 75 not all do yet.\n";

const char ops_breaker_close_usage[] =
    "  SUBSYSTEM TYPE    of the events that are to be tried again\n"
    "  --for D           nothing opens it for so long (10s)\n"
    "  --reason TEXT     shown to the others\n"
    "What is held comes back by itself, within five probe intervals (breaker_probe) and a quarter. Close it when\n"
    "the cause is mended: what fails again opens it again. Exit status: 0 every running consumer follows, 75 not\n"
    "all do yet.\n";

struct wish {
    const char *reason;
    int64_t for_ms;
    enum ops_output output;
    char **words;
    int word_count;
};

static bool read_wish(struct wish *wish, bool is_order, int argc, char **argv, struct sl_err *err);
static bool list(const struct wish *wish, struct sl_err *err);
static int order(const char *command, bool is_trip, int argc, char **argv);
static bool check(const struct wish *wish, struct sl_err *err);
static bool act(const struct wish *wish, bool is_trip, int *out_status, struct sl_err *err);

int ops_breaker_list(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { 0 };
    bool is_done = read_wish(&wish, false, argc, argv, &err) && list(&wish, &err);
    return is_done ? EX_OK : ops_report("breaker list", &err);
}

int ops_breaker_trip(int argc, char **argv)
{
    return order("breaker trip", true, argc, argv);
}

int ops_breaker_close(int argc, char **argv)
{
    return order("breaker close", false, argc, argv);
}

static bool read_wish(struct wish *wish, bool is_order, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag list_flags[] = { OPS_FLAGS_ROWS(wish->output) };
    const struct ops_flag order_flags[] = {
        { .name = "for",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->for_ms,
          .min = 1000,
          .max = FOR_MS_MAX },
        { .name = "reason", .kind = OPS_FLAG_TEXT, .out = (void *)&wish->reason },
    };
    int first = 0;
    if (!ops_flags_read(is_order ? order_flags : list_flags,
                        is_order ? SL_COUNT(order_flags) : SL_COUNT(list_flags), argc, argv,
                        is_order ? 2 : 0, is_order ? 2 : 1, &first, err)) {
        return false;
    }
    wish->words = argv + first;
    wish->word_count = argc - first;
    if (wish->reason != NULL && strlen(wish->reason) > TEXT_BYTES_MAX) {
        return sl_fail(err, SL_E_USAGE, "--reason takes at most %u bytes", TEXT_BYTES_MAX);
    }
    return true;
}

static bool list(const struct wish *wish, struct sl_err *err)
{
    const struct sl_pg_param param = ops_pg_param(wish->word_count == 0 ? "" : wish->words[0]);
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows rows = { 0 };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice breaker", false, err);
    if (session == NULL || !ops_pg_query(session, list_sql, &param, 1, &rows, err) ||
        !ops_pg_table_print(&rows, list_columns, SL_COUNT(list_columns), wish->output, err)) {
        return false;
    }
    if (rows.row_count == 0) {
        fputs("every breaker is closed, as far as running consumers say\n", stderr);
    }
    return true;
}

static int order(const char *command, bool is_trip, int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { 0 };
    int status = EX_OK;
    bool is_done = read_wish(&wish, true, argc, argv, &err) && check(&wish, &err) &&
                   act(&wish, is_trip, &status, &err);
    return is_done ? status : ops_report(command, &err);
}

static const char *next_section(const void *arg, size_t i)
{
    const struct sl_subsystems *subsystems = arg;
    return i < subsystems->count ? subsystems->items[i].name : NULL;
}

static bool check(const struct wish *wish, struct sl_err *err)
{
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    struct sl_span name = sl_span_of(wish->words[0]);
    if (strlen(wish->words[1]) == 0 || strlen(wish->words[1]) > TEXT_BYTES_MAX) {
        return sl_fail(err, SL_E_USAGE, "an event type has 1 to %u bytes", TEXT_BYTES_MAX);
    }
    if (!ops_address_open(&address, err) || !ops_sections_load(&address, &subsystems, err)) {
        return false;
    }
    if (sl_subsystems_find(&subsystems, name) == NULL) {
        const char *nearest = sl_nearest_of(name, next_section, &subsystems);
        return sl_fail(err, SL_E_USAGE, "the subsystems file has no section '%.60s'%s%s%s",
                       wish->words[0], nearest == NULL ? "" : "; did you mean ",
                       nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
    }
    return true;
}

static bool act(const struct wish *wish, bool is_trip, int *out_status, struct sl_err *err)
{
    char name[NAME_BYTES];
    char at[OPS_ORDER_TIME_BYTES];
    int64_t for_ms = !is_trip && wish->for_ms == 0 ? CLOSE_MS : wish->for_ms;
    snprintf(name, sizeof name, "breaker %s", wish->words[1]);
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice breaker", false, err);
    const struct ops_order written = { .subsystem = wish->words[0],
                                       .name = name,
                                       .value = is_trip ? "\"open\"" : "\"closed\"",
                                       .reason = wish->reason,
                                       .for_ms = for_ms };
    if (session == NULL || !ops_order_write(session, &written, NULL, at, err)) {
        return false;
    }
    printf("%s %s: %s\n", wish->words[0], wish->words[1],
           is_trip ? "not tried; its events wait in the broker, unspent"
                   : "tried again; what was held comes back by itself");
    if (is_trip && wish->for_ms == 0) {
        printf("until: sluice breaker close %s %s\n", wish->words[0], wish->words[1]);
    }
    return ops_order_tell(session, wish->words[0], at, false, out_status, err);
}
