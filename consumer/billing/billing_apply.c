#include "consumer/billing/billing_apply.h"

#include <stdlib.h>

#include "consumer/billing/billing_collapse.h"
#include "consumer/billing/billing_steps.h"
#include "consumer/billing/billing_twins.h"
#include "consumer/billing/billing_wishes.h"

/* See plan_children. */
#define PLANNED_ANEW_ROWS_MIN 32u

/* What the steps in hand are for. */
enum stage {
    STAGE_WRITE,   /* the newest of the batch, where it is newer than the table's */
    STAGE_ASK,     /* which others happened in the second of those that met an equal */
    STAGE_REWRITE, /* the last of their second */
    STAGE_WISH,    /* what Stripe is to be asked */
};

struct con_billing {
    struct sl_arena *arena; /* borrowed; holds everything of the batch */
    struct con_event *events;
    size_t event_count;
    struct con_billing_row **rows; /* of each event; NULL without one */
    struct con_billing_wish *thin; /* what each event asks for by itself; kind NULL: nothing */
    size_t first;                  /* the range that is planned */
    size_t count;

    const char *subsystem; /* borrowed */
    struct con_billing_asks asks;
    enum stage stage;
    struct con_billing_twins twins;
    struct con_billing_group upserts[CON_BILLING_TABLES];
    struct con_billing_group stubs[CON_BILLING_TABLES];
    struct con_billing_group lists[CON_BILLING_TABLES]; /* parents that listed all their children */

    struct con_billing_steps steps;
};

static bool read_event(struct con_billing *billing, size_t index, size_t *out_replaced,
                       struct sl_err *err);
static bool group_rows(struct con_billing *billing, struct sl_err *err);
static bool group_children(struct con_billing *billing, enum con_billing_table parent,
                           enum con_billing_table child, struct sl_err *err);
static bool plan_twins(struct con_billing *billing, struct sl_err *err);
static bool plan_last(struct con_billing *billing, struct sl_err *err);
static bool group_last(struct con_billing *billing, size_t *out_count, struct sl_err *err);
static bool plan_wishes(struct con_billing *billing, struct sl_err *err);
static size_t gather_wishes(const struct con_billing *billing, struct con_billing_wish *wishes);
static void upsert(struct con_billing *billing, enum con_billing_table table, const char *name);
static void plan_children(struct con_billing *billing);

struct con_billing *con_billing_new(size_t param_bytes_max, const char *subsystem,
                                    const struct con_billing_asks *asks)
{
    struct con_billing *billing = calloc(1, sizeof *billing);
    if (billing != NULL) {
        billing->subsystem = subsystem;
        billing->asks = *asks;
        con_billing_steps_init(&billing->steps, param_bytes_max);
    }
    return billing;
}

