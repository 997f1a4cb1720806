#include "ops/log_level.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/commands.h"
#include "ops/daemon.h"
#include "ops/plan.h"
#include "ops/table.h"
#include "shared/json/json_write.h"

#define REQUEST_BYTES_MAX 1024u

const char ops_log_show_usage[] =
    OPS_DAEMON_USAGE OPS_USAGE_ROWS "Exit status: 0, 69 no publisher answers.\n";
const char ops_log_set_usage[] =
    "  --level L         LOG_LEVEL: debug, info, warn, error or fatal\n"
    "  --degraded L      EVENTBUS_DEGRADED_LOG_LEVEL: of the lines publish.journaled and\n"
    "                    publish.dropped, which are logged whatever LOG_LEVEL is\n" OPS_USAGE_DRY_RUN
        OPS_DAEMON_USAGE OPS_USAGE_ROWS
    "In force at once, until the publisher is restarted or reads its configuration again (SIGHUP).\n"
    "Exit status: 0, 2 --dry-run, 64 no such level, 69 no publisher answers.\n";

struct wish {
    const char *level;
    const char *degraded;
    bool dry_run;
    struct ops_daemon_where where;
    enum ops_output output;
};

static bool read_wish(bool is_set, int argc, char **argv, struct wish *wish, struct sl_err *err);
static bool set(const char *command, const char *level, const struct wish *wish,
                struct ops_daemon *daemon, struct sl_err *err);
static int tell_dry(const struct wish *wish);
static bool show(struct ops_daemon *daemon, const struct wish *wish, struct sl_err *err);

int ops_log_show(int argc, char **argv)
{
    struct wish wish = { 0 };
    struct sl_err err = { 0 };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    if (!read_wish(false, argc, argv, &wish, &err) ||
        !ops_daemon_ask(&daemon, &wish.where, SL_SPAN_LITERAL("{\"command\":\"status\"}"), &err) ||
        !show(&daemon, &wish, &err)) {
        return ops_report("log show", &err);
    }
    return EXIT_SUCCESS;
}

static bool read_wish(bool is_set, int argc, char **argv, struct wish *wish, struct sl_err *err)
{
    int first = 0;
    wish->where =
        (struct ops_daemon_where){ .program = OPS_PUBLISHER, .timeout_ms = OPS_DAEMON_TIMEOUT_MS };
    const struct ops_flag flags[] = {
        OPS_FLAGS_DAEMON(wish->where),
        OPS_FLAGS_ROWS(wish->output),
        { .name = "level", .kind = OPS_FLAG_TEXT, .out = &wish->level },
        { .name = "degraded", .kind = OPS_FLAG_TEXT, .out = &wish->degraded },
        OPS_FLAG_DRY_RUN(wish->dry_run),
    };
    size_t count = is_set ? SL_COUNT(flags) : SL_COUNT(flags) - 3;
    return ops_flags_read(flags, count, argc, argv, 0, 0, &first, err);
}

static bool show(struct ops_daemon *daemon, const struct wish *wish, struct sl_err *err)
{
    static const struct ops_column columns[] = { { .title = "NAME" }, { .title = "LEVEL" } };
    static const char *const rows[][2] = {
        { "LOG_LEVEL", "log_level" },
        { "EVENTBUS_DEGRADED_LOG_LEVEL", "degraded_log_level" },
    };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        const char *cells[] = { rows[i][0],
                                ops_daemon_text(daemon, sl_json_get(daemon->root, rows[i][1])) };
        ops_table_add(&table, cells);
    }
    return ops_table_print(&table, wish->output, stdout, err);
}

int ops_log_set(int argc, char **argv)
{
    struct wish wish = { 0 };
    struct sl_err err = { 0 };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    bool is_read = read_wish(true, argc, argv, &wish, &err);
    if (is_read && wish.level == NULL && wish.degraded == NULL) {
        is_read = sl_fail(&err, SL_E_USAGE, "which level? give --level, --degraded, or both");
    }
    if (is_read && wish.dry_run) {
        return tell_dry(&wish);
    }
    if (!is_read || !set("log-level", wish.level, &wish, &daemon, &err) ||
        !set("degraded-log-level", wish.degraded, &wish, &daemon, &err) ||
        !show(&daemon, &wish, &err)) {
        return ops_report("log set", &err);
    }
    return EXIT_SUCCESS;
}

static int tell_dry(const struct wish *wish)
{
    struct sl_err err = { 0 };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    if (!ops_daemon_ask(&daemon, &wish->where, SL_SPAN_LITERAL("{\"command\":\"status\"}"), &err) ||
        !show(&daemon, wish, &err)) {
        return ops_report("log set", &err);
    }
    if (wish->level != NULL) {
        fprintf(stderr, "LOG_LEVEL would be %s\n", wish->level);
    }
    if (wish->degraded != NULL) {
        fprintf(stderr, "EVENTBUS_DEGRADED_LOG_LEVEL would be %s\n", wish->degraded);
    }
    return ops_plan_end(true, OPS_PLAN_WET);
}

/* Nothing when no level was given. */
static bool set(const char *command, const char *level, const struct wish *wish,
                struct ops_daemon *daemon, struct sl_err *err)
{
    if (level == NULL) {
        return true;
    }
    SL_DONE(sl_buf_done) struct sl_buf request;
    sl_buf_init(&request, REQUEST_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&request);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "command", sl_span_of(command));
    sl_json_put_text(&json, "level", sl_span_of(level));
    sl_json_object_end(&json);
    ops_daemon_done(daemon);
    return ops_daemon_ask(daemon, &wish->where, sl_buf_span(&request), err);
}
