#include "consumer/billing_apply.h"

#include <stdlib.h>

#include "consumer/billing_collapse.h"
#include "shared/pg_array.h"

#define STEPS_MAX  11u
#define PARAMS_MAX 256u /* of all steps together */

/* What the plan writes to one table, in one way. */
struct group {
    struct con_billing_row **rows; /* in the order of arrival; collapsed by the plan */
    size_t count;
    size_t kept; /* the newest per key, first in rows */
};

/* The values of one row for a parameter, appended to an array. */
typedef void put_fn(struct sl_pg_array *array, const struct con_billing_row *row, size_t column);

struct con_billing {
    struct sl_arena *arena; /* borrowed; holds everything of the batch */
    struct con_event *events;
    size_t event_count;
    struct con_billing_row **rows; /* of each event; NULL without one */
    size_t first;                  /* the range that is planned */
    size_t count;

    struct group upserts[CON_BILLING_TABLES];
    struct group stubs[CON_BILLING_TABLES];
    struct group lists[CON_BILLING_TABLES]; /* parents that listed all their children */

    struct sl_buf bytes; /* of all parameters */
    struct sl_pg_array arrays[PARAMS_MAX];
    struct sl_pg_param params[PARAMS_MAX];
    size_t param_count;
    struct sl_pg_step steps[STEPS_MAX];
    const struct group *step_groups[STEPS_MAX];
    size_t step_count;
};

static bool read_event(struct con_billing *billing, size_t index, size_t *out_replaced,
                       struct sl_err *err);
static bool group_rows(struct con_billing *billing, struct sl_err *err);
static bool group_children(struct con_billing *billing, enum con_billing_table parent,
                           enum con_billing_table child, struct sl_err *err);
static bool make_room(struct con_billing *billing, struct group *group, size_t count,
                      struct sl_err *err);
static void add(struct group *group, struct con_billing_row *row);
static void collapse(struct group *group);
static void plan_upsert(struct con_billing *billing, enum con_billing_table table,
                        const char *name);
static void plan_stub(struct con_billing *billing, enum con_billing_table table, const char *name);
static void plan_missing(struct con_billing *billing, enum con_billing_table parent,
                         const char *name);
static void begin_step(struct con_billing *billing, const struct group *group, const char *name);
static void end_step(struct con_billing *billing);
static void put_array(struct con_billing *billing, enum sl_pg_type type, put_fn *put,
                      size_t column);
static void put_account(struct sl_pg_array *array, const struct con_billing_row *row,
                        size_t column);
static void put_livemode(struct sl_pg_array *array, const struct con_billing_row *row,
                         size_t column);
static void put_id(struct sl_pg_array *array, const struct con_billing_row *row, size_t column);
static void put_cell(struct sl_pg_array *array, const struct con_billing_row *row, size_t column);
static void put_deleted_at(struct sl_pg_array *array, const struct con_billing_row *row,
                           size_t column);
static void put_src_created(struct sl_pg_array *array, const struct con_billing_row *row,
                            size_t column);
static void put_src_phase(struct sl_pg_array *array, const struct con_billing_row *row,
                          size_t column);
static void put_src_event_id(struct sl_pg_array *array, const struct con_billing_row *row,
                             size_t column);
static enum sl_pg_type pg_type(enum con_cell_kind kind);
static bool has_parent(enum con_billing_table table);

struct con_billing *con_billing_new(size_t param_bytes_max)
{
    struct con_billing *billing = calloc(1, sizeof *billing);
    if (billing != NULL) {
        sl_buf_init(&billing->bytes, param_bytes_max);
    }
    return billing;
}

void con_billing_free(struct con_billing *billing)
{
    if (billing != NULL) {
        sl_buf_done(&billing->bytes);
        free(billing);
    }
}

bool con_billing_read(struct con_billing *billing, struct sl_arena *arena, struct con_event *events,
                      size_t count, size_t *out_replaced, struct sl_err *err)
{
    billing->arena = arena;
    billing->events = events;
    billing->event_count = count;
    billing->count = 0;
    billing->step_count = 0;
    billing->rows = sl_arena_array(arena, count, sizeof billing->rows[0]);
    if (billing->rows == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room for a batch of %zu events", count);
    }
    for (size_t i = 0; i < count; i++) {
        if (events[i].verdict == CON_PENDING && !read_event(billing, i, out_replaced, err)) {
            return false;
        }
    }
    return true;
}

