#include "ops/ingest.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/commands.h"
#include "ops/daemon.h"
#include "ops/table.h"
#include "shared/json/json_write.h"

#define FOR_MS_MIN        1000
#define FOR_MS_MAX        (INT64_C(30) * 24 * 3600 * 1000)
#define REQUEST_BYTES_MAX 4096u

const char ops_ingest_pause_usage[] =
    "  --source S        only this source's webhooks; default: all\n"
    "  --answer 429|503  what its senders are told (503)\n"
    "  --for D           end by itself after so long; default: until `sluice ingest resume`\n" OPS_DAEMON_USAGE
    "Senders come again by themselves, Stripe for three days. A restart of the publisher ends a pause.\n"
    "Exit status: 0 paused, 69 no publisher answers.\n";
const char ops_ingest_resume_usage[] =
    "  --source S        only this source's pause; default: every pause\n" OPS_DAEMON_USAGE
    "Exit status: 0, also when nothing was paused; 69 no publisher answers.\n";
const char ops_ingest_status_usage[] =
    OPS_DAEMON_USAGE "Exit status: 0, paused or not; 69 no publisher answers.\n";

struct wish {
    const char *source;
    int64_t answer;
    int64_t for_ms;
    struct ops_daemon_where where;
    enum ops_output output;
};

static struct wish no_wish(void);
static bool read_wish(const struct ops_flag *own, size_t own_count, int argc, char **argv,
                      struct wish *wish, struct sl_err *err);
static void write_request(const char *command, const struct wish *wish, struct sl_buf *out);
static bool tell_paused(struct ops_daemon *daemon, const struct wish *wish);
static bool tell_resumed(struct ops_daemon *daemon, const struct wish *wish);
static bool tell_status(struct ops_daemon *daemon, const struct wish *wish, struct sl_err *err);
static void add_row(struct ops_table *table, struct ops_daemon *daemon, const char *source,
                    const struct sl_json *pause);
static const struct sl_json *pause_of(struct ops_daemon *daemon, const char *source);
static void tell_publisher(struct ops_daemon *daemon);
static bool print_json(const struct ops_daemon *daemon);

int ops_ingest_pause(int argc, char **argv)
{
    struct wish wish = no_wish();
    struct sl_err err = { 0 };
    const struct ops_flag own[] = {
        { .name = "source", .kind = OPS_FLAG_TEXT, .out = &wish.source },
        { .name = "answer", .kind = OPS_FLAG_COUNT, .out = &wish.answer, .min = 429, .max = 503 },
        { .name = "for",
          .kind = OPS_FLAG_DURATION,
          .out = &wish.for_ms,
          .min = FOR_MS_MIN,
          .max = FOR_MS_MAX },
    };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf request;
    sl_buf_init(&request, REQUEST_BYTES_MAX);
    if (!read_wish(own, SL_COUNT(own), argc, argv, &wish, &err)) {
        return ops_report("ingest pause", &err);
    }
    if (wish.answer != 429 && wish.answer != 503) {
        sl_fail(&err, SL_E_USAGE, "--answer is 429 or 503, not %d", (int)wish.answer);
        return ops_report("ingest pause", &err);
    }
    write_request("pause", &wish, &request);
    if (!ops_daemon_ask(&daemon, &wish.where, sl_buf_span(&request), &err)) {
        return ops_report("ingest pause", &err);
    }
    return tell_paused(&daemon, &wish) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static struct wish no_wish(void)
{
    return (struct wish){
        .answer = 503,
        .where = { .program = OPS_PUBLISHER, .timeout_ms = OPS_DAEMON_TIMEOUT_MS },
    };
}

/* A command's own flags, and those that all have. */
static bool read_wish(const struct ops_flag *own, size_t own_count, int argc, char **argv,
                      struct wish *wish, struct sl_err *err)
{
    const struct ops_flag common[] = {
        OPS_FLAGS_DAEMON(wish->where),
        OPS_FLAGS_OUTPUT(wish->output),
    };
    struct ops_flag flags[8];
    int first = 0;
    SL_ASSERT(own_count + SL_COUNT(common) <= SL_COUNT(flags));
    for (size_t i = 0; i < own_count; i++) {
        flags[i] = own[i];
    }
    for (size_t i = 0; i < SL_COUNT(common); i++) {
        flags[own_count + i] = common[i];
    }
    return ops_flags_read(flags, own_count + SL_COUNT(common), argc, argv, 0, 0, &first, err);
}

static void write_request(const char *command, const struct wish *wish, struct sl_buf *out)
{
    struct sl_json_writer json = sl_json_writer_make(out);
    bool is_pause = strcmp(command, "pause") == 0;
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "command", sl_span_of(command));
    if (wish->source != NULL) {
        sl_json_put_text(&json, "source", sl_span_of(wish->source));
    }
    if (is_pause) {
        sl_json_put_int(&json, "answer", wish->answer);
    }
    if (is_pause && wish->for_ms > 0) {
        sl_json_put_int(&json, "for_ms", wish->for_ms);
    }
    sl_json_object_end(&json);
}

static bool tell_paused(struct ops_daemon *daemon, const struct wish *wish)
{
    if (wish->output == OPS_OUTPUT_JSON) {
        return print_json(daemon);
    }
    const struct sl_json *pause = pause_of(daemon, wish->source);
    const char *until = ops_daemon_text(daemon, sl_json_get(pause, "until"));
    printf("%s: webhooks are answered %s %s%s\nlet them in again: sluice ingest resume%s%s\n",
           wish->source == NULL ? "every source" : wish->source,
           ops_daemon_text(daemon, sl_json_get(pause, "answer")),
           until[0] == '\0' ? "until they are resumed" : "until ", until,
           wish->source == NULL ? "" : " --source ", wish->source == NULL ? "" : wish->source);
    return true;
}

