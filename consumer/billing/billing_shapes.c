#include "consumer/billing/billing_shapes.h"

#include <string.h>

static void append_tax(struct sl_buf *out, const struct sl_json *tax, size_t *out_replaced);
static bool is_plain(const struct sl_json *object);
static bool take(const struct con_cell_reader *reader, size_t replaced, struct con_cell *cell,
                 struct sl_err *err);

bool con_billing_shape_taxes(const struct con_cell_reader *reader, const struct sl_json *object,
                             const char *place, struct con_cell *cell, struct sl_err *err)
{
    const struct sl_json *taxes = sl_json_get(object, place);
    if (cell->is_set || sl_json_is_null(taxes)) {
        return true;
    }
    if (taxes->type != SL_JSON_ARRAY || !taxes->is_opened) {
        return con_billing_cell_json(reader, taxes, cell, err);
    }

    size_t replaced = 0;
    sl_buf_reset(reader->scratch);
    sl_buf_append_char(reader->scratch, '[');
    for (const struct sl_json *tax = taxes->first; tax != NULL; tax = tax->next) {
        append_tax(reader->scratch, tax, &replaced);
        if (tax->next != NULL) {
            sl_buf_append_char(reader->scratch, ',');
        }
    }
    sl_buf_append_char(reader->scratch, ']');
    return take(reader, replaced, cell, err);
}

static void append_tax(struct sl_buf *out, const struct sl_json *tax, size_t *out_replaced)
{
    if (!is_plain(tax)) {
        sl_json_append_clean(tax, out, out_replaced);
        return;
    }
    sl_buf_append_char(out, '{');
    for (const struct sl_json *member = tax->first; member != NULL; member = member->next) {
        if (sl_span_is(member->key, "inclusive") && member->type == SL_JSON_BOOL) {
            sl_buf_append_text(out, member->is_true ? "\"tax_behavior\":\"inclusive\""
                                                    : "\"tax_behavior\":\"exclusive\"");
        } else if (sl_span_is(member->key, "tax_rate") && !sl_json_is_null(member)) {
            bool is_expanded = member->type == SL_JSON_OBJECT && member->is_opened;
            const struct sl_json *id = is_expanded ? sl_json_get(member, "id") : member;
            sl_buf_append_text(out,
                               "\"type\":\"tax_rate_details\",\"tax_rate_details\":{\"tax_rate\":");
            sl_json_append_clean(sl_json_is_null(id) ? member : id, out, out_replaced);
            sl_buf_append_char(out, '}');
        } else {
            sl_buf_append_char(out, '"');
            sl_buf_append_span(out, member->key);
            sl_buf_append_text(out, "\":");
            sl_json_append_clean(member, out, out_replaced);
        }
        if (member->next != NULL) {
            sl_buf_append_char(out, ',');
        }
    }
    sl_buf_append_char(out, '}');
}

/* An object whose keys can be copied: one with an escape may name what Postgres cannot hold. */
static bool is_plain(const struct sl_json *object)
{
    if (object->type != SL_JSON_OBJECT || !object->is_opened) {
        return false;
    }
    for (const struct sl_json *member = object->first; member != NULL; member = member->next) {
        if (memchr(member->key.data, '\\', member->key.bytes) != NULL) {
            return false;
        }
    }
    return true;
}

bool con_billing_shape_discounts(const struct con_cell_reader *reader, const struct sl_json *object,
                                 struct con_cell *cell, struct sl_err *err)
{
    const struct sl_json *discount = sl_json_get(object, "discount");
    if (cell->is_set || sl_json_is_null(discount)) {
        return true;
    }
    const struct sl_json *id = sl_json_get(discount, "id");

    size_t replaced = 0;
    sl_buf_reset(reader->scratch);
    sl_buf_append_char(reader->scratch, '[');
    sl_json_append_clean(sl_json_is_null(id) ? discount : id, reader->scratch, &replaced);
    sl_buf_append_char(reader->scratch, ']');
    return take(reader, replaced, cell, err);
}

/* What was written into the scratch buffer becomes the cell. */
static bool take(const struct con_cell_reader *reader, size_t replaced, struct con_cell *cell,
                 struct sl_err *err)
{
    struct sl_span text = { 0 };
    if (sl_buf_ok(reader->scratch)) {
        text = sl_arena_copy(reader->arena, sl_buf_span(reader->scratch));
    }
    if (text.data == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room to rewrite a list");
    }
    if (reader->replaced != NULL) {
        *reader->replaced += replaced;
    }
    *cell = (struct con_cell){ .is_set = true, .text = text };
    return true;
}

void con_billing_shape_paid(const struct sl_json *object, bool is_paid, const struct con_cell *due,
                            struct con_cell *paid, struct con_cell *remaining)
{
    if (is_paid && due->is_set && sl_json_true(sl_json_get(object, "paid_out_of_band"))) {
        *paid = *due;
        *remaining = (struct con_cell){ .is_set = true, .number = 0 };
    }
}