/* False only without memory: an event that can never pass is a verdict. */
static bool read_event(struct con_billing *billing, size_t index, size_t *out_replaced,
                       struct sl_err *err)
{
    struct con_event *event = &billing->events[index];
    struct con_billing_subject subject;
    struct sl_err why;
    bool is_read =
        con_billing_event_read(&event->envelope, event->json, billing->arena, &subject, &why);
    if (is_read && subject.act == CON_BILLING_IGNORE) {
        event->verdict = CON_IGNORED;
        return true;
    }
    size_t replaced = 0;
    is_read = is_read && con_billing_row_read(&subject, &event->envelope, billing->arena,
                                              &billing->rows[index], &replaced, &why);
    if (is_read) {
        if (out_replaced != NULL) {
            *out_replaced += replaced;
        }
        return true;
    }
    billing->rows[index] = NULL;
    if (sl_err_fault(&why) != SL_FAULT_POISON) {
        if (err != NULL) {
            *err = why;
        }
        return false;
    }
    event->verdict = CON_DEAD;
    event->why = why;
    return true;
}

bool con_billing_plan(struct con_billing *billing, size_t first, size_t count, struct sl_err *err)
{
    SL_ASSERT(first <= billing->event_count && count <= billing->event_count - first);
    billing->first = first;
    billing->count = count;
    billing->step_count = 0;
    billing->param_count = 0;
    sl_buf_reset(&billing->bytes);
    if (!group_rows(billing, err) ||
        !group_children(billing, CON_BILLING_SUBSCRIPTION, CON_BILLING_SUBSCRIPTION_ITEM, err) ||
        !group_children(billing, CON_BILLING_INVOICE, CON_BILLING_INVOICE_LINE, err)) {
        return false;
    }

    /* Every worker takes the tables, and in them the rows, in one order: no deadlocks. Children need their parent's new version. */
    plan_upsert(billing, CON_BILLING_CUSTOMER, "customer_upsert");
    plan_stub(billing, CON_BILLING_CUSTOMER, "customer_delete");
    plan_upsert(billing, CON_BILLING_SUBSCRIPTION, "subscription_upsert");
    plan_stub(billing, CON_BILLING_SUBSCRIPTION, "subscription_delete");
    plan_upsert(billing, CON_BILLING_SUBSCRIPTION_ITEM, "subscription_item_upsert");
    plan_missing(billing, CON_BILLING_SUBSCRIPTION, "subscription_item_missing");
    plan_upsert(billing, CON_BILLING_INVOICE, "invoice_upsert");
    plan_stub(billing, CON_BILLING_INVOICE, "invoice_delete");
    plan_upsert(billing, CON_BILLING_INVOICE_LINE, "invoice_line_upsert");
    plan_missing(billing, CON_BILLING_INVOICE, "invoice_line_missing");
    plan_upsert(billing, CON_BILLING_INVOICE_PAYMENT, "invoice_payment_upsert");

    if (!sl_buf_ok(&billing->bytes)) {
        /* Elements are small against the ceiling, so a buffer that failed far below it failed for want of memory. */
        enum sl_code code =
            billing->bytes.room_bytes > billing->bytes.bytes_max / 2 ? SL_E_LIMIT : SL_E_MEMORY;
        billing->step_count = 0;
        return sl_fail(err, code, "the parameters of %zu events do not fit into %zu bytes", count,
                       billing->bytes.bytes_max);
    }
    for (size_t i = 0; i < billing->param_count; i++) { /* the buffer has stopped moving */
        billing->params[i] = (struct sl_pg_param){
            .value = sl_pg_array_span(&billing->arrays[i]),
            .is_binary = true,
        };
    }
    return true;
}

/* Sorts the planned events' rows into groups, and collapses each. */
static bool group_rows(struct con_billing *billing, struct sl_err *err)
{
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        if (!make_room(billing, &billing->upserts[table], billing->count, err) ||
            !make_room(billing, &billing->stubs[table], billing->count, err) ||
            !make_room(billing, &billing->lists[table], billing->count, err)) {
            return false;
        }
    }
    for (size_t i = billing->first; i < billing->first + billing->count; i++) {
        struct con_billing_row *row = billing->rows[i];
        if (row == NULL || billing->events[i].verdict != CON_PENDING) {
            continue;
        }
        row->is_written = false;
        row->is_late = false;
        add(row->is_stub ? &billing->stubs[row->table] : &billing->upserts[row->table], row);
    }
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        collapse(&billing->upserts[table]);
        collapse(&billing->stubs[table]);
    }
    return true;
}