void con_billing_free(struct con_billing *billing)
{
    if (billing != NULL) {
        con_billing_steps_done(&billing->steps);
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
    con_billing_steps_reset(&billing->steps);
    billing->rows = sl_arena_array(arena, count, sizeof billing->rows[0]);
    billing->thin = sl_arena_array(arena, count, sizeof billing->thin[0]);
    if (billing->rows == NULL || billing->thin == NULL) {
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
        if (con_billing_thin_is(event->envelope.type) &&
            !con_billing_thin_read(&event->envelope, event->json, billing->arena,
                                   &billing->thin[index])) {
            billing->thin[index].kind = NULL;
        }
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
    con_billing_steps_reset(&billing->steps);
    if (!group_rows(billing, err) ||
        !group_children(billing, CON_BILLING_SUBSCRIPTION, CON_BILLING_SUBSCRIPTION_ITEM, err) ||
        !group_children(billing, CON_BILLING_INVOICE, CON_BILLING_INVOICE_LINE, err)) {
        return false;
    }

    /* Every worker takes the tables, and in them the rows, in one order: no deadlocks. Children need their parent's new version. */
    upsert(billing, CON_BILLING_CUSTOMER, "customer_upsert");
    con_billing_steps_stub(&billing->steps, &billing->stubs[CON_BILLING_CUSTOMER],
                           "customer_delete");
    upsert(billing, CON_BILLING_SUBSCRIPTION, "subscription_upsert");
    con_billing_steps_stub(&billing->steps, &billing->stubs[CON_BILLING_SUBSCRIPTION],
                           "subscription_delete");
    upsert(billing, CON_BILLING_INVOICE, "invoice_upsert");
    con_billing_steps_stub(&billing->steps, &billing->stubs[CON_BILLING_INVOICE], "invoice_delete");
    upsert(billing, CON_BILLING_INVOICE_PAYMENT, "invoice_payment_upsert");
    upsert(billing, CON_BILLING_ACCOUNT, "account_upsert");
    plan_children(billing);
    if (billing->steps.count == 0) { /* nothing comes back that could change what is asked for */
        billing->stage = STAGE_WISH;
        return plan_wishes(billing, err);
    }
    return con_billing_steps_end(&billing->steps, err);
}

/* Sorts the planned events' rows into groups, and collapses each. */
static bool group_rows(struct con_billing *billing, struct sl_err *err)
{
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        if (!con_billing_group_init(&billing->upserts[table], billing->arena, billing->count,
                                    err) ||
            !con_billing_group_init(&billing->stubs[table], billing->arena, billing->count, err) ||
            !con_billing_group_init(&billing->lists[table], billing->arena, billing->count, err)) {
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
        con_billing_group_add(
            row->is_stub ? &billing->stubs[row->table] : &billing->upserts[row->table], row);
    }
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        con_billing_group_collapse(&billing->upserts[table]);
        con_billing_group_collapse(&billing->stubs[table]);
    }
    return true;
}

/* Children of the parents that are left; one that two parents claim goes to the newer. */
static bool group_children(struct con_billing *billing, enum con_billing_table parent,
                           enum con_billing_table child, struct sl_err *err)
{
    const struct con_billing_group *parents = &billing->upserts[parent];
    struct con_billing_group *children = &billing->upserts[child];
    size_t count = 0;
    for (size_t i = 0; i < parents->kept; i++) {
        for (const struct con_billing_row *row = parents->rows[i]->children; row != NULL;
             row = row->next) {
            count++;
        }
    }
    if (!con_billing_group_init(children, billing->arena, count, err)) {
        return false;
    }
    for (size_t i = 0; i < parents->kept; i++) {
        for (struct con_billing_row *row = parents->rows[i]->children; row != NULL;
             row = row->next) {
            con_billing_group_add(children, row);
        }
        if (parents->rows[i]->children_complete) {
            con_billing_group_add(&billing->lists[parent], parents->rows[i]);
        }
    }
    con_billing_group_collapse(children);
    billing->lists[parent].kept = billing->lists[parent].count;
    return true;
}

static void upsert(struct con_billing *billing, enum con_billing_table table, const char *name)
{
    con_billing_steps_upsert(&billing->steps, table, &billing->upserts[table], name,
                             billing->stage == STAGE_REWRITE);
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
        con_billing_steps_setting(&billing->steps, "SET LOCAL plan_cache_mode = force_custom_plan");
    }
    upsert(billing, CON_BILLING_SUBSCRIPTION_ITEM, "subscription_item_upsert");
    con_billing_steps_missing(&billing->steps, &billing->lists[CON_BILLING_SUBSCRIPTION],
                              "subscription_item_missing");
    upsert(billing, CON_BILLING_INVOICE_LINE, "invoice_line_upsert");
    con_billing_steps_missing(&billing->steps, &billing->lists[CON_BILLING_INVOICE],
                              "invoice_line_missing");
}

const struct sl_pg_step *con_billing_steps(const struct con_billing *billing, size_t *out_count)
{
    *out_count = billing->steps.count;
    return billing->steps.items;
}

bool con_billing_written(struct con_billing *billing, size_t step, struct sl_span account,
                         struct sl_span livemode, struct sl_span id, struct sl_span late,
                         struct sl_err *err)
{
    SL_ASSERT(step < billing->steps.count);
    const struct con_billing_group *group = billing->steps.groups[step];
    SL_ASSERT(group != NULL);
    struct con_billing_row *row = con_billing_collapsed_find(group->rows, group->kept, account,
                                                             sl_span_is(livemode, "t"), id);
    if (row == NULL) {
        return sl_fail(err, SL_E_BUG, "%s returned a key that it was not given",
                       billing->steps.items[step].name);
    }
    row->is_written = true;
    row->is_late = sl_span_is(late, "t");
    return true;
}

bool con_billing_again(struct con_billing *billing, struct sl_err *err)
{
    con_billing_steps_reset(&billing->steps);
    bool is_planned = true;
    while (is_planned && billing->steps.count == 0 && billing->stage != STAGE_WISH) {
        switch (billing->stage) {
        case STAGE_WRITE:
            billing->stage = STAGE_ASK;
            is_planned = plan_twins(billing, err);
            break;
        case STAGE_ASK:
            billing->stage = STAGE_REWRITE;
            is_planned = plan_last(billing, err);
            break;
        case STAGE_REWRITE:
            billing->stage = STAGE_WISH;
            is_planned = plan_wishes(billing, err);
            break;
        case STAGE_WISH:
            break;
        }
    }
    return is_planned;
}

