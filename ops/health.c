#include "ops/health.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/address.h"
#include "ops/commands.h"
#include "ops/fetch.h"
#include "ops/flags.h"
#include "ops/table.h"
#include "shared/json/json.h"

#define TIMEOUT_DEFAULT_MS 3000
#define TIMEOUT_MAX_MS     60000
#define BODY_BYTES_MAX     65536u
#define NODES_MAX          256u
#define CELL_BYTES         256u

struct wish {
    const char *only; /* "publisher", "consumer"; NULL: both */
    const char *url;
    int64_t timeout_ms;
    bool live;
    enum ops_output output;
};

/* What one daemon said. */
struct seen {
    char url[OPS_URL_BYTES];
    bool answers;            /* GET /health was 200 */
    bool is_ready;           /* GET /readyz was 200 */
    char health[CELL_BYTES]; /* its "status", or what came instead */
    char ready[CELL_BYTES];
    char version[CELL_BYTES];
    char note[CELL_BYTES]; /* why it cannot be reached, or what /readyz said */
};

static const struct ops_column columns[] = {
    { .title = "PROGRAM" }, { .title = "ADDRESS" },
    { .title = "HEALTH" },  { .title = "READY", .is_yes_no = true },
    { .title = "VERSION" }, { .title = "NOTE" },
};

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err);
static bool check(const struct wish *wish, bool *out_well, struct sl_err *err);
static void look(const struct wish *wish, struct seen *seen);
static void read_health(struct sl_span body, struct seen *seen);
static void note_paused(struct sl_span body, struct seen *seen);
static void read_reason(struct sl_span body, struct seen *seen);
static void take_text(struct sl_span body, const char *key, char out[CELL_BYTES]);
static bool get(const struct seen *seen, const char *path, int64_t timeout_ms, int *out_status,
                struct sl_buf *body, struct sl_err *err);

int ops_health(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .timeout_ms = TIMEOUT_DEFAULT_MS };
    bool is_well = false;
    if (!read_wish(argc, argv, &wish, &err) || !check(&wish, &is_well, &err)) {
        (void)ops_report("health", &err);
        return EXIT_FAILURE; /* whoever asks for health knows 0 and 1 */
    }
    return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "url", .kind = OPS_FLAG_TEXT, .out = &wish->url },
        { .name = "live", .kind = OPS_FLAG_SWITCH, .out = &wish->live },
        { .name = "timeout",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->timeout_ms,
          .min = 100,
          .max = TIMEOUT_MAX_MS },
        OPS_FLAGS_ROWS(wish->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err)) {
        return false;
    }
    wish->only = first < argc ? argv[first] : NULL;
    if (wish->only != NULL && strcmp(wish->only, "publisher") != 0 &&
        strcmp(wish->only, "consumer") != 0) {
        return sl_fail(err, SL_E_USAGE, "'%.40s' is neither publisher nor consumer", wish->only);
    }
    if (wish->url != NULL && wish->only == NULL) {
        return sl_fail(err, SL_E_USAGE, "--url needs to know whose it is: publisher or consumer");
    }
    return true;
}

static bool check(const struct wish *wish, bool *out_well, struct sl_err *err)
{
    static const char *const programs[] = { "publisher", "consumer" };
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    if (!ops_address_open(&address, err)) {
        return false;
    }
    ops_table_init(&table, columns, SL_COUNT(columns));
    bool is_well = true;
    for (size_t i = 0; i < SL_COUNT(programs); i++) {
        if (wish->only != NULL && strcmp(wish->only, programs[i]) != 0) {
            continue;
        }
        struct seen seen = { 0 };
        bool is_named = i == 0 ? ops_address_publisher(&address, wish->url, seen.url, err)
                               : ops_address_consumer(&address, wish->url, seen.url, err);
        if (!is_named) {
            return false;
        }
        look(wish, &seen);
        is_well = is_well && seen.answers && (wish->live || seen.is_ready);
        const char *cells[] = { programs[i], seen.url,     seen.health,
                                seen.ready,  seen.version, seen.note };
        ops_table_add(&table, cells);
    }
    *out_well = is_well;
    return ops_table_print(&table, wish->output, stdout, err);
}