static bool make_room(struct con_billing *billing, struct group *group, size_t count,
                      struct sl_err *err)
{
    *group = (struct group){
        .rows = sl_arena_array(billing->arena, count, sizeof group->rows[0]),
    };
    return group->rows != NULL || sl_fail(err, SL_E_MEMORY, "no room to sort %zu rows", count);
}

static void add(struct group *group, struct con_billing_row *row)
{
    group->rows[group->count++] = row;
}

static void collapse(struct group *group)
{
    group->kept = con_billing_collapse(group->rows, group->count);
}

/* Children of the parents that are left; one that two parents claim goes to the newer. */
static bool group_children(struct con_billing *billing, enum con_billing_table parent,
                           enum con_billing_table child, struct sl_err *err)
{
    const struct group *parents = &billing->upserts[parent];
    struct group *children = &billing->upserts[child];
    size_t count = 0;
    for (size_t i = 0; i < parents->kept; i++) {
        for (const struct con_billing_row *row = parents->rows[i]->children; row != NULL;
             row = row->next) {
            count++;
        }
    }
    if (!make_room(billing, children, count, err)) {
        return false;
    }
    for (size_t i = 0; i < parents->kept; i++) {
        for (struct con_billing_row *row = parents->rows[i]->children; row != NULL;
             row = row->next) {
            add(children, row);
        }
        if (parents->rows[i]->children_complete) {
            add(&billing->lists[parent], parents->rows[i]);
        }
    }
    collapse(children);
    billing->lists[parent].kept = billing->lists[parent].count;
    return true;
}

static void plan_upsert(struct con_billing *billing, enum con_billing_table table, const char *name)
{
    struct con_columns columns = con_billing_columns(table);
    if (billing->upserts[table].kept == 0) {
        return;
    }
    begin_step(billing, &billing->upserts[table], name);
    put_array(billing, SL_PG_TEXT, put_account, 0);
    put_array(billing, SL_PG_BOOL, put_livemode, 0);
    put_array(billing, SL_PG_TEXT, put_id, 0);
    for (size_t i = 0; i < columns.count; i++) {
        put_array(billing, pg_type(columns.items[i].kind), put_cell, i);
    }
    if (!has_parent(table)) {
        put_array(billing, SL_PG_TIMESTAMPTZ, put_deleted_at, 0);
    }
    put_array(billing, SL_PG_TIMESTAMPTZ, put_src_created, 0);
    put_array(billing, SL_PG_INT8, put_src_phase, 0);
    put_array(billing, SL_PG_TEXT, put_src_event_id, 0);
    end_step(billing);
}

static bool has_parent(enum con_billing_table table)
{
    return table == CON_BILLING_SUBSCRIPTION_ITEM || table == CON_BILLING_INVOICE_LINE;
}

static void plan_stub(struct con_billing *billing, enum con_billing_table table, const char *name)
{
    if (billing->stubs[table].kept == 0) {
        return;
    }
    begin_step(billing, &billing->stubs[table], name);
    put_array(billing, SL_PG_TEXT, put_account, 0);
    put_array(billing, SL_PG_BOOL, put_livemode, 0);
    put_array(billing, SL_PG_TEXT, put_id, 0);
    put_array(billing, SL_PG_TIMESTAMPTZ, put_deleted_at, 0);
    put_array(billing, SL_PG_TEXT, put_src_event_id, 0);
    end_step(billing);
}

static void plan_missing(struct con_billing *billing, enum con_billing_table parent,
                         const char *name)
{
    if (billing->lists[parent].kept == 0) {
        return;
    }
    begin_step(billing, &billing->lists[parent], name);
    put_array(billing, SL_PG_TEXT, put_account, 0);
    put_array(billing, SL_PG_BOOL, put_livemode, 0);
    put_array(billing, SL_PG_TEXT, put_id, 0);
    put_array(billing, SL_PG_TEXT, put_src_event_id, 0);
    end_step(billing);
}

static void begin_step(struct con_billing *billing, const struct group *group, const char *name)
{
    SL_ASSERT(billing->step_count < STEPS_MAX);
    billing->step_groups[billing->step_count] = group;
    billing->steps[billing->step_count] = (struct sl_pg_step){
        .name = name,
        .params = &billing->params[billing->param_count],
    };
}

static void end_step(struct con_billing *billing)
{
    struct sl_pg_step *step = &billing->steps[billing->step_count++];
    step->param_count = (size_t)(&billing->params[billing->param_count] - step->params);
    SL_ASSERT(step->param_count <= SL_PG_PARAMS_MAX);
}

