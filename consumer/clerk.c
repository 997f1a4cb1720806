#include "consumer/clerk.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/statements.h"
#include "consumer/watch.h"
#include "shared/clock.h"
#include "shared/pg/pg_array.h"
#include "shared/units.h"

#define BEAT_MS            1000
#define DEAD_EVERY         5 /* beats */
#define PATIENCE_BEATS     5 /* without a reading while the process could work */
#define STATEMENT_MS       5000
#define PARAMS_BYTES_MAX   (1024u * 1024u)
#define BREAKERS_BYTES_MAX (16u * 1024u) /* of one subsystem; more are not shown */
#define DIGITS_MAX         18u
#define INSTANCE_BYTES     160u
#define TIME_BYTES         64u
#define STANDING_COLUMNS   13u

struct con_clerk {
    struct con_clerk_opts opts;
    char instance[INSTANCE_BYTES];
    struct con_watch watch;
    struct con_statements statements;
    struct sl_pg_link *pg;
    struct sl_timer *timer;
    struct sl_buf params;
    struct sl_buf breakers[SL_SUBSYSTEMS_MAX]; /* JSON, for the standing */
    struct con_orders orders;
    char orders_at[TIME_BYTES]; /* as Postgres wrote it; "": not read yet */
    bool knows;
    bool is_failing;
    bool is_leaving;
    bool has_left;
    bool was_strange;
    bool with_dead; /* the script that runs asks for the dead letters as well */
    unsigned beats;
    struct con_order_row rows[CON_ORDERS_ROWS_MAX];
};

static bool open_link(struct con_clerk *clerk, struct sl_err *err);
static void on_up(struct sl_pg_link *link, void *arg);
static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg);
static void on_timer(void *arg);
static void go(struct con_clerk *clerk);
static bool put_standing(struct con_clerk *clerk, struct sl_pg_param *out_params,
                         struct sl_err *err);
static void look(struct con_clerk *clerk, size_t subsystem, struct con_standing *out_standing);
static void put_cell(const struct con_clerk *clerk, struct sl_pg_array *array, size_t column,
                     size_t subsystem, const struct con_standing *standing);
static void on_done(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg);
static void on_left(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg);
static void read_orders(struct con_clerk *clerk, const struct sl_pg_result *result);
static void read_elsewhere(struct con_clerk *clerk, const struct sl_pg_result *result);
static void read_dead(struct con_clerk *clerk, const struct sl_pg_result *result);
static void show_dead(struct con_clerk *clerk, const char *subsystem,
                      const struct sl_pg_result *result);
static int64_t number_of(struct sl_span text);
static void meet_failure(struct con_clerk *clerk, const struct sl_err *why);

struct con_clerk *con_clerk_new(const struct con_clerk_opts *opts, struct sl_err *err)
{
    struct con_clerk *clerk = calloc(1, sizeof *clerk);
    if (clerk == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the clerk");
        return NULL;
    }
    clerk->opts = *opts;
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    snprintf(clerk->instance, sizeof clerk->instance, "%s/%s/%d", opts->service, host,
             (int)getpid());
    sl_buf_init(&clerk->params, PARAMS_BYTES_MAX);
    for (size_t i = 0; i < SL_SUBSYSTEMS_MAX; i++) {
        sl_buf_init(&clerk->breakers[i], BREAKERS_BYTES_MAX);
    }
    con_orders_init(&clerk->orders, opts->subsystems, opts->subsystem_count);
    con_watch_init(&clerk->watch, opts->log, opts->metrics, false, "clerk", "orders");
    clerk->timer = sl_timer_new(opts->loop, on_timer, clerk);
    if (clerk->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the clerk");
        con_clerk_free(clerk);
        return NULL;
    }
    if (!open_link(clerk, err)) {
        con_clerk_free(clerk);
        return NULL;
    }
    sl_timer_arm(clerk->timer, BEAT_MS);
    return clerk;
}

