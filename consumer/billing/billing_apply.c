#include "consumer/billing/billing_apply.h"

#include <stdlib.h>

#include "consumer/billing/billing_collapse.h"
#include "consumer/billing/billing_params.h"
#include "consumer/billing/billing_twins.h"

#define STEPS_MAX 12u
/* See plan_children. */
#define PLANNED_ANEW_ROWS_MIN 32u

/* What the steps in hand are for. */
enum stage {
    STAGE_WRITE,   /* the newest of the batch, where it is newer than the table's */
    STAGE_ASK,     /* which others happened in the second of those that met an equal */
    STAGE_REWRITE, /* the last of their second */
};

/* What the plan writes to one table, in one way. */
struct group {
    struct con_billing_row **rows; /* in the order of arrival; collapsed by the plan */
    size_t count;
    size_t kept; /* the newest per key, first in rows */
};

struct con_billing {
    struct sl_arena *arena; /* borrowed; holds everything of the batch */
    struct con_event *events;
    size_t event_count;
    struct con_billing_row **rows; /* of each event; NULL without one */
    size_t first;                  /* the range that is planned */
    size_t count;

    const char *subsystem; /* borrowed */
    enum stage stage;
    struct con_billing_twins twins;
    struct group upserts[CON_BILLING_TABLES];
    struct group stubs[CON_BILLING_TABLES];
    struct group lists[CON_BILLING_TABLES]; /* parents that listed all their children */

