#include "consumer/attempts.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/departure.h"
#include "consumer/statements.h"
#include "consumer/text.h"
#include "shared/clock.h"
#include "shared/pg/pg_array.h"

#define ROWS_MAX         1024u /* waiting at once */
#define ARENA_BYTES_MAX  (2u * 1024u * 1024u)
#define PARAMS_BYTES_MAX (4u * 1024u * 1024u)
#define PARAMS           9u
#define TEXT_BYTES_MAX   255u
#define GATHER_MS        200   /* rows of one batch go together */
#define IDLE_MS          60000 /* the connection is closed after so long without a row */
#define US_PER_S         1000000

struct row {
    struct row *next;
    const char *subsystem;
    struct sl_span event_id;
    struct sl_span type;
    struct sl_span code;
    struct sl_span error;
    const char *error_class; /* constant data */
    int64_t attempt;
    int64_t at_us;
    int64_t due_us; /* 0: there is no further try */
};

struct rows {
    struct sl_arena arena;
    struct row *first;
    struct row *last;
    size_t count;
};

struct con_attempts {
    struct con_attempts_opts opts;
    char name[96];
    struct con_statements statements;
    struct sl_timer *timer; /* time to write */
    struct sl_timer *idle;  /* time to close */
    struct sl_pg_link *pg;  /* NULL while nothing is to be written */
    struct sl_buf params;
    struct rows waiting;
    struct rows writing;
    struct sl_series *lost;
};

static bool copy(struct rows *rows, const char *subsystem, const struct con_delivery *delivery);
static void lose(struct con_attempts *attempts, size_t count, const struct sl_err *why);
static void on_timer(void *arg);
static void open_link(struct con_attempts *attempts);
static void write_some(struct con_attempts *attempts);
static bool make_params(struct con_attempts *attempts, struct sl_pg_param out_params[PARAMS],
                        struct sl_err *err);
static void put_column(struct sl_pg_array *array, size_t column, const struct row *row);
static void on_written(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg);
static void on_up(struct sl_pg_link *link, void *arg);
static void on_idle(void *arg);
static void empty(struct rows *rows);

struct con_attempts *con_attempts_new(const struct con_attempts_opts *opts, struct sl_err *err)
{
    struct con_attempts *attempts = calloc(1, sizeof *attempts);
    if (attempts != NULL) {
        attempts->opts = *opts;
        snprintf(attempts->name, sizeof attempts->name, "%s/attempts", opts->service);
        con_statements_add(&attempts->statements, "attempt");
        sl_buf_init(&attempts->params, PARAMS_BYTES_MAX);
        sl_arena_init(&attempts->waiting.arena, ARENA_BYTES_MAX);
        sl_arena_init(&attempts->writing.arena, ARENA_BYTES_MAX);
        attempts->timer = sl_timer_new(opts->loop, on_timer, attempts);
        attempts->idle = sl_timer_new(opts->loop, on_idle, attempts);
    }
    if (attempts == NULL || attempts->timer == NULL || attempts->idle == NULL) {
        con_attempts_free(attempts);
        sl_fail(err, SL_E_MEMORY, "no memory for the history of attempts");
        return NULL;
    }
    attempts->lost = sl_metrics_series(opts->metrics, SL_M_ATTEMPTS_LOST, NULL, NULL);
    return attempts;
}

void con_attempts_free(struct con_attempts *attempts)
{
    if (attempts == NULL) {
        return;
    }
    sl_pg_link_free(attempts->pg);
    sl_timer_free(attempts->timer);
    sl_timer_free(attempts->idle);
    sl_arena_done(&attempts->waiting.arena);
    sl_arena_done(&attempts->writing.arena);
    sl_buf_done(&attempts->params);
    free(attempts);
}

void con_attempts_note(struct con_attempts *attempts, const char *subsystem,
                       const struct con_delivery *delivery)
{
    bool has_failed = delivery->departure->error_class != NULL;
    if (!has_failed || delivery->departure->event_id.data == NULL) {
        return;
    }
    if (attempts->waiting.count >= ROWS_MAX || !copy(&attempts->waiting, subsystem, delivery)) {
        lose(attempts, 1, NULL);
        return;
    }
    if (!sl_timer_is_armed(attempts->timer)) {
        sl_timer_arm(attempts->timer, GATHER_MS);
    }
}

static bool copy(struct rows *rows, const char *subsystem, const struct con_delivery *delivery)
{
    const struct con_departure *departure = delivery->departure;
    struct sl_arena *arena = &rows->arena;
    struct row *row = sl_arena_alloc(arena, sizeof *row);
    if (row == NULL) {
        return false;
    }
    int64_t now_us = sl_clock_wall_us();
    *row = (struct row){
        .subsystem = subsystem,
        .event_id = sl_arena_copy(arena, departure->event_id),
        .type = sl_arena_copy(arena, con_text_clean(arena, departure->type, TEXT_BYTES_MAX)),
        .code = sl_arena_copy(arena, sl_span_of(departure->error_code)),
        .error = sl_arena_copy(
            arena, con_text_clean(arena, sl_span_of(departure->error), CON_ERROR_BYTES_MAX)),
        .error_class = departure->error_class,
        .attempt = delivery->attempt,
        .at_us = now_us,
        .due_us = departure->wait_s > 0 ? now_us + departure->wait_s * US_PER_S : 0,
    };
    if (row->event_id.data == NULL || row->type.data == NULL || row->code.data == NULL ||
        row->error.data == NULL) {
        return false;
    }
    *(rows->last == NULL ? &rows->first : &rows->last->next) = row;
    rows->last = row;
    rows->count++;
    return true;
}

