#include "shared/pg/pg_link_parts.h"

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

enum progress { PROGRESS_WAIT, PROGRESS_COMPLETE, PROGRESS_BROKEN };

SL_DEFINE_AUTO(char *, free)

static bool can_start(const struct sl_pg_link *link, struct sl_err *err);
static bool check_steps(const struct sl_pg_link *link, const struct sl_pg_step *steps, size_t count,
                        struct sl_err *err);
static const char *statement_name(const struct sl_pg_link *link, const char *name);
static bool send_step(struct sl_pg_link *link, const struct sl_pg_step *step);
static void set_off(struct sl_pg_link *link, bool is_sent);
static bool flush(struct sl_pg_link *link);
static enum progress read_results(struct sl_pg_link *link);
static void complete(struct sl_pg_link *link);

bool sl_pg_run(struct sl_pg_link *link, const struct sl_pg_step *steps, size_t count,
               sl_pg_done_fn *on_done, void *arg, struct sl_err *err)
{
    if (!can_start(link, err) || !check_steps(link, steps, count, err)) {
        return false;
    }
    if (!sl_pg_script_init(&link->script, count)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a script of %zu steps", count);
    }
    link->script.on_done = on_done;
    link->script.arg = arg;
    bool is_sent = true;
    for (size_t i = 0; i < count && is_sent; i++) {
        link->script.names[i] = statement_name(link, steps[i].name);
        is_sent = send_step(link, &steps[i]);
    }
    set_off(link, is_sent && PQpipelineSync(link->conn) != 0);
    return true;
}

bool sl_pg_run_text(struct sl_pg_link *link, const char *sql, sl_pg_done_fn *on_done, void *arg,
                    struct sl_err *err)
{
    if (!can_start(link, err)) {
        return false;
    }
    if (strlen(sql) > SL_PG_SCRIPT_BYTES_MAX) {
        return sl_fail(err, SL_E_LIMIT, "SQL text of more than %zu bytes", SL_PG_SCRIPT_BYTES_MAX);
    }
    if (!sl_pg_script_init(&link->script, 1)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a script");
    }
    link->script.is_text = true;
    link->script.on_done = on_done;
    link->script.arg = arg;
    set_off(link, PQexitPipelineMode(link->conn) != 0 && PQsendQuery(link->conn, sql) != 0);
    return true;
}

static bool can_start(const struct sl_pg_link *link, struct sl_err *err)
{
    if (!sl_pg_link_is_up(link)) {
        return sl_fail(err, SL_E_PG_UNREACHABLE, "the database is away: %s", link->why.text);
    }
    if (link->script.count > 0) {
        return sl_fail(err, SL_E_BUG, "a script is still running on this database link");
    }
    return true;
}

static bool check_steps(const struct sl_pg_link *link, const struct sl_pg_step *steps, size_t count,
                        struct sl_err *err)
{
    size_t bytes = 0;
    if (count == 0 || count > SL_PG_STEPS_MAX) {
        return sl_fail(err, SL_E_BUG, "a script of %zu steps", count);
    }
    for (size_t i = 0; i < count; i++) {
        const struct sl_pg_step *step = &steps[i];
        if (step->param_count > SL_PG_PARAMS_MAX) {
            return sl_fail(err, SL_E_BUG, "step %zu has %zu parameters", i, step->param_count);
        }
        if (step->name == NULL ? step->sql == NULL : statement_name(link, step->name) == NULL) {
            return sl_fail(err, SL_E_BUG, "step %zu names no prepared statement", i);
        }
        bytes += step->sql == NULL ? 0 : strlen(step->sql);
        for (size_t k = 0; k < step->param_count; k++) {
            struct sl_span value = step->params[k].value;
            if (value.bytes > SL_PG_SCRIPT_BYTES_MAX ||
                (bytes += value.bytes) > SL_PG_SCRIPT_BYTES_MAX) {
                return sl_fail(err, SL_E_LIMIT, "a script of more than %zu bytes",
                               SL_PG_SCRIPT_BYTES_MAX);
            }
            if (!step->params[k].is_binary && value.bytes > 0 &&
                memchr(value.data, '\0', value.bytes) != NULL) {
                return sl_fail(err, SL_E_PG_PERMANENT,
                               "parameter %zu of step %zu holds a NUL byte, which no text in "
                               "Postgres can",
                               k + 1, i);
            }
        }
    }
    return true;
}

