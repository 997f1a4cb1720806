#include "consumer/event_columns.h"

#include "consumer/text.h"

#define TEXT_BYTES_MAX 255u

typedef void put_fn(struct sl_pg_array *array, const struct con_event *event,
                    struct sl_arena *arena);
static put_fn put_id, put_type, put_body, put_source, put_account, put_livemode, put_object,
    put_occurred_at, put_received_at, put_attempt, put_raw, put_verdict, put_nothing;

static const struct {
    enum sl_pg_type type;
    put_fn *put;
} rows[CON_EVENT_COLUMNS] = {
    [CON_COLUMN_EVENT_ID] = { SL_PG_TEXT, put_id },
    [CON_COLUMN_TYPE] = { SL_PG_TEXT, put_type },
    [CON_COLUMN_BODY] = { SL_PG_TEXT, put_body },
    [CON_COLUMN_SOURCE] = { SL_PG_TEXT, put_source },
    [CON_COLUMN_ACCOUNT] = { SL_PG_TEXT, put_account },
    [CON_COLUMN_LIVEMODE] = { SL_PG_BOOL, put_livemode },
    [CON_COLUMN_OBJECT] = { SL_PG_TEXT, put_object },
    [CON_COLUMN_OCCURRED_AT] = { SL_PG_TIMESTAMPTZ, put_occurred_at },
    [CON_COLUMN_RECEIVED_AT] = { SL_PG_TIMESTAMPTZ, put_received_at },
    [CON_COLUMN_ATTEMPT] = { SL_PG_INT8, put_attempt },
    [CON_COLUMN_RAW] = { SL_PG_BYTEA, put_raw },
    [CON_COLUMN_VERDICT] = { SL_PG_TEXT, put_verdict },
    [CON_COLUMN_NOTHING] = { SL_PG_BYTEA, put_nothing },
};

bool con_event_columns_params(const enum con_event_column *columns, size_t column_count,
                              const struct con_chosen_events *chosen, struct sl_arena *arena,
                              struct sl_buf *bytes, struct sl_pg_param *out_params,
                              struct sl_err *err)
{
    struct sl_pg_array arrays[CON_EVENT_COLUMNS];
    SL_ASSERT(column_count <= CON_EVENT_COLUMNS);
    sl_buf_reset(bytes);
    for (size_t c = 0; c < column_count; c++) {
        sl_pg_array_begin(&arrays[c], rows[columns[c]].type, bytes);
        for (size_t i = 0; i < chosen->count; i++) {
            rows[columns[c]].put(&arrays[c], &chosen->events[chosen->indexes[i]], arena);
        }
        sl_pg_array_end(&arrays[c]);
    }
    if (!sl_buf_ok(bytes)) {
        return sl_fail(err, SL_E_LIMIT, "the parameters of %zu events pass %zu bytes",
                       chosen->count, bytes->bytes_max);
    }
    /* Only now: the buffer has stopped moving. */
    for (size_t c = 0; c < column_count; c++) {
        out_params[c] =
            (struct sl_pg_param){ .value = sl_pg_array_span(&arrays[c]), .is_binary = true };
    }
    return true;
}

static void put_account(struct sl_pg_array *array, const struct con_event *event,
                        struct sl_arena *arena)
{
    (void)arena;
    sl_pg_array_bytes(array, event->envelope.account);
}

static void put_livemode(struct sl_pg_array *array, const struct con_event *event,
                         struct sl_arena *arena)
{
    (void)arena;
    sl_pg_array_bool(array, event->envelope.livemode);
}

static void put_id(struct sl_pg_array *array, const struct con_event *event, struct sl_arena *arena)
{
    (void)arena;
    sl_pg_array_bytes(array, event->envelope.id);
}

static void put_occurred_at(struct sl_pg_array *array, const struct con_event *event,
                            struct sl_arena *arena)
{
    (void)arena;
    sl_pg_array_time_s(array, event->envelope.occurred_at_s);
}

static void put_source(struct sl_pg_array *array, const struct con_event *event,
                       struct sl_arena *arena)
{
    sl_pg_array_bytes(array, con_text_clean(arena, event->envelope.source, TEXT_BYTES_MAX));
}

static void put_type(struct sl_pg_array *array, const struct con_event *event,
                     struct sl_arena *arena)
{
    sl_pg_array_bytes(array, con_text_clean(arena, event->envelope.type, TEXT_BYTES_MAX));
}

static void put_object(struct sl_pg_array *array, const struct con_event *event,
                       struct sl_arena *arena)
{
    sl_pg_array_bytes(array, con_text_clean(arena, event->envelope.object, TEXT_BYTES_MAX));
}

static void put_received_at(struct sl_pg_array *array, const struct con_event *event,
                            struct sl_arena *arena)
{
    (void)arena;
    sl_pg_array_time_us(array, event->envelope.received_at_us);
}

static void put_attempt(struct sl_pg_array *array, const struct con_event *event,
                        struct sl_arena *arena)
{
    (void)arena;
    sl_pg_array_int8(array, event->attempt);
}

static void put_verdict(struct sl_pg_array *array, const struct con_event *event,
                        struct sl_arena *arena)
{
    (void)arena;
    enum con_verdict verdict = event->verdict == CON_PENDING ? CON_APPLIED : event->verdict;
    bool is_replayed = verdict == CON_APPLIED && event->is_replay;
    sl_pg_array_bytes(array, is_replayed ? SL_SPAN_LITERAL("replayed")
                                         : sl_span_of(con_verdict_name(verdict)));
}

static void put_raw(struct sl_pg_array *array, const struct con_event *event,
                    struct sl_arena *arena)
{
    (void)arena;
    sl_pg_array_bytes(array, event->envelope.body);
}

static void put_body(struct sl_pg_array *array, const struct con_event *event,
                     struct sl_arena *arena)
{
    (void)arena;
    sl_pg_array_bytes(array, event->body_text);
}

static void put_nothing(struct sl_pg_array *array, const struct con_event *event,
                        struct sl_arena *arena)
{
    (void)event;
    (void)arena;
    sl_pg_array_null(array);
}