static bool open_link(struct con_clerk *clerk, struct sl_err *err)
{
    con_statements_add(&clerk->statements, "orders");
    con_statements_add(&clerk->statements, "breakers_elsewhere");
    con_statements_add(&clerk->statements, "consumer_standing");
    con_statements_add(&clerk->statements, "consumer_forget");
    con_statements_add(&clerk->statements, "dead_standing");
    clerk->pg = sl_pg_link_new(
        &(struct sl_pg_link_opts){
            .loop = clerk->opts.loop,
            .conninfo = clerk->opts.database_url,
            .application_name = clerk->instance,
            .statements = clerk->statements.items,
            .statement_count = clerk->statements.count,
            .statement_ms = STATEMENT_MS,
            .arg = clerk,
            .on_up = on_up,
            .on_down = on_down,
        },
        err);
    return clerk->pg != NULL;
}

void con_clerk_free(struct con_clerk *clerk)
{
    if (clerk == NULL) {
        return;
    }
    sl_pg_link_free(clerk->pg);
    sl_timer_free(clerk->timer);
    sl_buf_done(&clerk->params);
    for (size_t i = 0; i < SL_SUBSYSTEMS_MAX; i++) {
        sl_buf_done(&clerk->breakers[i]);
    }
    free(clerk);
}

void con_clerk_leave(struct con_clerk *clerk)
{
    const struct sl_pg_param self = { .value = sl_span_of(clerk->instance) };
    const struct sl_pg_step step = { .name = "consumer_forget", .params = &self, .param_count = 1 };
    struct sl_err why;
    clerk->is_leaving = true;
    sl_timer_disarm(clerk->timer);
    if (!sl_pg_link_is_busy(clerk->pg)) { /* else on_done comes here again */
        clerk->has_left = !sl_pg_run(clerk->pg, &step, 1, on_left, clerk, &why);
    }
}

static void on_left(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)results;
    (void)count;
    (void)error; /* a row that stays is not fresh for long */
    struct con_clerk *clerk = arg;
    clerk->has_left = true;
}

bool con_clerk_has_left(const struct con_clerk *clerk)
{
    return clerk->has_left;
}

static void on_up(struct sl_pg_link *link, void *arg)
{
    (void)link;
    struct con_clerk *clerk = arg;
    con_watch_up(&clerk->watch);
    clerk->is_leaving ? con_clerk_leave(clerk) : go(clerk);
}

static void on_down(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    (void)link;
    struct con_clerk *clerk = arg;
    con_watch_down(&clerk->watch, why, wait_ms);
}

/* Orders end by themselves, so the owner is told on every beat. */
static void on_timer(void *arg)
{
    struct con_clerk *clerk = arg;
    clerk->beats++;
    if (!clerk->knows && clerk->beats >= PATIENCE_BEATS) {
        clerk->knows = true;
    }
    if (clerk->knows) {
        clerk->opts.on_orders(clerk->opts.arg, &clerk->orders);
    }
    go(clerk);
    sl_timer_arm(clerk->timer, BEAT_MS);
}

static void go(struct con_clerk *clerk)
{
    if (!sl_pg_link_is_up(clerk->pg) || sl_pg_link_is_busy(clerk->pg)) {
        return;
    }
    struct sl_pg_param standing[3 + STANDING_COLUMNS];
    const struct sl_pg_param nobody = { .value = { 0 } };
    const struct sl_pg_param self = { .value = sl_span_of(clerk->instance) };
    clerk->with_dead = clerk->beats % DEAD_EVERY == 0;
    const struct sl_pg_step steps[] = {
        { .name = "orders" },
        { .name = "breakers_elsewhere", .params = &self, .param_count = 1 },
        { .name = "consumer_standing", .params = standing, .param_count = SL_COUNT(standing) },
        { .name = "dead_standing" },
        { .name = "consumer_forget", .params = &nobody, .param_count = 1 },
    };
    struct sl_err why;
    if (!put_standing(clerk, standing, &why) ||
        !sl_pg_run(clerk->pg, steps, clerk->with_dead ? SL_COUNT(steps) : 3, on_done, clerk,
                   &why)) {
        meet_failure(clerk, &why);
    }
}