/* The owner's own copy of the name, which lives as long as the link; NULL when there is none. */
static const char *statement_name(const struct sl_pg_link *link, const char *name)
{
    for (size_t i = 0; name != NULL && i < link->opts.statement_count; i++) {
        if (strcmp(link->opts.statements[i].name, name) == 0) {
            return link->opts.statements[i].name;
        }
    }
    return NULL;
}

/* libpq wants text parameters NUL-terminated: they are copied behind one another; binary ones are sent from where they are. */
static bool send_step(struct sl_pg_link *link, const struct sl_pg_step *step)
{
    const char *values[SL_PG_PARAMS_MAX];
    int lengths[SL_PG_PARAMS_MAX];
    int formats[SL_PG_PARAMS_MAX];
    size_t text_bytes = 0;
    for (size_t i = 0; i < step->param_count; i++) {
        text_bytes += step->params[i].is_binary ? 0 : step->params[i].value.bytes + 1;
    }
    SL_AUTO(free) char *texts = malloc(text_bytes + 1);
    if (texts == NULL) {
        return false;
    }
    char *free_text = texts;
    for (size_t i = 0; i < step->param_count; i++) {
        const struct sl_pg_param *param = &step->params[i];
        values[i] = param->value.data;
        lengths[i] = (int)param->value.bytes;
        formats[i] = param->is_binary ? 1 : 0;
        if (!param->is_binary && param->value.data != NULL) {
            memcpy(free_text, param->value.data, param->value.bytes);
            free_text[param->value.bytes] = '\0';
            values[i] = free_text;
            free_text += param->value.bytes + 1;
        }
    }
    int count = (int)step->param_count;
    if (step->name != NULL) {
        return PQsendQueryPrepared(link->conn, step->name, count, values, lengths, formats, 0) != 0;
    }
    return PQsendQueryParams(link->conn, step->sql, count, NULL, values, lengths, formats, 0) != 0;
}

/* A script that could not be sent is settled by the next turn of the loop, like one whose connection was lost. */
static void set_off(struct sl_pg_link *link, bool is_sent)
{
    if (!is_sent || !flush(link)) {
        link->is_broken = true;
    }
    sl_timer_arm(link->timer, link->is_broken ? 0 : link->opts.script_ms);
}

static bool flush(struct sl_pg_link *link)
{
    int pending = PQflush(link->conn);
    if (pending < 0 || PQstatus(link->conn) == CONNECTION_BAD) {
        return false;
    }
    sl_pg_watch(link, pending > 0 ? EV_READ | EV_WRITE : EV_READ);
    return true;
}

void sl_pg_pump(struct sl_pg_link *link, bool can_read)
{
    bool is_alive = !can_read || PQconsumeInput(link->conn) != 0;
    /* What has arrived is read even from a dead connection: it may say how the script ended. */
    enum progress progress = read_results(link);
    is_alive = is_alive && progress != PROGRESS_BROKEN && flush(link);
    if (progress == PROGRESS_COMPLETE) {
        link->is_broken = link->is_broken || !is_alive;
        complete(link);
        if (link->is_doomed || link->conn == NULL) {
            return;
        }
    }
    if (!is_alive) {
        sl_pg_lost(link);
    }
}

/* The connection cannot be used any more; says why as exactly as is known. */
void sl_pg_lost(struct sl_pg_link *link)
{
    struct sl_err why;
    struct sl_pg_error error;
    if (link->script.failure != NULL) {
        sl_pg_describe(link, &link->script, &error);
        why = error.err;
    } else if (link->parting[0] != '\0') {
        sl_fail(&why, SL_E_PG_UNREACHABLE, "the database connection ended: %s", link->parting);
    } else {
        sl_pg_fail_from_conn(link, &why);
    }
    sl_pg_go_down(link, &why);
}

