#include "consumer/billing/billing_handler.h"

#include <stdlib.h>

#include "consumer/billing/billing_apply.h"
#include "consumer/billing/billing_event.h"
#include "consumer/billing/billing_thin.h"
#include "shared/units.h"

#define PARAMS_BYTES_MAX (24u * 1024u * 1024u)
#define JSON_NODES_MAX   65536u /* of one body; real events have some hundred */
#define WRITTEN_COLUMNS  4u     /* account, livemode, id, late */
#define PLACE_DIGITS_MAX 9u

/* The columns of twins.sql. */
enum { TWIN_PLACE, TWIN_EVENT_ID, TWIN_TYPE, TWIN_BODY };

struct billing_handler {
    struct con_billing *billing;
    struct sl_json_parser *parser;
    struct sl_arena *arena; /* of the batch; borrowed */
    struct sl_series *ambiguous;
};

static void free_self(void *self);
static void add_statements(struct con_statements *statements);
static bool read_batch(void *self, struct sl_arena *arena, struct con_event *events, size_t count,
                       size_t *out_replaced, struct sl_err *err);
static bool read_body(const struct billing_handler *handler, struct sl_arena *arena,
                      struct con_event *event, struct sl_err *err);
static bool plan(void *self, size_t first, size_t count, struct sl_err *err);
static const struct sl_pg_step *steps(const void *self, size_t *out_count);
static bool take(void *self, size_t step, const struct sl_pg_result *result, struct sl_err *err);
static bool take_twins(const struct billing_handler *handler, const struct sl_pg_result *result,
                       struct sl_err *err);
static bool again(void *self, struct sl_err *err);
static void settle(void *self);

static const struct con_handler_type type = {
    .archives = true,
    .free = free_self,
    .add_statements = add_statements,
    .read = read_batch,
    .plan = plan,
    .steps = steps,
    .take = take,
    .again = again,
    .settle = settle,
};

bool con_billing_handler_init(struct con_handler *handler, const struct con_handler_opts *opts,
                              struct sl_err *err)
{
    struct billing_handler *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->billing =
            con_billing_new(PARAMS_BYTES_MAX, opts->subsystem->name,
                            &(struct con_billing_asks){ .is_on = opts->asks_stripe,
                                                        .livemode = opts->stripe_livemode });
        self->parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
    }
    if (self == NULL || self->billing == NULL || self->parser == NULL) {
        free_self(self);
        return sl_fail(err, SL_E_MEMORY, "no memory for a handler");
    }
    self->ambiguous =
        sl_metrics_series(opts->metrics, SL_M_ORDER_AMBIGUOUS, opts->subsystem->name, NULL);
    *handler = (struct con_handler){ &type, self };
    return true;
}

static void free_self(void *self)
{
    struct billing_handler *handler = self;
    if (handler != NULL) {
        con_billing_free(handler->billing);
        sl_json_parser_free(handler->parser);
        free(handler);
    }
}

static void add_statements(struct con_statements *statements)
{
    con_statements_add(statements, "customer_upsert");
    con_statements_add(statements, "customer_delete");
    con_statements_add(statements, "subscription_upsert");
    con_statements_add(statements, "subscription_delete");
    con_statements_add(statements, "subscription_item_upsert");
    con_statements_add(statements, "subscription_item_missing");
    con_statements_add(statements, "invoice_upsert");
    con_statements_add(statements, "invoice_delete");
    con_statements_add(statements, "invoice_line_upsert");
    con_statements_add(statements, "invoice_line_missing");
    con_statements_add(statements, "invoice_payment_upsert");
    con_statements_add(statements, "account_upsert");
    con_statements_add(statements, CON_BILLING_TWINS_STEP);
    con_statements_add(statements, CON_BILLING_ASK_STEP);
}

static bool read_batch(void *self, struct sl_arena *arena, struct con_event *events, size_t count,
                       size_t *out_replaced, struct sl_err *err)
{
    struct billing_handler *handler = self;
    handler->arena = arena;
    for (size_t i = 0; i < count; i++) {
        if (events[i].verdict == CON_PENDING && !read_body(handler, arena, &events[i], err)) {
            return false;
        }
    }
    return con_billing_read(handler->billing, arena, events, count, out_replaced, err);
}

