#include "ops/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/commands.h"
#include "ops/daemon.h"
#include "ops/plan.h"
#include "ops/table.h"
#include "shared/clock.h"
#include "shared/json/json_write.h"

#define FOR_MS_MIN        1000
#define FOR_MS_MAX        (INT64_C(30) * 24 * 3600 * 1000)
#define REQUEST_BYTES_MAX 4096u

const char ops_ingest_pause_usage[] =
    "  --source S        only this source's webhooks; default: all\n"
    "  --answer 429|503  what its senders are told (503)\n"
    "  --for D           end by itself after so long; default: until `sluice ingest resume`\n" OPS_USAGE_DRY_RUN
        OPS_DAEMON_USAGE OPS_USAGE_OUTPUT
    "Senders come again by themselves, Stripe for three days. A restart of the publisher ends a pause.\n"
    "Exit status: 0 paused, 2 --dry-run, 69 no publisher answers.\n";
const char ops_ingest_resume_usage[] =
    "  --source S        only this source's pause; default: every pause\n" OPS_USAGE_DRY_RUN
        OPS_DAEMON_USAGE OPS_USAGE_OUTPUT
    "Exit status: 0, also when nothing was paused; 2 --dry-run; 69 no publisher answers.\n";
const char ops_ingest_status_usage[] =
    OPS_DAEMON_USAGE OPS_USAGE_ROWS "Exit status: 0, paused or not; 69 no publisher answers.\n";

struct wish {
    const char *source;
    int64_t answer;
    int64_t for_ms;
    bool dry_run;
    struct ops_daemon_where where;
    enum ops_output output;
};

static int tell_dry(const char *command, const struct wish *wish);
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
static const char *seconds_of(struct ops_daemon *daemon, const struct sl_json *in, const char *key,
                              char out_text[SL_RFC3339_BYTES]);
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
        OPS_FLAG_DRY_RUN(wish.dry_run),
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
    if (wish.dry_run) {
        return tell_dry("ingest pause", &wish);
    }
    write_request("pause", &wish, &request);
    if (!ops_daemon_ask(&daemon, &wish.where, sl_buf_span(&request), &err)) {
        return ops_report("ingest pause", &err);
    }
    return tell_paused(&daemon, &wish) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* How it is now, and what would be asked of it. */
static int tell_dry(const char *command, const struct wish *wish)
{
    struct sl_err err = { 0 };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    if (!ops_daemon_ask(&daemon, &wish->where, SL_SPAN_LITERAL("{\"command\":\"status\"}"), &err) ||
        !tell_status(&daemon, wish, &err)) {
        return ops_report(command, &err);
    }
    bool is_pause = strcmp(command, "ingest pause") == 0;
    char answer[32] = "taken again";
    if (is_pause) {
        snprintf(answer, sizeof answer, "answered %d", (int)wish->answer);
    }
    fprintf(stderr, "%s: webhooks would be %s\n",
            wish->source == NULL ? "every source" : wish->source, answer);
    return ops_plan_end(true, OPS_PLAN_WET);
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
        OPS_FLAGS_ROWS(wish->output),
    };
    struct ops_flag flags[8];
    int first = 0;
    SL_ASSERT(own_count + SL_COUNT(common) <= SL_COUNT(flags));
    for (size_t i = 0; i < own_count; i++) {
        flags[i] = own[i];
    }
    for (size_t i = 0; i < SL_COUNT(common); i++) {
        flags[own_count + i] = common[i];
        if (own_count > 0 && common[i].kind == OPS_FLAG_OUTPUT) {
            flags[own_count + i].max = OPS_OUTPUT_JSON; /* only the status is rows */
        }
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
    char until_text[SL_RFC3339_BYTES];
    const char *until = seconds_of(daemon, pause, "until", until_text);
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
        OPS_FLAG_DRY_RUN(wish.dry_run),
    };
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf request;
    sl_buf_init(&request, REQUEST_BYTES_MAX);
    if (!read_wish(own, SL_COUNT(own), argc, argv, &wish, &err)) {
        return ops_report("ingest resume", &err);
    }
    if (wish.dry_run) {
        return tell_dry("ingest resume", &wish);
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
        { .title = "SOURCE" }, { .title = "INGEST" }, { .title = "ANSWER", .is_number = true },
        { .title = "SINCE" },  { .title = "UNTIL" },  { .title = "REFUSED", .is_number = true },
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
    if (!ops_table_print(&table, wish->output, stdout, err)) {
        return false;
    }
    if (wish->output == OPS_OUTPUT_TABLE) {
        tell_publisher(daemon);
    }
    return true;
}

static void add_row(struct ops_table *table, struct ops_daemon *daemon, const char *source,
                    const struct sl_json *pause)
{
    char since[SL_RFC3339_BYTES];
    char until[SL_RFC3339_BYTES];
    const char *cells[] = {
        source,
        pause == NULL ? "open" : "paused",
        ops_daemon_text(daemon, sl_json_get(pause, "answer")),
        seconds_of(daemon, pause, "since", since),
        seconds_of(daemon, pause, "until", until),
        ops_daemon_text(daemon, sl_json_get(pause, "refused")),
    };
    ops_table_add(table, cells);
}

/* A time of the daemon's answer without what is below a second. */
static const char *seconds_of(struct ops_daemon *daemon, const struct sl_json *in, const char *key,
                              char out_text[SL_RFC3339_BYTES])
{
    const char *text = ops_daemon_text(daemon, sl_json_get(in, key));
    size_t whole = strcspn(text, ".");
    snprintf(out_text, SL_RFC3339_BYTES, "%.*s%s", (int)whole, text, text[whole] == '.' ? "Z" : "");
    return out_text;
}

/* What else an operator wants to know at that moment. */
static void tell_publisher(struct ops_daemon *daemon)
{
    const struct sl_json *root = daemon->root;
    const struct sl_json *journal = sl_json_get(root, "journal");
    char since_text[SL_RFC3339_BYTES];
    const char *since = seconds_of(daemon, root, "degraded_since", since_text);
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