/* Takes what libpq has, without waiting. In a pipeline a step's results end with NULL, the script with a sync; a text's script ends with NULL. */
static enum progress read_results(struct sl_pg_link *link)
{
    struct sl_pg_script *script = &link->script;
    while (!PQisBusy(link->conn) && script->count > 0) {
        PGresult *result = PQgetResult(link->conn);
        if (result == NULL) {
            if (!script->has_result) {
                return PROGRESS_BROKEN; /* out of step with the server, or disconnected */
            }
            if (script->is_text) {
                return PROGRESS_COMPLETE;
            }
            script->has_result = false;
            script->at++;
            continue;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return script->at == script->count || script->failure != NULL ? PROGRESS_COMPLETE
                                                                          : PROGRESS_BROKEN;
        }
        script->has_result = true;
        if (script->at >= script->count) {
            PQclear(result);
            return PROGRESS_BROKEN;
        }
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
            status == PGRES_EMPTY_QUERY) {
            PQclear((PGresult *)script->results[script->at]);
            script->results[script->at] = (struct sl_pg_result *)result;
        } else if (status == PGRES_FATAL_ERROR && script->failure == NULL) {
            script->failure = result;
            script->failed_step = script->at;
            if (sl_pg_ends_session(result)) {
                return PROGRESS_BROKEN;
            }
        } else {
            PQclear(
                result); /* skipped by the server after the failure, or a second word about it */
            if (status != PGRES_PIPELINE_ABORTED && status != PGRES_FATAL_ERROR) {
                snprintf(link->parting, sizeof link->parting, "COPY is not supported here");
                return PROGRESS_BROKEN;
            }
        }
    }
    return PROGRESS_WAIT;
}

static void complete(struct sl_pg_link *link)
{
    SL_DONE(sl_pg_script_done) struct sl_pg_script script = link->script;
    struct sl_pg_error error;
    link->script = (struct sl_pg_script){ 0 };
    if (script.is_text && PQenterPipelineMode(link->conn) == 0) {
        link->is_broken = true;
        sl_timer_arm(link->timer, 0);
    } else if (link->state == SL_PG_LINK_UP && !link->is_broken) {
        sl_timer_disarm(link->timer);
    }
    if (link->state == SL_PG_LINK_UP) {
        sl_pg_settle(link, &script, NULL);
    } else if (script.failure != NULL) {
        sl_pg_describe(link, &script, &error);
        sl_pg_go_down(link, &error.err);
    } else {
        sl_pg_go_up(link);
    }
}

/* Tells the owner how its script ended; why is NULL when the connection is still there. */
void sl_pg_settle(struct sl_pg_link *link, struct sl_pg_script *script, const struct sl_err *why)
{
    struct sl_pg_error error = { .constraint = "", .table = "", .column = "", .detail = "" };
    bool is_success = script->failure == NULL && why == NULL;
    if (script->failure != NULL) {
        sl_pg_describe(link, script, &error);
        link->stale_sessions += sl_pg_is_stale(script->failure);
    } else if (why != NULL) {
        error.err = *why;
        error.step = script->at < script->count ? script->at : script->count - 1;
    } else {
        link->stale_sessions = 0;
        sl_backoff_reset(&link->backoff);
    }
    script->on_done(link, script->results, script->count, is_success ? NULL : &error, script->arg);
}

bool sl_pg_script_init(struct sl_pg_script *script, size_t count)
{
    SL_ASSERT(count > 0);
    *script = (struct sl_pg_script){
        .results = calloc(count, sizeof *script->results),
        .names = calloc(count, sizeof *script->names),
    };
    if (script->results == NULL || script->names == NULL) {
        sl_pg_script_done(script);
        return false;
    }
    script->count = count;
    return true;
}

void sl_pg_script_done(struct sl_pg_script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        PQclear((PGresult *)script->results[i]);
    }
    PQclear(script->failure);
    free(script->results);
    free(script->names);
    *script = (struct sl_pg_script){ 0 };
}
