#include "consumer/teller.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/handlers/http_request.h"
#include "consumer/statements.h"
#include "consumer/text.h"
#include "shared/clock.h"
#include "shared/http/http_client.h"
#include "shared/pg/pg_link.h"
#include "shared/units.h"

#define TELLER_WAIT_MS_MIN  5000
#define TELLER_WAIT_MS_MAX  (60 * 60 * 1000)
#define TELLER_POLL_MS      5000
#define TELLER_TAKEN_MS     (6 * 60 * 1000) /* longer than a section's timeout may be */
#define CONNECT_MS_MAX      5000
#define ANSWER_BYTES_MAX    1024u
#define ARENA_BYTES_MAX     (4u * 1024u * 1024u)
#define DOUBLINGS_MAX       10
#define DIGITS_MAX          18u
#define ERROR_BYTES_MAX     500u
#define SUBSYSTEMS_BYTES    (SL_SUBSYSTEMS_MAX * (SL_SUBSYSTEM_NAME_BYTES + 1) + 3)
#define FUNCTION_CALL_BYTES 256u

struct con_teller {
    struct con_teller_opts opts;
    char connection_name[160];
    char subsystems[SUBSYSTEMS_BYTES]; /* {a,b} */
    struct con_statements statements;
    struct sl_pg_link *pg;
    struct sl_http_client *client;
    struct sl_timer *timer;
    struct sl_arena arena; /* of the notice in hand */

    bool is_busy; /* with a notice, or with taking one */
    char id[24];  /* of the notice in hand, as is everything below */
    char round[24];
    int64_t attempts;
    size_t index; /* of its subsystem */
    struct sl_span error_code;
    struct sl_span body;
    struct sl_err why; /* it could not be told */
    bool is_told;
};

static bool open_links(struct con_teller *teller, struct sl_err *err);
static int64_t longest_timeout(const struct con_teller *teller);
static void name_subsystems(struct con_teller *teller);
static void on_up(struct sl_pg_link *link, void *arg);
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg);
static void on_timer(void *arg);
static void take(struct con_teller *teller);
static void on_taken(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                     const struct sl_pg_error *error, void *arg);
static bool read_notice(struct con_teller *teller, const struct sl_pg_result *result);
static void tell(struct con_teller *teller);
static bool post(struct con_teller *teller, struct sl_err *err);
static void on_answer(const struct sl_http_answer *answer, void *arg);
static bool call_function(struct con_teller *teller, struct sl_err *err);
static void on_called(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                      const struct sl_pg_error *error, void *arg);
static void on_rolled_back(struct sl_pg_link *link, struct sl_pg_result *const *results,
                           size_t count, const struct sl_pg_error *error, void *arg);
static void note_told(struct con_teller *teller);
static void note_failed(struct con_teller *teller, const struct sl_err *why);
static void on_noted(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                     const struct sl_pg_error *error, void *arg);
static void rest(struct con_teller *teller, int64_t wait_ms);
static const struct sl_subsystem *section(const struct con_teller *teller);

struct con_teller *con_teller_new(const struct con_teller_opts *opts, struct sl_err *err)
{
    struct con_teller *teller = calloc(1, sizeof *teller);
    if (teller == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the teller");
        return NULL;
    }
    teller->opts = *opts;
    sl_arena_init(&teller->arena, ARENA_BYTES_MAX);
    name_subsystems(teller);
    if (strcmp(teller->subsystems, "{}") != 0 && !open_links(teller, err)) {
        con_teller_free(teller);
        return NULL;
    }
    return teller;
}

static void name_subsystems(struct con_teller *teller)
{
    size_t used = 0;
    for (size_t i = 0; i < teller->opts.subsystem_count; i++) {
        const struct sl_subsystem *subsystem = teller->opts.subsystems[i];
        if (subsystem->on_dead.kind != SL_CALL_NONE) {
            used += (size_t)snprintf(teller->subsystems + used, SUBSYSTEMS_BYTES - used, "%c%s",
                                     used == 0 ? '{' : ',', subsystem->name);
        }
    }
    snprintf(teller->subsystems + used, SUBSYSTEMS_BYTES - used, "%s", used == 0 ? "{}" : "}");
}