/* In the order of consumer_standing.sql. */
static bool put_standing(struct con_clerk *clerk, struct sl_pg_param *out_params,
                         struct sl_err *err)
{
    static const enum sl_pg_type types[STANDING_COLUMNS] = {
        SL_PG_TEXT, SL_PG_INT8, SL_PG_INT8,        SL_PG_BOOL, SL_PG_INT8, SL_PG_INT8, SL_PG_INT8,
        SL_PG_INT8, SL_PG_INT8, SL_PG_TIMESTAMPTZ, SL_PG_INT8, SL_PG_TEXT, SL_PG_INT8,
    };
    struct con_standing standings[SL_SUBSYSTEMS_MAX] = { 0 };
    struct sl_pg_array arrays[STANDING_COLUMNS];
    for (size_t i = 0; i < clerk->opts.subsystem_count; i++) {
        look(clerk, i, &standings[i]);
    }
    sl_buf_reset(&clerk->params);
    for (size_t c = 0; c < STANDING_COLUMNS; c++) {
        sl_pg_array_begin(&arrays[c], types[c], &clerk->params);
        for (size_t i = 0; i < clerk->opts.subsystem_count; i++) {
            put_cell(clerk, &arrays[c], c, i, &standings[i]);
        }
        sl_pg_array_end(&arrays[c]);
    }
    if (!sl_buf_ok(&clerk->params)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for what this process does");
    }
    out_params[0] = (struct sl_pg_param){ .value = sl_span_of(clerk->instance) };
    out_params[1] = (struct sl_pg_param){ .value = sl_span_of(SLUICE_VERSION) };
    out_params[2] =
        (struct sl_pg_param){ .value = clerk->orders_at[0] == '\0' ? (struct sl_span){ 0 }
                                                                   : sl_span_of(clerk->orders_at) };
    for (size_t c = 0; c < STANDING_COLUMNS; c++) {
        out_params[3 + c] =
            (struct sl_pg_param){ .value = sl_pg_array_span(&arrays[c]), .is_binary = true };
    }
    return true;
}

static void look(struct con_clerk *clerk, size_t subsystem, struct con_standing *out_standing)
{
    struct sl_buf *breakers = &clerk->breakers[subsystem];
    sl_buf_reset(breakers);
    struct sl_json_writer json = sl_json_writer_make(breakers);
    sl_json_array_begin(&json);
    out_standing->breakers = &json;
    clerk->opts.look(clerk->opts.arg, subsystem, out_standing);
    out_standing->breakers = NULL;
    sl_json_array_end(&json);
}

static void put_cell(const struct con_clerk *clerk, struct sl_pg_array *array, size_t column,
                     size_t subsystem, const struct con_standing *standing)
{
    const struct sl_buf *breakers = &clerk->breakers[subsystem];
    const int64_t numbers[STANDING_COLUMNS] = {
        [1] = standing->workers,   [2] = standing->workers_max, [4] = standing->batch,
        [5] = standing->attempts,  [6] = standing->held,        [7] = standing->settled,
        [8] = standing->failed,    [9] = standing->oldest_us,   [10] = standing->waiting,
        [12] = standing->apply_us,
    };
    if (column == 0) {
        sl_pg_array_bytes(array, sl_span_of(clerk->opts.subsystems[subsystem]->name));
    } else if (column == 11) {
        sl_pg_array_bytes(array,
                          sl_buf_ok(breakers) ? sl_buf_span(breakers) : SL_SPAN_LITERAL("[]"));
    } else if (column == 3) {
        sl_pg_array_bool(array, standing->is_paused);
    } else if ((column == 9 && standing->oldest_us == 0) ||
               (column == 10 && standing->waiting < 0) ||
               (column == 12 && standing->apply_us == 0)) {
        sl_pg_array_null(array);
    } else if (column == 9) {
        sl_pg_array_time_us(array, numbers[column]);
    } else {
        sl_pg_array_int8(array, numbers[column]);
    }
}