    struct con_billing_params params; /* of all steps */
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
static bool plan_twins(struct con_billing *billing, struct sl_err *err);
static bool plan_last(struct con_billing *billing, struct sl_err *err);
static bool group_last(struct con_billing *billing, size_t *out_count, struct sl_err *err);
static bool end_plan(struct con_billing *billing, struct sl_err *err);
static void plan_upsert(struct con_billing *billing, enum con_billing_table table,
                        const char *name);
static void plan_stub(struct con_billing *billing, enum con_billing_table table, const char *name);
static void plan_children(struct con_billing *billing);
static void plan_missing(struct con_billing *billing, enum con_billing_table parent,
                         const char *name);
static void begin_step(struct con_billing *billing, const struct group *group, const char *name);
static void end_step(struct con_billing *billing);
static void put_field(struct con_billing *billing, enum con_billing_field field);
static bool has_parent(enum con_billing_table table);
static bool is_applied(const struct con_billing_row *row);

struct con_billing *con_billing_new(size_t param_bytes_max, const char *subsystem)
{
    struct con_billing *billing = calloc(1, sizeof *billing);
    if (billing != NULL) {
        billing->subsystem = subsystem;
        con_billing_params_init(&billing->params, param_bytes_max);
    }
    return billing;
}

void con_billing_free(struct con_billing *billing)
{
    if (billing != NULL) {
        con_billing_params_done(&billing->params);
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
    billing->stage = STAGE_WRITE;
    billing->twins = (struct con_billing_twins){ 0 };
    billing->step_count = 0;
    con_billing_params_reset(&billing->params);
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
    plan_upsert(billing, CON_BILLING_INVOICE, "invoice_upsert");
    plan_stub(billing, CON_BILLING_INVOICE, "invoice_delete");
    plan_upsert(billing, CON_BILLING_INVOICE_PAYMENT, "invoice_payment_upsert");
    plan_children(billing);
    return end_plan(billing, err);
}

static bool end_plan(struct con_billing *billing, struct sl_err *err)
{
    if (!con_billing_params_end(&billing->params, err)) {
        billing->step_count = 0;
        return false;
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
        row->last = NULL;
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
    const struct group *group = &billing->upserts[table];
    if (group->kept == 0) {
        return;
    }
    begin_step(billing, group, name);
    put_field(billing, CON_FIELD_ACCOUNT);
    put_field(billing, CON_FIELD_LIVEMODE);
    put_field(billing, CON_FIELD_ID);
    for (size_t i = 0; i < con_billing_columns(table).count; i++) {
        con_billing_params_column(&billing->params, table, i, group->rows, group->kept);
    }
    if (!has_parent(table)) {
        put_field(billing, CON_FIELD_DELETED_AT);
    }
    put_field(billing, CON_FIELD_SRC_CREATED);
    put_field(billing, CON_FIELD_SRC_PHASE);
    put_field(billing, CON_FIELD_SRC_EVENT_ID);
    if (!has_parent(table)) {
        con_billing_params_flag(&billing->params, billing->stage == STAGE_REWRITE);
    }
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
    put_field(billing, CON_FIELD_ACCOUNT);
    put_field(billing, CON_FIELD_LIVEMODE);
    put_field(billing, CON_FIELD_ID);
    put_field(billing, CON_FIELD_DELETED_AT);
    put_field(billing, CON_FIELD_SRC_EVENT_ID);
    end_step(billing);
}

/*
 * These join. A plan made while a table was small, and kept, reads the table whole until the next ANALYZE; planned anew, the server sees how
 * long the arrays and how large the tables are now. That costs it half a millisecond, so only where many rows share it. Should a kept plan
 * be the slow one, batches grow, and then it is not used any more.
 */
static void plan_children(struct con_billing *billing)
{
    size_t rows = billing->upserts[CON_BILLING_SUBSCRIPTION_ITEM].kept +
                  billing->upserts[CON_BILLING_INVOICE_LINE].kept +
                  billing->lists[CON_BILLING_SUBSCRIPTION].kept +
                  billing->lists[CON_BILLING_INVOICE].kept;
    if (rows >= PLANNED_ANEW_ROWS_MIN) {
        SL_ASSERT(billing->step_count < STEPS_MAX);
        billing->step_groups[billing->step_count] = NULL;
        billing->steps[billing->step_count++] = (struct sl_pg_step){
            .sql = "SET LOCAL plan_cache_mode = force_custom_plan",
        };
    }
    plan_upsert(billing, CON_BILLING_SUBSCRIPTION_ITEM, "subscription_item_upsert");
    plan_missing(billing, CON_BILLING_SUBSCRIPTION, "subscription_item_missing");
    plan_upsert(billing, CON_BILLING_INVOICE_LINE, "invoice_line_upsert");
    plan_missing(billing, CON_BILLING_INVOICE, "invoice_line_missing");
}

static void plan_missing(struct con_billing *billing, enum con_billing_table parent,
                         const char *name)
{
    if (billing->lists[parent].kept == 0) {
        return;
    }
    begin_step(billing, &billing->lists[parent], name);
    put_field(billing, CON_FIELD_ACCOUNT);
    put_field(billing, CON_FIELD_LIVEMODE);
    put_field(billing, CON_FIELD_ID);
    put_field(billing, CON_FIELD_SRC_EVENT_ID);
    end_step(billing);
}

static void begin_step(struct con_billing *billing, const struct group *group, const char *name)
{
    SL_ASSERT(billing->step_count < STEPS_MAX);
    billing->step_groups[billing->step_count] = group;
    billing->steps[billing->step_count] = (struct sl_pg_step){
        .name = name,
        .params = &billing->params.items[billing->params.count],
    };
}

static void end_step(struct con_billing *billing)
{
    struct sl_pg_step *step = &billing->steps[billing->step_count++];
    step->param_count = (size_t)(&billing->params.items[billing->params.count] - step->params);
    SL_ASSERT(step->param_count <= SL_PG_PARAMS_MAX);
}

/* A parameter of the step that is being planned. */
static void put_field(struct con_billing *billing, enum con_billing_field field)
{
    const struct group *group = billing->step_groups[billing->step_count];
    con_billing_params_field(&billing->params, field, group->rows, group->kept);
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
    SL_ASSERT(group != NULL);
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

bool con_billing_again(struct con_billing *billing, struct sl_err *err)
{
    billing->step_count = 0;
    con_billing_params_reset(&billing->params);
    switch (billing->stage) {
    case STAGE_WRITE:
        billing->stage = STAGE_ASK;
        return plan_twins(billing, err);
    case STAGE_ASK:
        billing->stage = STAGE_REWRITE;
        return plan_last(billing, err);
    case STAGE_REWRITE:
        break;
    }
    return true;
}

/* A row that was not written is older than the table's, or its equal; a tied one was chosen by its arrival alone. */
static bool plan_twins(struct con_billing *billing, struct sl_err *err)
{
    if (!con_billing_twins_init(&billing->twins, billing->arena, billing->count, err)) {
        return false;
    }
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        const struct group *group = &billing->upserts[table];
        for (size_t i = 0; !has_parent(table) && i < group->kept; i++) {
            if (!group->rows[i]->is_written || group->rows[i]->is_tied) {
                con_billing_twins_ask(&billing->twins, group->rows[i]);
            }
        }
    }
    if (billing->twins.count == 0) {
        return true;
    }
    begin_step(billing, NULL, CON_BILLING_TWINS_STEP);
    con_billing_twins_params(&billing->twins, billing->subsystem, &billing->params);
    end_step(billing);
    return end_plan(billing, err);
}

bool con_billing_twin(struct con_billing *billing, size_t place, struct sl_span event_id,
                      struct sl_span type, const struct sl_json *root, struct sl_err *err)
{
    SL_ASSERT(billing->stage == STAGE_ASK);
    return con_billing_twins_take(&billing->twins, place, event_id, type, root, err);
}

static bool plan_last(struct con_billing *billing, struct sl_err *err)
{
    size_t count = 0;
    if (billing->twins.count == 0) {
        return true;
    }
    if (!group_last(billing, &count, err)) {
        return false;
    }
    if (count == 0) {
        return true;
    }
    plan_upsert(billing, CON_BILLING_CUSTOMER, "customer_upsert");
    plan_upsert(billing, CON_BILLING_SUBSCRIPTION, "subscription_upsert");
    plan_upsert(billing, CON_BILLING_INVOICE, "invoice_upsert");
    plan_upsert(billing, CON_BILLING_INVOICE_PAYMENT, "invoice_payment_upsert");
    plan_children(billing);
    return end_plan(billing, err);
}

/* Those that turned out to be the last of their second, and are not what was just written. */
static bool group_last(struct con_billing *billing, size_t *out_count, struct sl_err *err)
{
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        if (!make_room(billing, &billing->upserts[table], billing->twins.count, err) ||
            !make_room(billing, &billing->lists[table], billing->twins.count, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < billing->twins.count; i++) {
        struct con_billing_row *asked = billing->twins.rows[i];
        struct con_billing_row *last = NULL;
        if (!con_billing_twins_decide(&billing->twins, i, &last, err)) {
            return false;
        }
        asked->last = last;
        if (last != NULL && !(last == asked && asked->is_written)) {
            add(&billing->upserts[last->table], last);
            *out_count += 1;
        }
    }
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        collapse(&billing->upserts[table]);
    }
    return group_children(billing, CON_BILLING_SUBSCRIPTION, CON_BILLING_SUBSCRIPTION_ITEM, err) &&
           group_children(billing, CON_BILLING_INVOICE, CON_BILLING_INVOICE_LINE, err);
}

size_t con_billing_settle(struct con_billing *billing)
{
    for (size_t i = billing->first; i < billing->first + billing->count; i++) {
        const struct con_billing_row *row = billing->rows[i];
        if (row == NULL || billing->events[i].verdict != CON_PENDING) {
            continue;
        }
        billing->events[i].verdict = is_applied(row) ? CON_APPLIED : CON_STALE;
    }
    return billing->twins.unsure_count;
}

static bool is_applied(const struct con_billing_row *row)
{
    const struct con_billing_row *last = row->winner->last;
    if (last == NULL) {
        return row->led && row->winner->is_written && !row->winner->is_late;
    }
    return last->is_written && !last->is_late &&
           sl_span_eq(last->version.event_id, row->version.event_id);
}