static bool open_links(struct con_teller *teller, struct sl_err *err)
{
    const struct con_teller_opts *opts = &teller->opts;
    snprintf(teller->connection_name, sizeof teller->connection_name, "%s/teller/%d", opts->service,
             (int)getpid());
    con_statements_add(&teller->statements, "notice_take");
    con_statements_add(&teller->statements, "notice_told");
    con_statements_add(&teller->statements, "notice_failed");
    teller->timer = sl_timer_new(opts->loop, on_timer, teller);
    if (teller->timer == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the teller");
    }
    teller->client = sl_http_client_new(
        &(struct sl_http_client_opts){
            .loop = opts->loop,
            .transfers_max = 1,
            .connections_max = 1,
            .connect_ms = CONNECT_MS_MAX,
            .total_ms = longest_timeout(teller),
            .answer_bytes_max = ANSWER_BYTES_MAX,
            .cuts_answers = true,
        },
        err);
    if (teller->client == NULL) {
        return false;
    }
    teller->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = opts->loop,
            .conninfo = opts->database_url,
            .application_name = teller->connection_name,
            .statements = teller->statements.items,
            .statement_count = teller->statements.count,
            .arg = teller,
            .on_up = on_up,
            .on_down = on_down,
        },
        err);
    return teller->pg != NULL;
}

static int64_t longest_timeout(const struct con_teller *teller)
{
    int64_t longest_ms = 1;
    for (size_t i = 0; i < teller->opts.subsystem_count; i++) {
        int64_t timeout_ms = teller->opts.subsystems[i]->timeout_ms;
        longest_ms = timeout_ms > longest_ms ? timeout_ms : longest_ms;
    }
    return longest_ms;
}

void con_teller_free(struct con_teller *teller)
{
    if (teller == NULL) {
        return;
    }
    sl_http_client_free(teller->client);
    sl_pg_link_free(teller->pg);
    sl_timer_free(teller->timer);
    sl_arena_done(&teller->arena);
    free(teller);
}

const char *con_teller_subsystems(const struct con_teller *teller)
{
    return teller->subsystems;
}

void con_teller_nudge(struct con_teller *teller)
{
    if (teller->pg != NULL && !teller->is_busy) {
        sl_timer_arm(teller->timer, 0);
    }
}

static const struct sl_subsystem *section(const struct con_teller *teller)
{
    return teller->opts.subsystems[teller->index];
}

/* Taking ----------------------------------------------------------------------------------------- */

static void on_up(struct sl_pg_link *link, void *arg)
{
    (void)link;
    con_teller_nudge(arg);
}

/* The workers' links say it; what is in hand comes again. */
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    (void)why;
    (void)wait_ms;
    (void)arg;
}

static void on_timer(void *arg)
{
    struct con_teller *teller = arg;
    if (!teller->is_busy && sl_pg_link_is_up(teller->pg)) {
        take(teller);
    }
}

static void rest(struct con_teller *teller, int64_t wait_ms)
{
    teller->is_busy = false;
    sl_timer_arm(teller->timer, wait_ms);
}

static void take(struct con_teller *teller)
{
    char taken_ms[24];
    snprintf(taken_ms, sizeof taken_ms, "%d", TELLER_TAKEN_MS);
    const struct sl_pg_param params[] = { { .value = sl_span_of(teller->subsystems) },
                                          { .value = sl_span_of(taken_ms) } };
    const struct sl_pg_step step = { .name = "notice_take",
                                     .params = params,
                                     .param_count = SL_COUNT(params) };
    teller->is_busy = true;
    if (!sl_pg_run(teller->pg, &step, 1, on_taken, teller, NULL)) {
        rest(teller, TELLER_POLL_MS);
    }
}

