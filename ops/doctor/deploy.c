#include "ops/doctor/deploy.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/address.h"
#include "ops/doctor/deploy_step.h"
#include "ops/doctor/deployed.h"
#include "ops/fetch.h"
#include "ops/table.h"
#include "shared/clock.h"
#include "shared/json/json.h"

#define ANSWER_MS       3000
#define LOOK_EVERY_MS   500
#define BODY_BYTES_MAX  65536u
#define ARENA_BYTES_MAX (512u * 1024u)
#define NODES_MAX       4096u
#define DEPTH_MAX       2u
#define TAIL_BYTES      (4 * 1024 * 1024)
#define TOKEN_BYTES     520u
#define API_PATH        "/api/v1/billing/customers?limit=1"
#define URL_ROOM        (OPS_URL_BYTES + 64u)

static const struct ops_column columns[] = {
    { .title = "CONDITION" }, { .title = "STATE" }, { .title = "DETAIL" }, { .title = "DO" }
};

struct watch {
    const struct ops_deploy_wish *wish;
    char urls[2][OPS_URL_BYTES]; /* publisher, consumer */
    char authorization[TOKEN_BYTES];
    struct ops_deploy_seen seen;
    struct sl_buf body;
    struct sl_json_parser *parser;
    struct sl_arena arena;
};

static void watch_done(struct watch *watch);
static bool prepare(struct watch *watch, struct sl_err *err);
static void look(struct watch *watch);
static void look_at_program(struct watch *watch, size_t i);
static bool get(struct watch *watch, const char *url, const char *path, const char *authorization,
                int *out_status, struct sl_err *err);
static void take_text(struct watch *watch, struct sl_span text, const char *key, char *out,
                      size_t out_bytes);
static void look_at_log(struct watch *watch);
static void read_line(struct watch *watch, struct sl_span line);
static bool tell(const struct ops_deploy_row *rows, enum ops_output output, struct sl_err *err);

bool ops_deploy_watch(const struct ops_deploy_wish *wish, bool *out_well, struct sl_err *err)
{
    SL_DONE(watch_done) struct watch watch = { .wish = wish };
    struct ops_deploy_row rows[OPS_DEPLOY_CONDITIONS];
    if (!prepare(&watch, err)) {
        return false;
    }
    int64_t end_ms = sl_clock_mono_ms() + wish->wait_ms;
    for (;;) {
        look(&watch);
        ops_deploy_judge(&watch.seen, rows);
        int64_t left_ms = end_ms - sl_clock_mono_ms();
        if (ops_deploy_is_over(rows) || left_ms <= 0) {
            break;
        }
        (void)poll(NULL, 0, (int)(left_ms < LOOK_EVERY_MS ? left_ms : LOOK_EVERY_MS));
    }
    *out_well = ops_deploy_is_well(rows);
    return tell(rows, wish->output, err);
}

static void watch_done(struct watch *watch)
{
    explicit_bzero(watch->authorization, sizeof watch->authorization);
    sl_buf_done(&watch->body);
    sl_json_parser_free(watch->parser);
    sl_arena_done(&watch->arena);
}

static bool prepare(struct watch *watch, struct sl_err *err)
{
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    sl_buf_init(&watch->body, TAIL_BYTES);
    sl_arena_init(&watch->arena, ARENA_BYTES_MAX);
    watch->parser = sl_json_parser_new(BODY_BYTES_MAX);
    watch->seen.programs[0].name = "publisher";
    watch->seen.programs[1].name = "consumer";
    watch->seen.expected = watch->wish->expected;
    watch->seen.has_log = watch->wish->log != NULL;
    if (watch->parser == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the answers");
    }
    if (!ops_address_open(&address, err) ||
        !ops_address_publisher(&address, NULL, watch->urls[0], err) ||
        !ops_address_consumer(&address, NULL, watch->urls[1], err)) {
        return false;
    }
    char *token = ops_deployed_secret("QUEUE_SERVICE_TOKEN_CONSOLE");
    if (token != NULL) {
        watch->seen.asks_api = true;
        token[strcspn(token, ",")] = '\0'; /* the first of two values in force */
        snprintf(watch->authorization, sizeof watch->authorization, "Authorization: Bearer %s",
                 token);
        explicit_bzero(token, strlen(token));
        free(token);
    }
    return true;
}

static void look(struct watch *watch)
{
    struct sl_err why = { 0 };
    for (size_t i = 0; i < SL_COUNT(watch->urls); i++) {
        look_at_program(watch, i);
    }
    watch->seen.api_status = 0;
    if (watch->seen.asks_api && watch->seen.programs[0].answers) {
        (void)get(watch, watch->urls[0], API_PATH, watch->authorization, &watch->seen.api_status,
                  &why);
    }
    if (watch->wish->log != NULL) {
        look_at_log(watch);
    }
}