static void on_done(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                    const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)count;
    struct con_clerk *clerk = arg;
    if (clerk->is_leaving) {
        con_clerk_leave(clerk);
        return;
    }
    if (error != NULL) {
        meet_failure(clerk, &error->err);
        return;
    }
    clerk->is_failing = false;
    read_orders(clerk, results[0]);
    read_elsewhere(clerk, results[1]);
    if (clerk->with_dead) {
        read_dead(clerk, results[3]);
    }
    clerk->knows = true;
    clerk->opts.on_orders(clerk->opts.arg, &clerk->orders);
    clerk->opts.on_wrote(clerk->opts.arg);
}

static void read_orders(struct con_clerk *clerk, const struct sl_pg_result *result)
{
    size_t count = 0;
    for (size_t i = 0; i < sl_pg_rows(result) && count < CON_ORDERS_ROWS_MAX; i++) {
        struct sl_span name = sl_pg_value(result, i, 1);
        if (name.data != NULL) { /* else there is none, and the row only says when */
            clerk->rows[count++] =
                (struct con_order_row){ .subsystem = sl_pg_value(result, i, 0),
                                        .name = name,
                                        .value = sl_pg_value(result, i, 2),
                                        .reason = sl_pg_value(result, i, 3),
                                        .expires_us = number_of(sl_pg_value(result, i, 4)) };
        }
    }
    con_orders_read(&clerk->orders, clerk->rows, count);
    struct sl_span read_at = sl_pg_value(result, 0, 5);
    snprintf(clerk->orders_at, sizeof clerk->orders_at, "%.*s", SL_SPAN_ARGS(read_at));
    if (clerk->orders.strange > 0 && !clerk->was_strange) {
        sl_warn(clerk->opts.log, "orders.strange",
                "rows of sluice_control are not understood by this version, or too many; ignored",
                sl_int("rows", (int64_t)clerk->orders.strange));
    }
    clerk->was_strange = clerk->orders.strange > 0;
}

static void read_elsewhere(struct con_clerk *clerk, const struct sl_pg_result *result)
{
    con_orders_elsewhere_begin(&clerk->orders);
    for (size_t i = 0; i < sl_pg_rows(result); i++) {
        con_orders_elsewhere_note(&clerk->orders, sl_pg_value(result, i, 0),
                                  sl_pg_value(result, i, 1), number_of(sl_pg_value(result, i, 2)));
    }
}

/* Subsystems without a row have no open letter. */
static void read_dead(struct con_clerk *clerk, const struct sl_pg_result *result)
{
    for (size_t i = 0; i < clerk->opts.subsystem_count; i++) {
        show_dead(clerk, clerk->opts.subsystems[i]->name, result);
    }
    show_dead(clerk, "unrouted", result);
}

static void show_dead(struct con_clerk *clerk, const char *subsystem,
                      const struct sl_pg_result *result)
{
    int64_t open = 0;
    int64_t oldest_s = 0;
    for (size_t row = 0; row < sl_pg_rows(result); row++) {
        if (sl_span_is(sl_pg_value(result, row, 0), subsystem)) {
            open = number_of(sl_pg_value(result, row, 1));
            oldest_s = number_of(sl_pg_value(result, row, 2));
        }
    }
    struct sl_metrics *metrics = clerk->opts.metrics;
    sl_series_set(sl_metrics_series(metrics, SL_M_DEAD_OPEN, subsystem, NULL), open);
    sl_series_set(sl_metrics_series(metrics, SL_M_DEAD_OLDEST, subsystem, NULL), oldest_s);
}

static int64_t number_of(struct sl_span text)
{
    int64_t number = 0;
    return sl_units_decimal(text, DIGITS_MAX, &number) ? number : 0;
}

/* Said once, until it works again. A server that answers but has no such table has no orders. */
static void meet_failure(struct con_clerk *clerk, const struct sl_err *why)
{
    if (!clerk->is_failing) {
        sl_log_err(clerk->opts.log, SL_WARN, "orders.unread",
                   "what operators have set cannot be read; what was read last stands", why);
    }
    clerk->is_failing = true;
    if (sl_pg_link_is_up(clerk->pg)) {
        clerk->knows = true;
    }
}