/* A row that was not written is older than the table's, or its equal; a tied one was chosen by its arrival alone. */
static bool plan_twins(struct con_billing *billing, struct sl_err *err)
{
    if (!con_billing_twins_init(&billing->twins, billing->arena, billing->count, err)) {
        return false;
    }
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        const struct con_billing_group *group = &billing->upserts[table];
        for (size_t i = 0; !con_billing_has_parent(table) && i < group->kept; i++) {
            if (!group->rows[i]->is_written || group->rows[i]->is_tied) {
                con_billing_twins_ask(&billing->twins, group->rows[i]);
            }
        }
    }
    if (billing->twins.count == 0) {
        return true;
    }
    con_billing_steps_open(&billing->steps, NULL, CON_BILLING_TWINS_STEP);
    con_billing_twins_params(&billing->twins, billing->subsystem, &billing->steps.params);
    con_billing_steps_close(&billing->steps);
    return con_billing_steps_end(&billing->steps, err);
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
    upsert(billing, CON_BILLING_CUSTOMER, "customer_upsert");
    upsert(billing, CON_BILLING_SUBSCRIPTION, "subscription_upsert");
    upsert(billing, CON_BILLING_INVOICE, "invoice_upsert");
    upsert(billing, CON_BILLING_INVOICE_PAYMENT, "invoice_payment_upsert");
    upsert(billing, CON_BILLING_ACCOUNT, "account_upsert");
    plan_children(billing);
    return con_billing_steps_end(&billing->steps, err);
}

/* Those that turned out to be the last of their second, and are not what was just written. */
static bool group_last(struct con_billing *billing, size_t *out_count, struct sl_err *err)
{
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        if (!con_billing_group_init(&billing->upserts[table], billing->arena, billing->twins.count,
                                    err) ||
            !con_billing_group_init(&billing->lists[table], billing->arena, billing->twins.count,
                                    err)) {
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
            con_billing_group_add(&billing->upserts[last->table], last);
            *out_count += 1;
        }
    }
    for (size_t table = 0; table < CON_BILLING_TABLES; table++) {
        con_billing_group_collapse(&billing->upserts[table]);
    }
    return group_children(billing, CON_BILLING_SUBSCRIPTION, CON_BILLING_SUBSCRIPTION_ITEM, err) &&
           group_children(billing, CON_BILLING_INVOICE, CON_BILLING_INVOICE_LINE, err);
}

/* Of each event at most: what it asks for, its order, its lists. */
static bool plan_wishes(struct con_billing *billing, struct sl_err *err)
{
    if (!billing->asks.is_on) {
        return true;
    }
    struct con_billing_wish *wishes =
        sl_arena_array(billing->arena, 3 * billing->count, sizeof wishes[0]);
    if (wishes == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room for %zu questions", 3 * billing->count);
    }
    size_t count = gather_wishes(billing, wishes);
    if (count == 0) {
        return true;
    }
    con_billing_steps_open(&billing->steps, NULL, CON_BILLING_ASK_STEP);
    con_billing_params_wishes(&billing->steps.params, wishes, count);
    con_billing_steps_close(&billing->steps);
    return con_billing_steps_end(&billing->steps, err);
}

static size_t gather_wishes(const struct con_billing *billing, struct con_billing_wish *wishes)
{
    size_t count = 0;
    for (size_t i = billing->first; i < billing->first + billing->count; i++) {
        const struct con_billing_row *row = billing->rows[i];
        enum con_verdict verdict = billing->events[i].verdict;
        if (verdict == CON_IGNORED && billing->thin[i].kind != NULL) {
            wishes[count++] = billing->thin[i];
        } else if (verdict == CON_PENDING && row != NULL && con_billing_is_left_incomplete(row)) {
            wishes[count++] = con_billing_wish_for(row, "incomplete");
        }
    }
    for (size_t i = 0; i < billing->twins.count; i++) {
        if (billing->twins.items[i].is_unsure &&
            !con_billing_is_answer_for_good(billing->twins.rows[i])) {
            wishes[count++] = con_billing_wish_for(billing->twins.rows[i], "ambiguous");
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (wishes[i].kind != NULL && wishes[i].livemode == billing->asks.livemode) {
            wishes[kept++] = wishes[i];
        }
    }
    return kept;
}

size_t con_billing_settle(struct con_billing *billing)
{
    for (size_t i = billing->first; i < billing->first + billing->count; i++) {
        const struct con_billing_row *row = billing->rows[i];
        if (row == NULL || billing->events[i].verdict != CON_PENDING) {
            continue;
        }
        billing->events[i].verdict = con_billing_is_applied(row) ? CON_APPLIED : CON_STALE;
    }
    return billing->twins.unsure_count;
}