static void on_taken(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                     const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)count;
    struct con_teller *teller = arg;
    if (error != NULL) {
        sl_log_err(teller->opts.log, SL_WARN, "teller.failed",
                   "cannot look for what is to be told, trying again", &error->err);
        rest(teller, TELLER_POLL_MS);
    } else if (sl_pg_rows(results[0]) == 0 || !read_notice(teller, results[0])) {
        rest(
            teller,
            TELLER_POLL_MS); /* a notice for which there was no memory comes again when its time is over */
    } else {
        tell(teller);
    }
}

static bool read_notice(struct con_teller *teller, const struct sl_pg_result *result)
{
    sl_arena_reset(&teller->arena);
    teller->is_told = false;
    snprintf(teller->id, sizeof teller->id, "%.*s", SL_SPAN_ARGS(sl_pg_value(result, 0, 0)));
    snprintf(teller->round, sizeof teller->round, "%.*s", SL_SPAN_ARGS(sl_pg_value(result, 0, 1)));
    if (!sl_units_decimal(sl_pg_value(result, 0, 2), DIGITS_MAX, &teller->attempts)) {
        return false;
    }
    struct sl_span code = sl_pg_value(result, 0, 4);
    teller->error_code = sl_arena_copy(&teller->arena, code.data == NULL ? sl_span_of("") : code);
    teller->body = sl_arena_copy(&teller->arena, sl_pg_value(result, 0, 5));
    for (size_t i = 0; i < teller->opts.subsystem_count; i++) {
        if (sl_span_is(sl_pg_value(result, 0, 3), teller->opts.subsystems[i]->name)) {
            teller->index = i;
            return teller->body.data != NULL && teller->error_code.data != NULL;
        }
    }
    return false;
}

/* Telling ---------------------------------------------------------------------------------------- */

static void tell(struct con_teller *teller)
{
    struct sl_err why = { 0 };
    bool is_started = section(teller)->on_dead.kind == SL_CALL_HTTP ? post(teller, &why)
                                                                    : call_function(teller, &why);
    if (!is_started) {
        note_failed(teller, &why);
    }
}

static bool post(struct con_teller *teller, struct sl_err *err)
{
    const struct con_target *target = &teller->opts.targets[teller->index];
    const struct sl_subsystem_rule *rule =
        sl_subsystem_rule_find(section(teller), teller->error_code);
    char id[64];
    snprintf(id, sizeof id, "dead-%s-%s", teller->id, teller->round);
    const struct con_http_content content = { .id = sl_span_of(id), .body = teller->body };
    struct con_http_request request;
    if (!con_http_request_sign(&request, target, &content, sl_clock_wall_us() / 1000000,
                               &teller->arena, err) ||
        !con_http_request_add(&request, "sluice-subsystem", sl_span_of(section(teller)->name),
                              &teller->arena, err) ||
        !con_http_request_add(&request, "sluice-resolution",
                              sl_span_of(rule == NULL ? NULL : rule->resolution), &teller->arena,
                              err)) {
        return false;
    }
    const struct sl_http_call call = {
        .method = "POST", .url = target->dead_url, .fields = request.fields, .body = teller->body
    };
    return sl_http_client_call(teller->client, &call, on_answer, teller, err);
}

static void on_answer(const struct sl_http_answer *answer, void *arg)
{
    struct con_teller *teller = arg;
    struct sl_err why = { 0 };
    if (answer->status >= 200 && answer->status < 300) {
        note_told(teller);
        return;
    }
    if (answer->status == 0) {
        why = *answer->err;
    } else {
        sl_fail(&why, SL_E_TARGET_ITEM, "on-dead answered %d", answer->status);
    }
    note_failed(teller, &why);
}

