#include "consumer/billing/billing_twins.h"

struct con_billing_found {
    struct con_billing_row *row;
    struct con_billing_twin said;
    struct con_billing_found *next;
};

bool con_billing_twins_init(struct con_billing_twins *twins, struct sl_arena *arena,
                            size_t count_max, struct sl_err *err)
{
    *twins = (struct con_billing_twins){
        .arena = arena,
        .rows = sl_arena_array(arena, count_max, sizeof twins->rows[0]),
        .items = sl_arena_array(arena, count_max, sizeof twins->items[0]),
    };
    return (twins->rows != NULL && twins->items != NULL) ||
           sl_fail(err, SL_E_MEMORY, "no room for %zu rows", count_max);
}

void con_billing_twins_ask(struct con_billing_twins *twins, struct con_billing_row *row)
{
    twins->items[twins->count] = (struct con_billing_asked){ 0 };
    twins->rows[twins->count++] = row;
}

void con_billing_twins_params(const struct con_billing_twins *twins, const char *subsystem,
                              struct con_billing_params *params)
{
    static const enum con_billing_field fields[] = { CON_FIELD_ACCOUNT, CON_FIELD_LIVEMODE,
                                                     CON_FIELD_ID, CON_FIELD_SRC_CREATED };
    for (size_t f = 0; f < SL_COUNT(fields); f++) {
        con_billing_params_field(params, fields[f], twins->rows, twins->count);
    }
    con_billing_params_text(params, sl_span_of(subsystem));
}

bool con_billing_twins_take(struct con_billing_twins *twins, size_t place, struct sl_span event_id,
                            struct sl_span type, const struct sl_json *root, struct sl_err *err)
{
    if (place == 0 || place > twins->count) {
        return sl_fail(err, SL_E_BUG, "twins returned place %zu of %zu", place, twins->count);
    }
    struct con_billing_asked *asked = &twins->items[place - 1];
    const struct con_billing_row *about = twins->rows[place - 1];
    if (root == NULL) {
        asked->is_too_large = true;
        return true;
    }
    struct con_billing_subject subject;
    struct con_billing_row *row = NULL;
    struct sl_err why;
    struct sl_envelope envelope = {
        .id = event_id,
        .type = type,
        .account = about->account,
        .livemode = about->livemode,
        .occurred_at_s = about->version.created_s,
    };
    bool is_read = con_billing_event_read(&envelope, root, twins->arena, &subject, &why) &&
                   (subject.act != CON_BILLING_UPSERT ||
                    con_billing_row_read(&subject, &envelope, twins->arena, &row, NULL, &why));
    if (!is_read && sl_err_fault(&why) != SL_FAULT_POISON) {
        return sl_fail(err, why.code, "%s", why.text);
    }
    if (row == NULL || row->table != about->table ||
        con_billing_order(&row->version, &about->version) != 0) {
        return true; /* of the same second, but its version says which is newer */
    }
    struct con_billing_found *found = sl_arena_alloc(twins->arena, sizeof *found);
    if (found == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room for an event of the same second");
    }
    *found = (struct con_billing_found){
        .row = row,
        .said = { .event_id = event_id,
                  .object = subject.object,
                  .before = sl_json_at(root, "data.previous_attributes") },
        .next = asked->twins,
    };
    asked->twins = found;
    asked->twin_count++;
    return true;
}

bool con_billing_twins_decide(struct con_billing_twins *twins, size_t index,
                              struct con_billing_row **out_last, struct sl_err *err)
{
    struct con_billing_asked *asked = &twins->items[index];
    *out_last = NULL;
    if (asked->is_too_large) {
        asked->is_unsure = true;
        twins->unsure_count++;
        return true;
    }
    if (asked->twin_count < 2) {
        return true;
    }
    struct con_billing_twin *said = sl_arena_array(twins->arena, asked->twin_count, sizeof said[0]);
    struct con_billing_row **rows = sl_arena_array(twins->arena, asked->twin_count, sizeof rows[0]);
    if (said == NULL || rows == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room to compare %zu events", asked->twin_count);
    }
    size_t count = 0;
    for (const struct con_billing_found *found = asked->twins; found != NULL; found = found->next) {
        said[count] = found->said;
        rows[count++] = found->row;
    }
    bool is_sure = false;
    size_t last = con_billing_tie_last(said, count, &is_sure);
    asked->is_unsure = !is_sure;
    twins->unsure_count += is_sure ? 0 : 1;
    bool is_itself = sl_span_eq(rows[last]->version.event_id, twins->rows[index]->version.event_id);
    *out_last = is_itself ? twins->rows[index] : rows[last];
    return true;
}
