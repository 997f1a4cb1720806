#include "consumer/handlers/sql_handler.h"

#include <stdlib.h>

#include "consumer/handlers/sql_catalog.h"
#include "shared/units.h"

#define PARAMS_BYTES_MAX (24u * 1024u * 1024u)
#define CLEAN_BYTES_MAX                                                                            \
    (4u * 1024u * 1024u) /* one body; escapes of U+FFFD are as long as what they replace */
#define SQL_BYTES_MAX    4096u
#define JSON_DEPTH       1u /* the grammar is checked below it as well */
#define JSON_NODES_MAX   262144u
#define PLACE_DIGITS_MAX 9u

struct sql_handler {
    const struct sl_subsystem *subsystem; /* borrowed */
    struct sl_json_parser *parser;
    struct sl_buf clean;

    bool is_known; /* signature and sql hold */
    struct con_sql_signature signature;
    struct sl_buf sql;
    con_prepared_fn *on_prepared; /* while the catalogue is asked */
    void *arg;

    struct sl_arena *arena; /* borrowed; holds everything of the batch */
    struct con_event *events;
    size_t event_count;
    size_t *indexes;                 /* room for event_count */
    struct con_chosen_events called; /* of the slice */
    struct sl_buf bytes;
    struct sl_pg_param params[CON_EVENT_COLUMNS];
    struct sl_pg_step step;
};

static void free_self(void *self);
static bool read_batch(void *self, struct sl_arena *arena, struct con_event *events, size_t count,
                       size_t *out_replaced, struct sl_err *err);
static bool read_body(struct sql_handler *handler, struct con_event *event, size_t *out_replaced,
                      struct sl_err *err);
static enum con_prepare prepare(void *self, struct sl_pg_link *pg, con_prepared_fn *on_prepared,
                                void *arg, struct sl_err *err);
static void on_catalog(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg);
static void mark(struct sql_handler *handler, enum con_verdict from, enum con_verdict to);
static void refuse_bodies(struct sql_handler *handler);
static bool plan(void *self, size_t first, size_t count, struct sl_err *err);
static const struct sl_pg_step *steps(const void *self, size_t *out_count);
static bool take(void *self, size_t step, const struct sl_pg_result *result, struct sl_err *err);
static void settle(void *self);
static void refused(void *self, struct con_handler_error *error);

static const struct con_handler_type type = {
    .free = free_self,
    .add_statements = con_sql_catalog_statements,
    .read = read_batch,
    .prepare = prepare,
    .plan = plan,
    .steps = steps,
    .take = take,
    .settle = settle,
    .refused = refused,
};

bool con_sql_handler_init(struct con_handler *handler, const struct sl_subsystem *subsystem,
                          struct sl_err *err)
{
    struct sql_handler *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->subsystem = subsystem;
        self->parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
        sl_buf_init(&self->clean, CLEAN_BYTES_MAX);
        sl_buf_init(&self->sql, SQL_BYTES_MAX);
        sl_buf_init(&self->bytes, PARAMS_BYTES_MAX);
    }
    if (self == NULL || self->parser == NULL) {
        free_self(self);
        return sl_fail(err, SL_E_MEMORY, "no memory for a handler");
    }
    *handler = (struct con_handler){ &type, self };
    return true;
}

static void free_self(void *self)
{
    struct sql_handler *handler = self;
    if (handler != NULL) {
        sl_json_parser_free(handler->parser);
        sl_buf_done(&handler->clean);
        sl_buf_done(&handler->sql);
        sl_buf_done(&handler->bytes);
        free(handler);
    }
}

/* The batch -------------------------------------------------------------------------------------- */

static bool read_batch(void *self, struct sl_arena *arena, struct con_event *events, size_t count,
                       size_t *out_replaced, struct sl_err *err)
{
    struct sql_handler *handler = self;
    handler->arena = arena;
    handler->events = events;
    handler->event_count = count;
    handler->indexes = sl_arena_array(arena, count, sizeof handler->indexes[0]);
    if (handler->indexes == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room for a batch of %zu events", count);
    }
    for (size_t i = 0; i < count; i++) {
        if (events[i].verdict == CON_PENDING &&
            !read_body(handler, &events[i], out_replaced, err)) {
            return false;
        }
    }
    return true;
}

/* A body that is not JSON has no text; refuse_bodies says what that means. */
static bool read_body(struct sql_handler *handler, struct con_event *event, size_t *out_replaced,
                      struct sl_err *err)
{
    event->json = sl_json_parse(handler->parser, handler->arena, event->envelope.body, JSON_DEPTH,
                                JSON_NODES_MAX, &event->why);
    if (event->json == NULL) {
        return event->why.code != SL_E_MEMORY || sl_fail(err, SL_E_MEMORY, "%s", event->why.text);
    }
    size_t replaced = 0;
    sl_buf_reset(&handler->clean);
    sl_json_append_clean(event->json, &handler->clean, &replaced);
    *out_replaced += replaced;
    event->body_text = replaced == 0 ? event->json->raw
                                     : sl_arena_copy(handler->arena, sl_buf_span(&handler->clean));
    return (sl_buf_ok(&handler->clean) && event->body_text.data != NULL) ||
           sl_fail(err, SL_E_MEMORY, "no room for a body");
}

/* The function ----------------------------------------------------------------------------------- */

