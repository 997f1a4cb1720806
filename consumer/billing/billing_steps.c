#include "consumer/billing/billing_steps.h"

#include "consumer/billing/billing_collapse.h"

static void put_key(struct con_billing_steps *steps);
static void put_field(struct con_billing_steps *steps, enum con_billing_field field);

bool con_billing_group_init(struct con_billing_group *group, struct sl_arena *arena, size_t count,
                            struct sl_err *err)
{
    *group = (struct con_billing_group){
        .rows = sl_arena_array(arena, count, sizeof group->rows[0]),
    };
    return group->rows != NULL || sl_fail(err, SL_E_MEMORY, "no room to sort %zu rows", count);
}

void con_billing_group_add(struct con_billing_group *group, struct con_billing_row *row)
{
    group->rows[group->count++] = row;
}

void con_billing_group_collapse(struct con_billing_group *group)
{
    group->kept = con_billing_collapse(group->rows, group->count);
}

bool con_billing_has_parent(enum con_billing_table table)
{
    return table == CON_BILLING_SUBSCRIPTION_ITEM || table == CON_BILLING_INVOICE_LINE;
}

void con_billing_steps_init(struct con_billing_steps *steps, size_t param_bytes_max)
{
    con_billing_params_init(&steps->params, param_bytes_max);
}

void con_billing_steps_done(struct con_billing_steps *steps)
{
    con_billing_params_done(&steps->params);
}

void con_billing_steps_reset(struct con_billing_steps *steps)
{
    steps->count = 0;
    con_billing_params_reset(&steps->params);
}

bool con_billing_steps_end(struct con_billing_steps *steps, struct sl_err *err)
{
    if (!con_billing_params_end(&steps->params, err)) {
        steps->count = 0;
        return false;
    }
    return true;
}

void con_billing_steps_upsert(struct con_billing_steps *steps, enum con_billing_table table,
                              const struct con_billing_group *group, const char *name, bool again)
{
    if (group->kept == 0) {
        return;
    }
    con_billing_steps_open(steps, group, name);
    put_key(steps);
    for (size_t i = 0; i < con_billing_columns(table).count; i++) {
        con_billing_params_column(&steps->params, table, i, group->rows, group->kept);
    }
    if (!con_billing_has_parent(table)) {
        put_field(steps, CON_FIELD_DELETED_AT);
    }
    put_field(steps, CON_FIELD_SRC_CREATED);
    put_field(steps, CON_FIELD_SRC_PHASE);
    put_field(steps, CON_FIELD_SRC_EVENT_ID);
    if (!con_billing_has_parent(table)) {
        con_billing_params_flag(&steps->params, again);
    }
    con_billing_steps_close(steps);
}

void con_billing_steps_stub(struct con_billing_steps *steps, const struct con_billing_group *group,
                            const char *name)
{
    if (group->kept == 0) {
        return;
    }
    con_billing_steps_open(steps, group, name);
    put_key(steps);
    put_field(steps, CON_FIELD_DELETED_AT);
    put_field(steps, CON_FIELD_SRC_EVENT_ID);
    con_billing_steps_close(steps);
}

void con_billing_steps_missing(struct con_billing_steps *steps,
                               const struct con_billing_group *group, const char *name)
{
    if (group->kept == 0) {
        return;
    }
    con_billing_steps_open(steps, group, name);
    put_key(steps);
    put_field(steps, CON_FIELD_SRC_EVENT_ID);
    con_billing_steps_close(steps);
}

void con_billing_steps_setting(struct con_billing_steps *steps, const char *sql)
{
    SL_ASSERT(steps->count < CON_BILLING_STEPS_MAX);
    steps->groups[steps->count] = NULL;
    steps->items[steps->count++] = (struct sl_pg_step){ .sql = sql };
}

void con_billing_steps_open(struct con_billing_steps *steps, const struct con_billing_group *group,
                            const char *name)
{
    SL_ASSERT(steps->count < CON_BILLING_STEPS_MAX);
    steps->groups[steps->count] = group;
    steps->items[steps->count] = (struct sl_pg_step){
        .name = name,
        .params = &steps->params.items[steps->params.count],
    };
}

void con_billing_steps_close(struct con_billing_steps *steps)
{
    struct sl_pg_step *step = &steps->items[steps->count++];
    step->param_count = (size_t)(&steps->params.items[steps->params.count] - step->params);
    SL_ASSERT(step->param_count <= SL_PG_PARAMS_MAX);
}

/* What every step begins with: whose row. */
static void put_key(struct con_billing_steps *steps)
{
    put_field(steps, CON_FIELD_ACCOUNT);
    put_field(steps, CON_FIELD_LIVEMODE);
    put_field(steps, CON_FIELD_ID);
}

/* A parameter of the step that is open. */
static void put_field(struct con_billing_steps *steps, enum con_billing_field field)
{
    const struct con_billing_group *group = steps->groups[steps->count];
    con_billing_params_field(&steps->params, field, group->rows, group->kept);
}
