#include "consumer/billing/billing_cells.h"

#include "shared/pg/pg_array.h"

/* Longer than any amount with its decimals; numeric could hold far more. */
#define DECIMAL_BYTES_MAX 64u
/* Digits of an exponent: numeric holds 10^999 easily, a row of zeros that long is nonsense already. */
#define EXPONENT_DIGITS_MAX 3u

static const struct sl_json *find(const struct con_column *column, const struct sl_json *object,
                                  const char **out_place);
static bool read_text(const struct con_cell_reader *reader, const struct sl_json *value,
                      struct con_cell *out_cell, struct sl_err *err);
static bool read_decimal(const struct con_cell_reader *reader, const struct sl_json *value,
                         struct con_cell *out_cell, struct sl_err *err);
static bool is_decimal(struct sl_span text);
static size_t digits_at(struct sl_span text, size_t from);
static bool refuse(const struct con_cell_reader *reader, const char *place, const char *want,
                   struct sl_err *err);

bool con_billing_cell_read(const struct con_cell_reader *reader, const struct con_column *column,
                           const struct sl_json *object, struct con_cell *out_cell,
                           struct sl_err *err)
{
    const char *place = NULL;
    const struct sl_json *value = find(column, object, &place);
    if (value == NULL) {
        *out_cell = (struct con_cell){ 0 };
        return true;
    }

    struct con_cell cell = { .is_set = true };
    switch (column->kind) {
    case CON_CELL_TEXT:
        if (value->type != SL_JSON_STRING) {
            return refuse(reader, place, "a string", err);
        }
        return read_text(reader, value, out_cell, err);
    case CON_CELL_REF:
        value = value->type == SL_JSON_OBJECT ? sl_json_get(value, "id") : value;
        if (sl_json_is_null(value)) {
            *out_cell = (struct con_cell){ 0 }; /* an object that has no identity of its own */
            return true;
        }
        if (value->type != SL_JSON_STRING || value->raw.bytes > CON_BILLING_ID_BYTES_MAX) {
            return refuse(reader, place, "an id", err);
        }
        return read_text(reader, value, out_cell, err);
    case CON_CELL_INT:
        if (!sl_json_int(value, &cell.number)) {
            return refuse(reader, place, "an integer that fits into bigint", err);
        }
        break;
    case CON_CELL_DECIMAL:
        if (!read_decimal(reader, value, &cell, err)) {
            return refuse(reader, place, "a decimal number", err);
        }
        break;
    case CON_CELL_BOOL:
        if (value->type != SL_JSON_BOOL) {
            return refuse(reader, place, "true or false", err);
        }
        cell.flag = value->is_true;
        break;
    case CON_CELL_TIME:
        if (!sl_json_int(value, &cell.number) || cell.number < SL_PG_TIME_S_MIN ||
            cell.number > SL_PG_TIME_S_MAX) {
            return refuse(reader, place, "a time in seconds that fits into timestamptz", err);
        }
        break;
    case CON_CELL_JSON:
        return con_billing_cell_json(reader, value, out_cell, err);
    }
    *out_cell = cell;
    return true;
}

/* The first place that holds something; NULL when none does. */
static const struct sl_json *find(const struct con_column *column, const struct sl_json *object,
                                  const char **out_place)
{
    for (size_t i = 0; i < CON_COLUMN_PLACES && column->places[i] != NULL; i++) {
        const struct sl_json *value = sl_json_at(object, column->places[i]);
        if (!sl_json_is_null(value)) {
            *out_place = column->places[i];
            return value;
        }
    }
    return NULL;
}

static bool read_text(const struct con_cell_reader *reader, const struct sl_json *value,
                      struct con_cell *out_cell, struct sl_err *err)
{
    struct sl_span text = sl_json_text(value, reader->arena, true, reader->replaced);
    if (text.data == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room to decode a string");
    }
    *out_cell = (struct con_cell){ .is_set = true, .text = text };
    return true;
}

static bool read_decimal(const struct con_cell_reader *reader, const struct sl_json *value,
                         struct con_cell *out_cell, struct sl_err *err)
{
    if (value->type == SL_JSON_NUMBER) {
        out_cell->text = sl_json_number_text(value);
    } else if (value->type != SL_JSON_STRING || !read_text(reader, value, out_cell, err)) {
        return false;
    }
    return is_decimal(out_cell->text);
}

/* The grammar of a JSON number, within bounds that numeric holds. */
static bool is_decimal(struct sl_span text)
{
    if (text.data == NULL || text.bytes > DECIMAL_BYTES_MAX) {
        return false;
    }
    size_t at = text.bytes > 0 && text.data[0] == '-' ? 1 : 0;
    size_t digits = digits_at(text, at);
    at += digits;
    if (digits == 0) {
        return false;
    }
    if (at < text.bytes && text.data[at] == '.') {
        digits = digits_at(text, at + 1);
        at += 1 + digits;
        if (digits == 0) {
            return false;
        }
    }
    if (at < text.bytes && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        at += at < text.bytes && (text.data[at] == '+' || text.data[at] == '-') ? 1 : 0;
        digits = digits_at(text, at);
        at += digits;
        if (digits == 0 || digits > EXPONENT_DIGITS_MAX) {
            return false;
        }
    }
    return at == text.bytes;
}

static size_t digits_at(struct sl_span text, size_t from)
{
    size_t at = from;
    while (at < text.bytes && text.data[at] >= '0' && text.data[at] <= '9') {
        at++;
    }
    return at - from;
}

static bool refuse(const struct con_cell_reader *reader, const char *place, const char *want,
                   struct sl_err *err)
{
    if (reader->is_listed) {
        return sl_fail(err, SL_E_EVENT_MALFORMED, "%s[%zu].%s is not %s", reader->where,
                       reader->position, place, want);
    }
    return sl_fail(err, SL_E_EVENT_MALFORMED, "%s.%s is not %s", reader->where, place, want);
}

bool con_billing_cell_json(const struct con_cell_reader *reader, const struct sl_json *value,
                           struct con_cell *out_cell, struct sl_err *err)
{
    size_t replaced = 0;
    sl_buf_reset(reader->scratch);
    sl_json_append_clean(value, reader->scratch, &replaced);
    struct sl_span text = sl_buf_span(reader->scratch);
    bool is_as_received = sl_buf_ok(reader->scratch) && sl_span_eq(text, value->raw);
    text = is_as_received ? value->raw : sl_arena_copy(reader->arena, text);
    if (!sl_buf_ok(reader->scratch) || text.data == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room to clean a JSON value");
    }
    if (reader->replaced != NULL) {
        *reader->replaced += replaced;
    }
    *out_cell = (struct con_cell){ .is_set = true, .text = text };
    return true;
}