static void look(const struct wish *wish, struct seen *seen)
{
    struct sl_err err = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, BODY_BYTES_MAX);
    int status = 0;
    if (!get(seen, "/health", wish->timeout_ms, &status, &body, &err)) {
        snprintf(seen->health, CELL_BYTES, "no answer");
        snprintf(seen->ready, CELL_BYTES, "no");
        snprintf(seen->note, CELL_BYTES, "%s", err.text);
        return;
    }
    seen->answers = status == 200;
    snprintf(seen->health, CELL_BYTES, "HTTP %d", status);
    read_health(sl_buf_span(&body), seen);

    sl_buf_reset(&body);
    if (!get(seen, "/readyz", wish->timeout_ms, &status, &body, &err)) {
        snprintf(seen->ready, CELL_BYTES, "no");
        snprintf(seen->note, CELL_BYTES, "%s", err.text);
        return;
    }
    seen->is_ready = status == 200;
    snprintf(seen->ready, CELL_BYTES, "%s", seen->is_ready ? "yes" : "no");
    if (!seen->is_ready) {
        read_reason(sl_buf_span(&body), seen);
    } else if (strcmp(seen->health, "degraded") == 0 && seen->note[0] == '\0') {
        snprintf(seen->note, CELL_BYTES, "takes work, but something is away: sluice doctor");
    }
}

static bool get(const struct seen *seen, const char *path, int64_t timeout_ms, int *out_status,
                struct sl_buf *body, struct sl_err *err)
{
    char url[OPS_URL_BYTES + 16];
    snprintf(url, sizeof url, "%s%s", seen->url, path);
    struct ops_fetch fetch = { .url = url, .timeout_ms = timeout_ms };
    return ops_fetch(&fetch, out_status, body, err);
}

/* {"service":"…","status":"ok|degraded","timestamp":"…","version":"…","paused":["…"]} */
static void read_health(struct sl_span body, struct seen *seen)
{
    take_text(body, "status", seen->health);
    take_text(body, "version", seen->version);
    note_paused(body, seen);
}

/* What an operator has paused is no fault, but who wonders should see it. */
static void note_paused(struct sl_span body, struct seen *seen)
{
    SL_AUTO(sl_json_parser_free) struct sl_json_parser *parser = sl_json_parser_new(BODY_BYTES_MAX);
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 4 * BODY_BYTES_MAX);
    const struct sl_json *root =
        parser == NULL ? NULL : sl_json_parse(parser, &arena, body, 2, NODES_MAX, NULL);
    const struct sl_json *paused = sl_json_get(root, "paused");
    size_t used = 0;
    for (const struct sl_json *name = paused == NULL ? NULL : paused->first;
         name != NULL && used + 1 < CELL_BYTES; name = name->next) {
        struct sl_span text = sl_json_text(name, &arena, true, NULL);
        used += (size_t)snprintf(seen->note + used, CELL_BYTES - used, "%s%.*s",
                                 used == 0 ? "paused: " : ", ", SL_SPAN_ARGS(text));
    }
}

/* {"ready":false,"reason":"…"}; anything else is shown as it is. */
static void read_reason(struct sl_span body, struct seen *seen)
{
    snprintf(seen->note, CELL_BYTES, "%.*s", SL_SPAN_ARGS(sl_span_trim(body)));
    take_text(body, "reason", seen->note);
}

/* Leaves out as it is when the body has no such text. */
static void take_text(struct sl_span body, const char *key, char out[CELL_BYTES])
{
    struct sl_json_parser *parser = sl_json_parser_new(BODY_BYTES_MAX);
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_arena_init(&arena, 4 * BODY_BYTES_MAX);
    const struct sl_json *root =
        parser == NULL ? NULL : sl_json_parse(parser, &arena, body, 2, NODES_MAX, NULL);
    struct sl_span text = sl_json_text(sl_json_get(root, key), &arena, true, NULL);
    if (text.bytes > 0) {
        snprintf(out, CELL_BYTES, "%.*s", SL_SPAN_ARGS(text));
    }
    sl_json_parser_free(parser);
}