/* The pause of that source; with NULL the one for all. NULL: there is none. */
static const struct sl_json *pause_of(struct ops_daemon *daemon, const char *source)
{
    const struct sl_json *paused = sl_json_get(daemon->root, "paused");
    for (const struct sl_json *one = paused == NULL ? NULL : paused->first; one != NULL;
         one = one->next) {
        const struct sl_json *named = sl_json_get(one, "source");
        bool is_it = source == NULL ? sl_json_is_null(named)
                                    : !sl_json_is_null(named) &&
                                          strcmp(ops_daemon_text(daemon, named), source) == 0;
        if (is_it) {
            return one;
        }
    }
    return NULL;
}

static bool print_json(const struct ops_daemon *daemon)
{
    return printf("%s\n", daemon->answer.data) > 0;
}

int ops_ingest_resume(int argc, char **argv)
{
    struct wish wish = no_wish();
    struct sl_err err = { 0 };
    const struct ops_flag own[] = {
        { .name = "source", .kind = OPS_FLAG_TEXT, .out = &wish.source },
    };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf request;
    sl_buf_init(&request, REQUEST_BYTES_MAX);
    if (!read_wish(own, SL_COUNT(own), argc, argv, &wish, &err)) {
        return ops_report("ingest resume", &err);
    }
    write_request("resume", &wish, &request);
    if (!ops_daemon_ask(&daemon, &wish.where, sl_buf_span(&request), &err)) {
        return ops_report("ingest resume", &err);
    }
    return tell_resumed(&daemon, &wish) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool tell_resumed(struct ops_daemon *daemon, const struct wish *wish)
{
    if (wish->output == OPS_OUTPUT_JSON) {
        return print_json(daemon);
    }
    int64_t ended = 0;
    (void)sl_json_int(sl_json_get(daemon->root, "ended"), &ended);
    const char *whose = wish->source == NULL ? "every source" : wish->source;
    printf(ended == 0 ? "%s: nothing was paused\n" : "%s: webhooks are taken again\n", whose);
    return true;
}

int ops_ingest_status(int argc, char **argv)
{
    struct wish wish = no_wish();
    struct sl_err err = { 0 };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    if (!read_wish(NULL, 0, argc, argv, &wish, &err) ||
        !ops_daemon_ask(&daemon, &wish.where, SL_SPAN_LITERAL("{\"command\":\"status\"}"), &err) ||
        !tell_status(&daemon, &wish, &err)) {
        return ops_report("ingest status", &err);
    }
    return EXIT_SUCCESS;
}

static bool tell_status(struct ops_daemon *daemon, const struct wish *wish, struct sl_err *err)
{
    static const struct ops_column columns[] = {
        { "SOURCE", false }, { "INGEST", false }, { "ANSWER", true },
        { "SINCE", false },  { "UNTIL", false },  { "REFUSED", true },
    };
    if (wish->output == OPS_OUTPUT_JSON) {
        return print_json(daemon);
    }
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    const struct sl_json *of_all = pause_of(daemon, NULL);
    if (of_all != NULL) {
        add_row(&table, daemon, "(all)", of_all);
    }
    const struct sl_json *sources = sl_json_get(daemon->root, "sources");
    for (const struct sl_json *source = sources == NULL ? NULL : sources->first; source != NULL;
         source = source->next) {
        const char *name = ops_daemon_text(daemon, source);
        const struct sl_json *own = pause_of(daemon, name);
        add_row(&table, daemon, name, own != NULL ? own : of_all);
    }
    if (!ops_table_print(&table, OPS_OUTPUT_TABLE, stdout, err)) {
        return false;
    }
    tell_publisher(daemon);
    return true;
}

static void add_row(struct ops_table *table, struct ops_daemon *daemon, const char *source,
                    const struct sl_json *pause)
{
    const char *cells[] = {
        source,
        pause == NULL ? "open" : "paused",
        ops_daemon_text(daemon, sl_json_get(pause, "answer")),
        ops_daemon_text(daemon, sl_json_get(pause, "since")),
        ops_daemon_text(daemon, sl_json_get(pause, "until")),
        ops_daemon_text(daemon, sl_json_get(pause, "refused")),
    };
    ops_table_add(table, cells);
}

/* What else an operator wants to know at that moment. */
static void tell_publisher(struct ops_daemon *daemon)
{
    const struct sl_json *root = daemon->root;
    const struct sl_json *journal = sl_json_get(root, "journal");
    const char *since = ops_daemon_text(daemon, sl_json_get(root, "degraded_since"));
    printf("\nbroker %s%s%s; %s in flight; ",
           ops_daemon_text(daemon, sl_json_at(root, "broker.state")),
           since[0] == '\0' ? "" : ", degraded since ", since,
           ops_daemon_text(daemon, sl_json_get(root, "inflight")));
    if (sl_json_is_null(journal)) {
        printf("no journal");
    } else {
        printf("journal %s, %s events", ops_daemon_text(daemon, sl_json_get(journal, "state")),
               ops_daemon_text(daemon, sl_json_get(journal, "events")));
    }
    printf("; log level %s, of degraded lines %s\n",
           ops_daemon_text(daemon, sl_json_get(root, "log_level")),
           ops_daemon_text(daemon, sl_json_get(root, "degraded_log_level")));
}