static void look_at_program(struct watch *watch, size_t i)
{
    struct ops_deploy_program *program = &watch->seen.programs[i];
    struct sl_err why = { 0 };
    int status = 0;
    program->is_ready = false;
    program->answers = get(watch, watch->urls[i], "/health", NULL, &status, &why) && status == 200;
    if (!program->answers) {
        snprintf(program->why, sizeof program->why, "%s",
                 status == 0 ? why.text : "does not answer 200 to /health");
        return;
    }
    take_text(watch, sl_buf_span(&watch->body), "status", program->status, sizeof program->status);
    take_text(watch, sl_buf_span(&watch->body), "version", program->version,
              sizeof program->version);
    program->is_ready = get(watch, watch->urls[i], "/readyz", NULL, &status, &why) && status == 200;
    snprintf(program->why, sizeof program->why, "%s", why.text);
    if (!program->is_ready && status != 0) {
        take_text(watch, sl_buf_span(&watch->body), "reason", program->why, sizeof program->why);
    }
}

static bool get(struct watch *watch, const char *url, const char *path, const char *authorization,
                int *out_status, struct sl_err *err)
{
    char full[URL_ROOM];
    const char *fields[] = { authorization, NULL };
    snprintf(full, sizeof full, "%s%s", url, path);
    sl_buf_reset(&watch->body);
    *out_status = 0;
    const struct ops_fetch fetch = { .url = full,
                                     .timeout_ms = ANSWER_MS,
                                     .fields = authorization == NULL ? NULL : fields };
    return ops_fetch(&fetch, out_status, &watch->body, err);
}

/* Empty when the text is no JSON or has no such member. */
static void take_text(struct watch *watch, struct sl_span text, const char *key, char *out,
                      size_t out_bytes)
{
    sl_arena_reset(&watch->arena);
    const struct sl_json *root =
        sl_json_parse(watch->parser, &watch->arena, text, DEPTH_MAX, NODES_MAX, NULL);
    struct sl_span found = sl_json_text(sl_json_get(root, key), &watch->arena, true, NULL);
    snprintf(out, out_bytes, "%.*s", found.data == NULL ? 0 : (int)found.bytes,
             found.data == NULL ? "" : found.data);
}

/* The last lines of it: from each start of a program on, an error counts. */
static void look_at_log(struct watch *watch)
{
    FILE *file = fopen(watch->wish->log, "re");
    watch->seen.is_log_read = false;
    if (file == NULL) {
        snprintf(watch->seen.error, sizeof watch->seen.error, "%.200s: %s", watch->wish->log,
                 strerror(errno));
        watch->seen.is_log_read = errno != ENOENT; /* it may be made yet */
        return;
    }
    watch->seen.error[0] = '\0';
    sl_buf_reset(&watch->body);
    (void)fseek(file, 0, SEEK_END);
    long end = ftell(file);
    (void)fseek(file, end > TAIL_BYTES - 1 ? end - (TAIL_BYTES - 1) : 0, SEEK_SET);
    char *room = sl_buf_reserve(&watch->body, TAIL_BYTES - 1);
    sl_buf_commit(&watch->body, room == NULL ? 0 : fread(room, 1, TAIL_BYTES - 1, file));
    watch->seen.is_log_read = room != NULL && ferror(file) == 0;
    fclose(file);
    struct sl_span rest = sl_buf_span(&watch->body);
    struct sl_span line = { 0 };
    while (sl_span_split(&rest, '\n', &line)) {
        read_line(watch, line);
    }
}

/* Cheap first: most lines are neither a start nor an error. */
static void read_line(struct watch *watch, struct sl_span line)
{
    char level[16];
    char event[64];
    char sentence[OPS_DEPLOY_TEXT_BYTES / 2];
    static const char start[] = "\"process.started\"";
    bool is_start = memmem(line.data, line.bytes, start, strlen(start)) != NULL;
    bool may_be = memmem(line.data, line.bytes, "\"error\"", strlen("\"error\"")) != NULL ||
                  memmem(line.data, line.bytes, "\"fatal\"", strlen("\"fatal\"")) != NULL;
    if (is_start) {
        watch->seen.error[0] = '\0';
        return;
    }
    if (!may_be || watch->seen.error[0] != '\0' || line.bytes >= BODY_BYTES_MAX) {
        return;
    }
    take_text(watch, line, "level", level, sizeof level);
    if (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0) {
        take_text(watch, line, "event", event, sizeof event);
        take_text(watch, line, "msg", sentence, sizeof sentence);
        snprintf(watch->seen.error, sizeof watch->seen.error, "%s: %s", event, sentence);
    }
}

static bool tell(const struct ops_deploy_row *rows, enum ops_output output, struct sl_err *err)
{
    static const char *const states[] = { [OPS_DEPLOY_MET] = "ok",
                                          [OPS_DEPLOY_NOT_YET] = "FAIL",
                                          [OPS_DEPLOY_NEVER] = "FAIL",
                                          [OPS_DEPLOY_UNASKED] = "skip" };
    SL_DONE(ops_table_done) struct ops_table table = { 0 };
    ops_table_init(&table, columns, SL_COUNT(columns));
    for (enum ops_deploy_condition i = 0; i < OPS_DEPLOY_CONDITIONS; i++) {
        bool is_bad = rows[i].state == OPS_DEPLOY_NOT_YET || rows[i].state == OPS_DEPLOY_NEVER;
        ops_table_add(&table,
                      (const char *const[]){ ops_deploy_name(i), states[rows[i].state],
                                             rows[i].text, is_bad ? ops_deploy_fix(i) : "" });
    }
    return ops_table_print(&table, output, stdout, err);
}