static void put_array(struct con_billing *billing, enum sl_pg_type type, put_fn *put, size_t column)
{
    SL_ASSERT(billing->param_count < PARAMS_MAX);
    const struct group *group = billing->step_groups[billing->step_count];
    struct sl_pg_array *array = &billing->arrays[billing->param_count++];
    sl_pg_array_begin(array, type, &billing->bytes);
    for (size_t i = 0; i < group->kept; i++) {
        put(array, group->rows[i], column);
    }
    sl_pg_array_end(array);
}

static void put_account(struct sl_pg_array *array, const struct con_billing_row *row, size_t column)
{
    (void)column;
    sl_pg_array_bytes(array, row->account);
}

static void put_livemode(struct sl_pg_array *array, const struct con_billing_row *row,
                         size_t column)
{
    (void)column;
    sl_pg_array_bool(array, row->livemode);
}

static void put_id(struct sl_pg_array *array, const struct con_billing_row *row, size_t column)
{
    (void)column;
    sl_pg_array_bytes(array, row->id);
}

static void put_cell(struct sl_pg_array *array, const struct con_billing_row *row, size_t column)
{
    const struct con_cell *cell = &row->cells[column];
    if (!cell->is_set) {
        sl_pg_array_null(array);
        return;
    }
    switch (con_billing_columns(row->table).items[column].kind) {
    case CON_CELL_TEXT:
    case CON_CELL_REF:
    case CON_CELL_DECIMAL:
    case CON_CELL_JSON:
        sl_pg_array_bytes(array, cell->text);
        break;
    case CON_CELL_INT:
        sl_pg_array_int8(array, cell->number);
        break;
    case CON_CELL_TIME:
        sl_pg_array_time_s(array, cell->number);
        break;
    case CON_CELL_BOOL:
        sl_pg_array_bool(array, cell->flag);
        break;
    }
}

static void put_deleted_at(struct sl_pg_array *array, const struct con_billing_row *row,
                           size_t column)
{
    (void)column;
    if (row->is_deleted) {
        sl_pg_array_time_s(array, row->deleted_at_s);
    } else {
        sl_pg_array_null(array);
    }
}

static void put_src_created(struct sl_pg_array *array, const struct con_billing_row *row,
                            size_t column)
{
    (void)column;
    sl_pg_array_time_s(array, row->version.created_s);
}

static void put_src_phase(struct sl_pg_array *array, const struct con_billing_row *row,
                          size_t column)
{
    (void)column;
    sl_pg_array_int8(array, row->version.phase);
}

static void put_src_event_id(struct sl_pg_array *array, const struct con_billing_row *row,
                             size_t column)
{
    (void)column;
    sl_pg_array_bytes(array, row->version.event_id);
}

static enum sl_pg_type pg_type(enum con_cell_kind kind)
{
    switch (kind) {
    case CON_CELL_INT:
        return SL_PG_INT8;
    case CON_CELL_BOOL:
        return SL_PG_BOOL;
    case CON_CELL_TIME:
        return SL_PG_TIMESTAMPTZ;
    case CON_CELL_TEXT:
    case CON_CELL_REF:
    case CON_CELL_DECIMAL:
    case CON_CELL_JSON:
        break;
    }
    return SL_PG_TEXT;
}

const struct sl_pg_step *con_billing_steps(const struct con_billing *billing, size_t *out_count)
{
    *out_count = billing->step_count;
    return billing->steps;
}

bool con_billing_written(struct con_billing *billing, size_t step, struct sl_span account,
                         struct sl_span livemode, struct sl_span id, struct sl_span late,
                         struct sl_err *err)
{
    SL_ASSERT(step < billing->step_count);
    const struct group *group = billing->step_groups[step];
    struct con_billing_row *row = con_billing_collapsed_find(group->rows, group->kept, account,
                                                             sl_span_is(livemode, "t"), id);
    if (row == NULL) {
        return sl_fail(err, SL_E_BUG, "%s returned a key that it was not given",
                       billing->steps[step].name);
    }
    row->is_written = true;
    row->is_late = sl_span_is(late, "t");
    return true;
}

void con_billing_settle(struct con_billing *billing)
{
    for (size_t i = billing->first; i < billing->first + billing->count; i++) {
        const struct con_billing_row *row = billing->rows[i];
        if (row == NULL || billing->events[i].verdict != CON_PENDING) {
            continue;
        }
        bool is_applied = row->led && row->winner->is_written && !row->winner->is_late;
        billing->events[i].verdict = is_applied ? CON_APPLIED : CON_STALE;
    }
}