static enum con_prepare prepare(void *self, struct sl_pg_link *pg, con_prepared_fn *on_prepared,
                                void *arg, struct sl_err *err)
{
    struct sql_handler *handler = self;
    mark(handler, CON_HELD, CON_PENDING);
    if (handler->is_known) {
        refuse_bodies(handler);
        return CON_PREPARED;
    }
    struct sl_pg_param params[CON_SQL_CATALOG_PARAMS];
    struct sl_pg_step step = con_sql_catalog_step(handler->subsystem->function, params);
    handler->on_prepared = on_prepared;
    handler->arg = arg;
    return sl_pg_run(pg, &step, 1, on_catalog, handler, err) ? CON_PREPARING : CON_PREPARE_FAILED;
}

static void on_catalog(struct sl_pg_link *link, struct sl_pg_result *const *results, size_t count,
                       const struct sl_pg_error *error, void *arg)
{
    (void)link;
    (void)count;
    struct sql_handler *handler = arg;
    struct con_handler_error why = { .sqlstate = "" };
    if (error != NULL) {
        why.err = error->err;
        memcpy(why.sqlstate, error->sqlstate, sizeof why.sqlstate);
    } else {
        handler->is_known = con_sql_catalog_read(handler->subsystem->function, results[0],
                                                 &handler->signature, &handler->sql, &why.err);
    }
    if (handler->is_known) {
        refuse_bodies(handler);
    } else {
        mark(handler, CON_PENDING, CON_HELD);
    }
    handler->on_prepared(handler->arg, handler->is_known ? NULL : &why);
}

static void mark(struct sql_handler *handler, enum con_verdict from, enum con_verdict to)
{
    for (size_t i = 0; i < handler->event_count; i++) {
        if (handler->events[i].verdict == from) {
            handler->events[i].verdict = to;
        }
    }
}

/* A function that sees only JSON would be called with NULL, and most would call that a success. */
static void refuse_bodies(struct sql_handler *handler)
{
    for (size_t i = 0; i < handler->event_count && !handler->signature.takes_raw; i++) {
        struct con_event *event = &handler->events[i];
        if (event->verdict == CON_PENDING && event->body_text.data == NULL) {
            event->verdict = CON_DEAD; /* why was said when it was read */
        }
    }
}

/* The slice -------------------------------------------------------------------------------------- */

static bool plan(void *self, size_t first, size_t count, struct sl_err *err)
{
    struct sql_handler *handler = self;
    struct con_chosen_events called = { .events = handler->events, .indexes = handler->indexes };
    for (size_t i = first; i < first + count; i++) {
        if (handler->events[i].verdict == CON_PENDING) {
            handler->indexes[called.count++] = i;
        }
    }
    handler->called = called;
    if (called.count > 0 &&
        !con_event_columns_params(handler->signature.columns, handler->signature.column_count,
                                  &called, handler->arena, &handler->bytes, handler->params, err)) {
        return false;
    }
    handler->step = (struct sl_pg_step){ .sql = sl_buf_span(&handler->sql).data,
                                         .params = handler->params,
                                         .param_count = handler->signature.column_count };
    return true;
}

static const struct sl_pg_step *steps(const void *self, size_t *out_count)
{
    const struct sql_handler *handler = self;
    *out_count = handler->called.count == 0 ? 0 : 1;
    return &handler->step;
}

/* A function that returns one of these words chooses the verdict of its event; whatever else it returns, it has applied it. */
static bool take(void *self, size_t step, const struct sl_pg_result *result, struct sl_err *err)
{
    (void)step;
    struct sql_handler *handler = self;
    for (size_t row = 0; row < sl_pg_rows(result); row++) {
        int64_t place = 0;
        if (!sl_units_decimal(sl_pg_value(result, row, 0), PLACE_DIGITS_MAX, &place) || place < 1 ||
            place > (int64_t)handler->called.count) {
            return sl_fail(err, SL_E_BUG, "the call of %s returned a place that it was not given",
                           handler->subsystem->function);
        }
        struct con_event *event = &handler->events[handler->indexes[place - 1]];
        struct sl_span word = sl_pg_value(result, row, 1);
        event->verdict = sl_span_is(word, "ignored") ? CON_IGNORED
                         : sl_span_is(word, "stale") ? CON_STALE
                                                     : CON_APPLIED;
    }
    return true;
}

/* Every event that was called has had its row. */
static void settle(void *self)
{
    const struct sql_handler *handler = self;
    for (size_t i = 0; i < handler->called.count; i++) {
        SL_ASSERT(handler->events[handler->indexes[i]].verdict != CON_PENDING);
    }
}

static void refused(void *self, struct con_handler_error *error)
{
    struct sql_handler *handler = self;
    static const enum sl_code codes[] = {
        [SL_RULE_DONE] = SL_E_PG_PERMANENT, /* the file's reader refuses it */
        [SL_RULE_RETRY] = SL_E_PG_ITEM,        [SL_RULE_PERMANENT] = SL_E_PG_PERMANENT,
        [SL_RULE_SYSTEMIC] = SL_E_PG_SYSTEMIC, [SL_RULE_HALT] = SL_E_PG_HALT,
    };
    if (error->err.code == SL_E_PG_HALT) {
        handler->is_known = false; /* it may have been replaced */
    }
    const struct sl_subsystem_rule *rule =
        sl_subsystem_rule_find(handler->subsystem, sl_span_of(error->sqlstate));
    if (rule != NULL) {
        error->err.code = codes[rule->verdict];
    }
}