/* A body larger than we look into is DEAD; one that is not JSON is not. False without memory. */
static bool read_body(const struct billing_handler *handler, struct sl_arena *arena,
                      struct con_event *event, struct sl_err *err)
{
    if (con_billing_type_find(event->envelope.type) == NULL &&
        !con_billing_thin_is(event->envelope.type)) {
        return true; /* will be ignored: nobody looks into its body */
    }
    struct sl_err why;
    event->json = sl_json_parse(handler->parser, arena, event->envelope.body,
                                CON_BILLING_JSON_DEPTH, JSON_NODES_MAX, &why);
    if (event->json == NULL && why.code == SL_E_LIMIT) {
        event->verdict = CON_DEAD;
        event->why = why;
    }
    if (event->json == NULL && why.code == SL_E_MEMORY) {
        return sl_fail(err, SL_E_MEMORY, "%s", why.text);
    }
    return true;
}

static bool plan(void *self, size_t first, size_t count, struct sl_err *err)
{
    return con_billing_plan(((struct billing_handler *)self)->billing, first, count, err);
}

static const struct sl_pg_step *steps(const void *self, size_t *out_count)
{
    return con_billing_steps(((const struct billing_handler *)self)->billing, out_count);
}

static bool take(void *self, size_t step, const struct sl_pg_result *result, struct sl_err *err)
{
    struct billing_handler *handler = self;
    size_t count = 0;
    const char *name = con_billing_steps(handler->billing, &count)[step].name;
    if (name != NULL && strcmp(name, CON_BILLING_TWINS_STEP) == 0) {
        return take_twins(handler, result, err);
    }
    size_t rows = sl_pg_columns(result) == WRITTEN_COLUMNS ? sl_pg_rows(result) : 0;
    for (size_t row = 0; row < rows; row++) {
        if (!con_billing_written(handler->billing, step, sl_pg_value(result, row, 0),
                                 sl_pg_value(result, row, 1), sl_pg_value(result, row, 2),
                                 sl_pg_value(result, row, 3), err)) {
            return false;
        }
    }
    return true;
}

/* The result is gone when the next steps are planned: what is kept of it moves into the arena. */
static bool take_twins(const struct billing_handler *handler, const struct sl_pg_result *result,
                       struct sl_err *err)
{
    for (size_t row = 0; row < sl_pg_rows(result); row++) {
        int64_t place = 0;
        struct sl_span body = sl_pg_value(result, row, TWIN_BODY);
        struct sl_span id = sl_arena_copy(handler->arena, sl_pg_value(result, row, TWIN_EVENT_ID));
        struct sl_span event_type =
            sl_arena_copy(handler->arena, sl_pg_value(result, row, TWIN_TYPE));
        if (id.data == NULL || event_type.data == NULL) {
            return sl_fail(err, SL_E_MEMORY, "no room for an event of the same second");
        }
        if (!sl_units_decimal(sl_pg_value(result, row, TWIN_PLACE), PLACE_DIGITS_MAX, &place)) {
            return sl_fail(err, SL_E_BUG, "twins returned a place that is no number");
        }
        struct sl_json *root = NULL;
        if (body.data != NULL) {
            root = sl_json_parse(handler->parser, handler->arena, body, CON_BILLING_JSON_DEPTH,
                                 JSON_NODES_MAX, err);
            if (root == NULL) {
                return false;
            }
        }
        if (!con_billing_twin(handler->billing, (size_t)place, id, event_type, root, err)) {
            return false;
        }
    }
    return true;
}

static bool again(void *self, struct sl_err *err)
{
    return con_billing_again(((struct billing_handler *)self)->billing, err);
}

static void settle(void *self)
{
    struct billing_handler *handler = self;
    sl_series_add(handler->ambiguous, (int64_t)con_billing_settle(handler->billing));
}
