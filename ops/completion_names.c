#include "ops/completion_names.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ops/gameday/gameday_scenario.h"
#include "ops/pg_session.h"
#include "ops/sections.h"

#define LIMIT_S     1   /* of all of it */
#define PATIENCE_MS 700 /* with the database */

static const struct {
    const char *command; /* NULL: any */
    const char *text;
    const char *names;
} rows[] = {
    { "breaker close", "SUBSYSTEM", "breakers" },
    { "breaker trip", "SUBSYSTEM", "subsystems,types" },
    { "dead replay", "--to", "subsystems" },
    { NULL, "SUBSYSTEM", "subsystems" },
    { NULL, "[SUBSYSTEM]", "subsystems" },
    { NULL, "[SUBSYSTEM...]", "subsystems" },
    { NULL, "QUEUE", "queues" },
    { NULL, "RUN", "runs" },
    { NULL, "SCENARIO", "gamedays" },
    { NULL, "--subsystem", "subsystems" },
    { NULL, "--type", "types" },
    { NULL, "--fingerprint", "groups" },
    { NULL, "--run", "runs" },
    { NULL, "--resume", "runs" },
};

/* Each is quick on any table: what is common, what came lately, and no more than that is looked at. */
static const char types_sql[] =
    "SELECT DISTINCT t FROM (SELECT unnest(most_common_vals::text::text[]) AS t FROM pg_stats"
    "  WHERE schemaname = current_schema() AND tablename LIKE 'sluice\\_inbox%' AND attname = 'type'"
    " UNION ALL (SELECT type FROM sluice_inbox WHERE received_at > now() - interval '6 hours' LIMIT 5000)"
    " UNION ALL (SELECT type FROM sluice_dead_letter WHERE status = 'open' LIMIT 5000)) s WHERE t IS NOT NULL ORDER BY 1 LIMIT 300";
static const char breakers_sql[] =
    "SELECT unnest(ARRAY[subsystem, type]) FROM (SELECT c.subsystem, b.type FROM sluice_consumer c,"
    "   jsonb_to_recordset(c.breakers) AS b(type text, database boolean)"
    "   WHERE c.seen_at > now() - interval '15 seconds' AND NOT coalesce(b.database, false)"
    "  UNION SELECT subsystem, substr(name, 9) FROM sluice_control"
    "   WHERE name LIKE 'breaker %' AND (expires_at IS NULL OR expires_at > now())) x LIMIT 300";
static const char groups_sql[] =
    "SELECT fingerprint FROM sluice_dead_letter WHERE status = 'open' GROUP BY 1 ORDER BY max(id) DESC LIMIT 300";
static const char runs_sql[] =
    "SELECT run FROM sluice_replay_run ORDER BY created_at DESC LIMIT 50";

static void put_sections(bool is_queues);
static void put_gamedays(void);
static void put_rows(const char *sql);
static void put(struct sl_span name);
static void on_alarm(int number);

const char *ops_completion_names_of(const char *command, const struct ops_usage_item *item)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        if ((rows[i].command == NULL || strcmp(rows[i].command, command) == 0) &&
            sl_span_is(item->text, rows[i].text)) {
            return rows[i].names;
        }
    }
    return NULL;
}

void ops_completion_names_print(const char *whats)
{
    struct sl_span rest = sl_span_of(whats);
    struct sl_span what = { 0 };
    (void)signal(SIGALRM, on_alarm);
    (void)alarm(LIMIT_S);
    while (rest.data != NULL && sl_span_split(&rest, ',', &what)) {
        if (sl_span_is(what, "subsystems") || sl_span_is(what, "queues")) {
            put_sections(sl_span_is(what, "queues"));
        } else if (sl_span_is(what, "gamedays")) {
            put_gamedays();
        } else if (sl_span_is(what, "types")) {
            put_rows(types_sql);
        } else if (sl_span_is(what, "breakers")) {
            put_rows(breakers_sql);
        } else if (sl_span_is(what, "groups")) {
            put_rows(groups_sql);
        } else if (sl_span_is(what, "runs")) {
            put_rows(runs_sql);
        }
        (void)fflush(stdout); /* what is known so far, should the alarm come */
    }
    (void)alarm(0);
}

static void put_sections(bool is_queues)
{
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(sl_subsystems_done) struct sl_subsystems subsystems = { 0 };
    struct sl_err err = { 0 };
    if (!ops_address_open(&address, &err) || !ops_sections_load(&address, &subsystems, &err)) {
        return;
    }
    for (size_t i = 0; i < subsystems.count; i++) {
        const struct sl_subsystem *one = &subsystems.items[i];
        if (one->enabled && is_queues) {
            printf("%s\n%s.replay\n", one->queue, one->queue);
        } else if (one->enabled) {
            puts(one->name);
        }
    }
}

static void put_gamedays(void)
{
    const struct ops_gameday_scenario *scenario = NULL;
    for (size_t i = 0; (scenario = ops_gameday_scenario_at(i)) != NULL; i++) {
        puts(scenario->name);
    }
}

static void put_rows(const char *sql)
{
    SL_DONE(ops_pg_rows_done) struct ops_pg_rows found = { 0 };
    struct sl_err err = { 0 };
    SL_AUTO(ops_pg_address_free) char *conninfo = ops_pg_address(NULL, &err);
    const struct ops_pg_session_opts opts = { .conninfo = conninfo,
                                              .application_name = "sluice completion",
                                              .read_only = true,
                                              .open_ms = PATIENCE_MS,
                                              .statement_ms = PATIENCE_MS };
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = conninfo == NULL ? NULL : ops_pg_session_open(&opts, &err);
    if (session == NULL || !ops_pg_query(session, sql, NULL, 0, &found, &err)) {
        return;
    }
    for (size_t i = 0; i < found.row_count; i++) {
        put(ops_pg_cell(&found, i, 0));
    }
}

/* A type is what a sender made it, and the shell runs what stands in backquotes. */
static void put(struct sl_span name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '.' || c == '_' || (c == '-' && i > 0);
        if (!is_plain) {
            return;
        }
    }
    if (name.bytes > 0) {
        printf("%.*s\n", SL_SPAN_ARGS(name));
    }
}

static void on_alarm(int number)
{
    (void)number;
    _exit(0);
}
