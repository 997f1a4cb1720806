#include "consumer/billing/billing_params.h"

/* Parameters of a common batch; what a large one needed beyond this is given back. */
#define BYTES_KEPT (4u * 1024u * 1024u)

static enum sl_pg_type field_type(enum con_billing_field field);
static void put_field(struct sl_pg_array *array, enum con_billing_field field,
                      const struct con_billing_row *row);
static enum sl_pg_type cell_type(enum con_cell_kind kind);
static void put_cell(struct sl_pg_array *array, enum con_cell_kind kind,
                     const struct con_cell *cell);
static void put_wish(struct sl_pg_array *array, size_t column, const struct con_billing_wish *wish);

void con_billing_params_init(struct con_billing_params *params, size_t bytes_max)
{
    params->count = 0;
    sl_buf_init(&params->bytes, bytes_max);
}

void con_billing_params_done(struct con_billing_params *params)
{
    sl_buf_done(&params->bytes);
}

void con_billing_params_reset(struct con_billing_params *params)
{
    params->count = 0;
    if (params->bytes.room_bytes > BYTES_KEPT) {
        size_t bytes_max = params->bytes.bytes_max;
        sl_buf_done(&params->bytes);
        sl_buf_init(&params->bytes, bytes_max);
    }
    sl_buf_reset(&params->bytes);
}

void con_billing_params_field(struct con_billing_params *params, enum con_billing_field field,
                              struct con_billing_row *const *rows, size_t count)
{
    struct sl_pg_array *array = con_billing_params_begin(params, field_type(field));
    for (size_t i = 0; i < count; i++) {
        put_field(array, field, rows[i]);
    }
    sl_pg_array_end(array);
}

struct sl_pg_array *con_billing_params_begin(struct con_billing_params *params,
                                             enum sl_pg_type type)
{
    SL_ASSERT(params->count < CON_BILLING_PARAMS_MAX);
    struct sl_pg_array *array = &params->arrays[params->count++];
    sl_pg_array_begin(array, type, &params->bytes);
    return array;
}

static enum sl_pg_type field_type(enum con_billing_field field)
{
    switch (field) {
    case CON_FIELD_LIVEMODE:
        return SL_PG_BOOL;
    case CON_FIELD_DELETED_AT:
    case CON_FIELD_SRC_CREATED:
        return SL_PG_TIMESTAMPTZ;
    case CON_FIELD_SRC_PHASE:
        return SL_PG_INT8;
    case CON_FIELD_ACCOUNT:
    case CON_FIELD_ID:
    case CON_FIELD_SRC_EVENT_ID:
        break;
    }
    return SL_PG_TEXT;
}

static void put_field(struct sl_pg_array *array, enum con_billing_field field,
                      const struct con_billing_row *row)
{
    switch (field) {
    case CON_FIELD_ACCOUNT:
        sl_pg_array_bytes(array, row->account);
        break;
    case CON_FIELD_LIVEMODE:
        sl_pg_array_bool(array, row->livemode);
        break;
    case CON_FIELD_ID:
        sl_pg_array_bytes(array, row->id);
        break;
    case CON_FIELD_DELETED_AT:
        if (row->is_deleted) {
            sl_pg_array_time_s(array, row->deleted_at_s);
        } else {
            sl_pg_array_null(array);
        }
        break;
    case CON_FIELD_SRC_CREATED:
        sl_pg_array_time_s(array, row->version.created_s);
        break;
    case CON_FIELD_SRC_PHASE:
        sl_pg_array_int8(array, row->version.phase);
        break;
    case CON_FIELD_SRC_EVENT_ID:
        sl_pg_array_bytes(array, row->version.event_id);
        break;
    }
}

void con_billing_params_column(struct con_billing_params *params, enum con_billing_table table,
                               size_t column, struct con_billing_row *const *rows, size_t count)
{
    enum con_cell_kind kind = con_billing_columns(table).items[column].kind;
    struct sl_pg_array *array = con_billing_params_begin(params, cell_type(kind));
    for (size_t i = 0; i < count; i++) {
        put_cell(array, kind, &rows[i]->cells[column]);
    }
    sl_pg_array_end(array);
}

static enum sl_pg_type cell_type(enum con_cell_kind kind)
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

static void put_cell(struct sl_pg_array *array, enum con_cell_kind kind,
                     const struct con_cell *cell)
{
    if (!cell->is_set) {
        sl_pg_array_null(array);
        return;
    }
    switch (kind) {
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

void con_billing_params_wishes(struct con_billing_params *params,
                               const struct con_billing_wish *wishes, size_t count)
{
    static const enum sl_pg_type types[] = { SL_PG_TEXT, SL_PG_BOOL, SL_PG_TEXT, SL_PG_TEXT,
                                             SL_PG_TEXT, SL_PG_TEXT, SL_PG_BOOL };
    for (size_t column = 0; column < SL_COUNT(types); column++) {
        struct sl_pg_array *array = con_billing_params_begin(params, types[column]);
        for (size_t i = 0; i < count; i++) {
            put_wish(array, column, &wishes[i]);
        }
        sl_pg_array_end(array);
    }
}

static void put_wish(struct sl_pg_array *array, size_t column, const struct con_billing_wish *wish)
{
    switch (column) {
    case 0:
        sl_pg_array_bytes(array, wish->account);
        break;
    case 1:
        sl_pg_array_bool(array, wish->livemode);
        break;
    case 2:
        sl_pg_array_bytes(array, sl_span_of(wish->kind));
        break;
    case 3:
        sl_pg_array_bytes(array, wish->id);
        break;
    case 4:
        sl_pg_array_bytes(array, sl_span_of(wish->reason));
        break;
    case 5:
        sl_pg_array_bytes(array, wish->snapshot);
        break;
    default:
        sl_pg_array_bool(array, wish->is_gone);
        break;
    }
}

void con_billing_params_text(struct con_billing_params *params, struct sl_span text)
{
    struct sl_pg_array *array = con_billing_params_begin(params, SL_PG_TEXT);
    sl_pg_array_bytes(array, text);
    sl_pg_array_end(array);
}

void con_billing_params_flag(struct con_billing_params *params, bool flag)
{
    struct sl_pg_array *array = con_billing_params_begin(params, SL_PG_BOOL);
    sl_pg_array_bool(array, flag);
    sl_pg_array_end(array);
}

bool con_billing_params_end(struct con_billing_params *params, struct sl_err *err)
{
    if (!sl_buf_ok(&params->bytes)) {
        /* Elements are small against the ceiling, so a buffer that failed far below it failed for want of memory. */
        bool is_full = params->bytes.room_bytes > params->bytes.bytes_max / 2;
        return sl_fail(err, is_full ? SL_E_LIMIT : SL_E_MEMORY,
                       "the parameters of a batch do not fit into %zu bytes",
                       params->bytes.bytes_max);
    }
    for (size_t i = 0; i < params->count; i++) { /* the buffer has stopped moving */
        params->items[i] = (struct sl_pg_param){
            .value = sl_pg_array_span(&params->arrays[i]),
            .is_binary = true,
        };
    }
    return true;
}