static void lose(struct con_attempts *attempts, size_t count, const struct sl_err *why)
{
    sl_series_add(attempts->lost, (int64_t)count);
    if (why != NULL) {
        sl_log_err(attempts->opts.log, SL_WARN, "attempts.lost",
                   "the history of failed tries has a gap; no event is touched by it", why,
                   sl_int("rows", (int64_t)count));
    }
}

static void on_timer(void *arg)
{
    struct con_attempts *attempts = arg;
    sl_timer_disarm(attempts->idle);
    if (attempts->pg == NULL) {
        open_link(attempts);
    } else {
        write_some(attempts);
    }
}

/* While the database is away the link tries for ever; its being away is said by the workers' links. */
static void open_link(struct con_attempts *attempts)
{
    struct sl_err why;
    attempts->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = attempts->opts.loop,
            .conninfo = attempts->opts.database_url,
            .application_name = attempts->name,
            .statements = attempts->statements.items,
            .statement_count = attempts->statements.count,
            .arg = attempts,
            .on_up = on_up,
        },
        &why);
    if (attempts->pg == NULL) {
        lose(attempts, attempts->waiting.count, &why);
        empty(&attempts->waiting);
    }
}

static void on_up(struct sl_pg_link *link, void *arg)
{
    (void)link;
    write_some(arg);
}

static void write_some(struct con_attempts *attempts)
{
    if (attempts->writing.count > 0 || attempts->waiting.count == 0 ||
        !sl_pg_link_is_up(attempts->pg)) {
        return;
    }
    struct rows emptied = attempts->writing;
    attempts->writing = attempts->waiting;
    attempts->waiting = emptied;
    struct sl_pg_param params[PARAMS];
    const struct sl_pg_step step = { .name = "attempt",
                                     .params = params,
                                     .param_count = SL_COUNT(params) };
    struct sl_err why;
    if (!make_params(attempts, params, &why) ||
        !sl_pg_run(attempts->pg, &step, 1, on_written, attempts, &why)) {
        lose(attempts, attempts->writing.count, &why);
        empty(&attempts->writing);
    }
}

static bool make_params(struct con_attempts *attempts, struct sl_pg_param out_params[PARAMS],
                        struct sl_err *err)
{
    /* In the order of attempt.sql. */
    static const enum sl_pg_type types[PARAMS] = {
        SL_PG_TEXT, SL_PG_TEXT, SL_PG_TEXT, SL_PG_INT8,        SL_PG_TIMESTAMPTZ,
        SL_PG_TEXT, SL_PG_TEXT, SL_PG_TEXT, SL_PG_TIMESTAMPTZ,
    };
    struct sl_pg_array arrays[PARAMS];
    sl_buf_reset(&attempts->params);
    for (size_t column = 0; column < PARAMS; column++) {
        sl_pg_array_begin(&arrays[column], types[column], &attempts->params);
        for (const struct row *row = attempts->writing.first; row != NULL; row = row->next) {
            put_column(&arrays[column], column, row);
        }
        sl_pg_array_end(&arrays[column]);
    }
    if (!sl_buf_ok(&attempts->params)) {
        return sl_fail(err, SL_E_LIMIT, "%zu attempts do not fit", attempts->writing.count);
    }
    for (size_t column = 0; column < PARAMS; column++) {
        out_params[column] =
            (struct sl_pg_param){ .value = sl_pg_array_span(&arrays[column]), .is_binary = true };
    }
    return true;
}

static void put_column(struct sl_pg_array *array, size_t column, const struct row *row)
{
    switch (column) {
    case 0:
        sl_pg_array_bytes(array, sl_span_of(row->subsystem));
        break;
    case 1:
        sl_pg_array_bytes(array, row->event_id);
        break;
    case 2:
        sl_pg_array_bytes(array, row->type);
        break;
    case 3:
        sl_pg_array_int8(array, row->attempt);
        break;
    case 4:
        sl_pg_array_time_us(array, row->at_us);
        break;
    case 5:
        sl_pg_array_bytes(array, sl_span_of(row->error_class));
        break;
    case 6:
        sl_pg_array_bytes(array, row->code);
        break;
    case 7:
        sl_pg_array_bytes(array, row->error);
        break;
    default:
        row->due_us != 0 ? sl_pg_array_time_us(array, row->due_us) : sl_pg_array_null(array);
        break;
    }
}

static void on_written(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)results;
    (void)count;
    struct con_attempts *attempts = arg;
    if (error != NULL) {
        lose(attempts, attempts->writing.count, &error->err);
    }
    empty(&attempts->writing);
    if (attempts->waiting.count > 0) {
        write_some(attempts);
    } else {
        sl_timer_arm(attempts->idle, IDLE_MS);
    }
}

static void on_idle(void *arg)
{
    struct con_attempts *attempts = arg;
    if (attempts->waiting.count == 0 && attempts->writing.count == 0) {
        sl_pg_link_free(attempts->pg);
        attempts->pg = NULL;
    }
}

bool con_attempts_is_drained(const struct con_attempts *attempts)
{
    bool can_write = attempts->pg == NULL || sl_pg_link_is_up(attempts->pg);
    return (attempts->waiting.count == 0 && attempts->writing.count == 0) || !can_write;
}

static void empty(struct rows *rows)
{
    sl_arena_reset(&rows->arena);
    rows->first = NULL;
    rows->last = NULL;
    rows->count = 0;
}
