#include "ops/breaker_database.h"

#include <stdio.h>

#include "ops/plan.h"
#include "ops/queue/order_write.h"
#include "shared/clock.h"
#include "shared/json/json_write.h"

#define REQUEST_BYTES_MAX 2048u
#define US_PER_MS         1000
#define SECONDS_BYTES     19 /* of an RFC 3339 time, up to its seconds */

static bool write_row(const struct ops_breaker_wish *wish, int *out_status, struct sl_err *err);
static bool tell_socket(const struct ops_breaker_wish *wish, struct sl_err *err);
static bool say(const struct ops_breaker_wish *wish, const char *scope, struct sl_err *err);
static void put_time(const struct sl_json *ms, char out_text[SL_RFC3339_BYTES]);

bool ops_breaker_database(const struct ops_breaker_wish *wish, int *out_status, struct sl_err *err)
{
    struct sl_err away = { 0 };
    struct sl_err deaf = { 0 };
    if (write_row(wish, out_status, &away)) {
        return true;
    }
    if (!ops_breaker_is_away(&away)) {
        *err = away;
        return false;
    }
    fprintf(stderr, "%s\n", away.text);
    if (tell_socket(wish, &deaf)) {
        *out_status = wish->dry_run ? ops_plan_end(true, OPS_PLAN_WET) : *out_status;
        return true;
    }
    *err = deaf;
    return sl_err_wrap(err, "Postgres takes no order, and this machine's consumer");
}

bool ops_breaker_is_away(const struct sl_err *why)
{
    return why->code == SL_E_PG_UNREACHABLE || why->code == SL_E_PG_SYSTEMIC ||
           why->code == SL_E_PG_HALT || why->code == SL_E_DEADLINE;
}

static bool write_row(const struct ops_breaker_wish *wish, int *out_status, struct sl_err *err)
{
    char at[OPS_ORDER_TIME_BYTES];
    SL_AUTO(ops_pg_session_free)
    struct ops_pg_session *session = ops_pg_session_here("sluice breaker", false, err);
    const struct ops_order written = { .subsystem = "",
                                       .name = "breaker (database)",
                                       .value = wish->is_trip ? "\"open\"" : "\"closed\"",
                                       .reason = wish->reason,
                                       .for_ms = wish->for_ms,
                                       .dry_run = wish->dry_run };
    if (session == NULL || !ops_order_write(session, &written, NULL, at, err)) {
        return false;
    }
    return say(wish, NULL, err) && ops_order_tell(session, "", at, false, out_status, err);
}

static bool tell_socket(const struct ops_breaker_wish *wish, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf request;
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    sl_buf_init(&request, REQUEST_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&request);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "command", SL_SPAN_LITERAL("database"));
    sl_json_put_text(&json, "state", sl_span_of(wish->is_trip ? "open" : "closed"));
    if (wish->reason != NULL) {
        sl_json_put_text(&json, "reason", sl_span_of(wish->reason));
    }
    if (wish->for_ms != 0) {
        sl_json_put_int(&json, "for_ms", wish->for_ms);
    }
    sl_json_object_end(&json);
    if (!sl_buf_ok(&request)) {
        return sl_fail(err, SL_E_USAGE, "--reason is too long");
    }
    struct sl_span asked = wish->dry_run
                               ? SL_SPAN_LITERAL("{\"command\":\"status\"}") /* is it there? */
                               : sl_buf_span(&request);
    if (!ops_daemon_ask(&daemon, &wish->where, asked, err)) {
        return false;
    }
    return say(wish, " of this machine's consumer alone, until it is restarted", err);
}

static bool say(const struct ops_breaker_wish *wish, const char *scope, struct sl_err *err)
{
    const struct ops_breaker_told told = {
        .subsystem = "*",
        .type = "(database)",
        .scope = scope,
        .what =
            wish->is_trip
                ? "left alone; no transaction begins, no delivery is taken, what is in hand is kept"
                : "tried again",
    };
    return ops_breaker_tell(wish, &told, err);
}

bool ops_breaker_tell(const struct ops_breaker_wish *wish, const struct ops_breaker_told *told,
                      struct sl_err *err)
{
    static const struct ops_column columns[] = {
        { .title = "SUBSYSTEM" },
        { .title = "TYPE" },
        { .title = "STATE" },
        { .title = "DONE", .is_yes_no = true },
    };
    bool is_database = strcmp(told->subsystem, "*") == 0;
    if (wish->output != OPS_OUTPUT_TABLE) {
        SL_DONE(ops_table_done) struct ops_table table = { 0 };
        ops_table_init(&table, columns, SL_COUNT(columns));
        ops_table_add(&table, (const char *const[]){ told->subsystem, told->type,
                                                     wish->is_trip ? "open" : "closed",
                                                     wish->dry_run ? "no" : "yes" });
        return ops_table_print(&table, wish->output, stdout, err);
    }
    printf("%s %s%s: %s%s\n", told->subsystem, told->type, told->scope == NULL ? "" : told->scope,
           wish->dry_run ? "would be " : "", told->what);
    if (wish->is_trip && wish->for_ms == 0 && !wish->dry_run) {
        printf("until: sluice breaker close %s%s%s\n", is_database ? "--database" : told->subsystem,
               is_database ? "" : " ", is_database ? "" : told->type);
    }
    return true;
}

bool ops_breaker_database_show(const struct ops_daemon_where *where, struct ops_table *table,
                               struct sl_err *err)
{
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    if (!ops_daemon_ask(&daemon, where, SL_SPAN_LITERAL("{\"command\":\"status\"}"), err)) {
        return false;
    }
    const struct sl_json *list = sl_json_get(daemon.root, "breakers");
    for (const struct sl_json *one = list == NULL ? NULL : list->first; one != NULL;
         one = one->next) {
        char since[SL_RFC3339_BYTES];
        char probe[SL_RFC3339_BYTES];
        put_time(sl_json_get(one, "since_ms"), since);
        put_time(sl_json_get(one, "probe_ms"), probe);
        const char *cells[] = { "*",
                                ops_daemon_text(&daemon, sl_json_get(one, "type")),
                                ops_daemon_text(&daemon, sl_json_get(one, "state")),
                                since,
                                probe,
                                "",
                                "",
                                ops_daemon_text(&daemon, sl_json_get(one, "code")),
                                "" };
        ops_table_add(table, cells);
    }
    return true;
}

/* To the second; "" when there is none. */
static void put_time(const struct sl_json *ms, char out_text[SL_RFC3339_BYTES])
{
    int64_t wall_ms = 0;
    out_text[0] = '\0';
    if (sl_json_int(ms, &wall_ms)) {
        sl_clock_rfc3339(wall_ms * US_PER_MS, out_text);
        out_text[SECONDS_BYTES] = 'Z';
        out_text[SECONDS_BYTES + 1] = '\0';
    }
}