/* The call, and the mark that it was made, are one transaction. */
static bool call_function(struct con_teller *teller, struct sl_err *err)
{
    char sql[FUNCTION_CALL_BYTES];
    snprintf(sql, sizeof sql, "SELECT %s(d) FROM sluice_dead_letter d WHERE d.id = $1::bigint",
             section(teller)->on_dead.function);
    const struct sl_pg_param params[] = { { .value = sl_span_of(teller->id) },
                                          { .value = sl_span_of(teller->round) } };
    const struct sl_pg_step steps[] = {
        { .sql = "BEGIN" },
        { .sql = sql, .params = params, .param_count = 1 },
        { .name = "notice_told", .params = params, .param_count = SL_COUNT(params) },
        { .sql = "COMMIT" },
    };
    return sl_pg_run(teller->pg, steps, SL_COUNT(steps), on_called, teller, err);
}

static void on_called(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                      const struct sl_pg_error *error, void *arg)
{
    struct con_teller *teller = arg;
    if (error == NULL) {
        teller->is_told = true;
        on_noted(link, results, count, NULL, teller);
        return;
    }
    static const struct sl_pg_step step = { .sql = "ROLLBACK" };
    teller->why = error->err;
    if (!sl_pg_run(teller->pg, &step, 1, on_rolled_back, teller, NULL)) {
        rest(teller,
             TELLER_POLL_MS); /* the connection is gone; it comes again when its time is over */
    }
}

static void on_rolled_back(struct sl_pg_link *link, struct sl_pg_result *const *results,
                           size_t count, const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)results;
    (void)count;
    struct con_teller *teller = arg;
    if (error != NULL) {
        rest(teller, TELLER_POLL_MS);
    } else {
        note_failed(teller, &teller->why);
    }
}

/* Noting ----------------------------------------------------------------------------------------- */

static void note_told(struct con_teller *teller)
{
    teller->is_told = true;
    const struct sl_pg_param params[] = { { .value = sl_span_of(teller->id) },
                                          { .value = sl_span_of(teller->round) } };
    const struct sl_pg_step step = { .name = "notice_told",
                                     .params = params,
                                     .param_count = SL_COUNT(params) };
    if (!sl_pg_run(teller->pg, &step, 1, on_noted, teller, NULL)) {
        rest(teller, TELLER_POLL_MS); /* told again, with the same key, when its time is over */
    }
}

static void note_failed(struct con_teller *teller, const struct sl_err *why)
{
    int64_t doublings = teller->attempts - 1 < DOUBLINGS_MAX ? teller->attempts - 1 : DOUBLINGS_MAX;
    int64_t wait_ms = (int64_t)TELLER_WAIT_MS_MIN << (doublings > 0 ? doublings : 0);
    wait_ms = wait_ms < TELLER_WAIT_MS_MAX ? wait_ms : TELLER_WAIT_MS_MAX;
    sl_log_err(teller->opts.log, SL_WARN, "teller.failed",
               "on-dead was not told of a dead letter, trying again", why,
               sl_str("subsystem", section(teller)->name), sl_str("dead_letter", teller->id),
               sl_int("attempt", teller->attempts), sl_int("wait_ms", wait_ms));
    char wait[24];
    snprintf(wait, sizeof wait, "%" PRId64, wait_ms);
    struct sl_span text = con_text_clean(
        &teller->arena, con_text_cut(sl_span_of(why->text), ERROR_BYTES_MAX), ERROR_BYTES_MAX);
    const struct sl_pg_param params[] = { { .value = sl_span_of(teller->id) },
                                          { .value = sl_span_of(teller->round) },
                                          { .value = sl_span_of(wait) },
                                          { .value = text } };
    const struct sl_pg_step step = { .name = "notice_failed",
                                     .params = params,
                                     .param_count = SL_COUNT(params) };
    if (!sl_pg_run(teller->pg, &step, 1, on_noted, teller, NULL)) {
        rest(teller, TELLER_POLL_MS);
    }
}

static void on_noted(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                     const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)results;
    (void)count;
    struct con_teller *teller = arg;
    if (error == NULL && teller->is_told) {
        sl_info(teller->opts.log, "teller.told", "on-dead was told of a dead letter",
                sl_str("subsystem", section(teller)->name), sl_str("dead_letter", teller->id));
    }
    rest(teller, error == NULL ? 0 : TELLER_POLL_MS);
}
