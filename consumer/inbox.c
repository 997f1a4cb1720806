#include "consumer/inbox.h"

#include "consumer/text.h"
#include "shared/pg_array.h"
#include "shared/units.h"

#define TEXT_BYTES_MAX   255u
#define PLACE_DIGITS_MAX 9u
#define COLUMNS_MAX      (CON_INBOX_CLAIM_PARAMS - 1)

struct column {
    enum sl_pg_type type;
    void (*put)(struct sl_pg_array *array, const struct con_event *event, struct sl_arena *arena);
};

static void put_account(struct sl_pg_array *array, const struct con_event *event,
                        struct sl_arena *arena);
static void put_livemode(struct sl_pg_array *array, const struct con_event *event,
                         struct sl_arena *arena);
static void put_id(struct sl_pg_array *array, const struct con_event *event,
                   struct sl_arena *arena);
static void put_occurred_at(struct sl_pg_array *array, const struct con_event *event,
                            struct sl_arena *arena);
static void put_source(struct sl_pg_array *array, const struct con_event *event,
                       struct sl_arena *arena);
static void put_type(struct sl_pg_array *array, const struct con_event *event,
                     struct sl_arena *arena);
static void put_object(struct sl_pg_array *array, const struct con_event *event,
                       struct sl_arena *arena);
static void put_received_at(struct sl_pg_array *array, const struct con_event *event,
                            struct sl_arena *arena);
static void put_verdict(struct sl_pg_array *array, const struct con_event *event,
                        struct sl_arena *arena);
static void put_body(struct sl_pg_array *array, const struct con_event *event,
                     struct sl_arena *arena);
static bool put_columns(const struct column *columns, size_t column_count,
                        const struct con_inbox_events *chosen, bool only_stale,
                        struct sl_arena *arena, struct sl_buf *bytes, struct sl_pg_param *out,
                        struct sl_err *err);

/* $2 and on; $1 is the subsystem in both. */
static const struct column claim_columns[CON_INBOX_CLAIM_PARAMS - 1] = {
    { SL_PG_TEXT, put_account }, { SL_PG_BOOL, put_livemode },
    { SL_PG_TEXT, put_id },      { SL_PG_TIMESTAMPTZ, put_occurred_at },
    { SL_PG_TEXT, put_source },  { SL_PG_TEXT, put_type },
    { SL_PG_TEXT, put_object },  { SL_PG_TIMESTAMPTZ, put_received_at },
    { SL_PG_TEXT, put_verdict }, { SL_PG_BYTEA, put_body },
};
static const struct column verdict_columns[CON_INBOX_VERDICT_PARAMS - 1] = {
    { SL_PG_TEXT, put_account }, { SL_PG_BOOL, put_livemode },
    { SL_PG_TEXT, put_id },      { SL_PG_TIMESTAMPTZ, put_occurred_at },
    { SL_PG_TEXT, put_verdict },
};

bool con_inbox_claim(const struct con_inbox_events *chosen, const char *subsystem,
                     struct sl_arena *arena, struct sl_buf *bytes,
                     struct sl_pg_param out_params[CON_INBOX_CLAIM_PARAMS], struct sl_err *err)
{
    out_params[0] = (struct sl_pg_param){ .value = sl_span_of(subsystem) };
    return put_columns(claim_columns, SL_COUNT(claim_columns), chosen, false, arena, bytes,
                       out_params + 1, err);
}

static bool put_columns(const struct column *columns, size_t column_count,
                        const struct con_inbox_events *chosen, bool only_stale,
                        struct sl_arena *arena, struct sl_buf *bytes, struct sl_pg_param *out,
                        struct sl_err *err)
{
    struct sl_pg_array arrays[COLUMNS_MAX];
    SL_ASSERT(column_count <= COLUMNS_MAX);
    sl_buf_reset(bytes);
    for (size_t c = 0; c < column_count; c++) {
        sl_pg_array_begin(&arrays[c], columns[c].type, bytes);
        for (size_t i = 0; i < chosen->count; i++) {
            const struct con_event *event = &chosen->events[chosen->indexes[i]];
            if (!only_stale || event->verdict == CON_STALE) {
                columns[c].put(&arrays[c], event, arena);
            }
        }
        sl_pg_array_end(&arrays[c]);
    }
    if (!sl_buf_ok(bytes)) {
        return sl_fail(err, SL_E_LIMIT, "the inbox rows of %zu events pass %zu bytes",
                       chosen->count, bytes->bytes_max);
    }
    /* Only now: the buffer has stopped moving. */
    for (size_t c = 0; c < column_count; c++) {
        out[c] = (struct sl_pg_param){ .value = sl_pg_array_span(&arrays[c]), .is_binary = true };
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

/* What is still PENDING is claimed as applied; the few that turn out otherwise are corrected before the commit. */
static void put_verdict(struct sl_pg_array *array, const struct con_event *event,
                        struct sl_arena *arena)
{
    (void)arena;
    enum con_verdict verdict = event->verdict == CON_PENDING ? CON_APPLIED : event->verdict;
    bool is_replayed = verdict == CON_APPLIED && event->is_replay;
    sl_pg_array_bytes(array, is_replayed ? SL_SPAN_LITERAL("replayed")
                                         : sl_span_of(con_verdict_name(verdict)));
}

static void put_body(struct sl_pg_array *array, const struct con_event *event,
                     struct sl_arena *arena)
{
    (void)arena;
    sl_pg_array_bytes(array, event->envelope.body);
}

bool con_inbox_claimed(const struct con_inbox_events *chosen, const struct sl_pg_result *result,
                       struct sl_err *err)
{
    size_t next = 0; /* the answer is in the order of places, which count from 1 */
    for (size_t row = 0; row < sl_pg_rows(result); row++) {
        int64_t place = 0;
        if (!sl_units_decimal(sl_pg_value(result, row, 0), PLACE_DIGITS_MAX, &place) ||
            place <= (int64_t)next || place > (int64_t)chosen->count) {
            return sl_fail(err, SL_E_BUG, "claim returned a place that it was not given");
        }
        for (; next + 1 < (size_t)place; next++) {
            chosen->events[chosen->indexes[next]].verdict = CON_DUPLICATE;
        }
        next = (size_t)place;
    }
    for (; next < chosen->count; next++) {
        chosen->events[chosen->indexes[next]].verdict = CON_DUPLICATE;
    }
    return true;
}

bool con_inbox_stale(const struct con_inbox_events *chosen, const char *subsystem,
                     struct sl_buf *bytes, struct sl_pg_param out_params[CON_INBOX_VERDICT_PARAMS],
                     size_t *out_count, struct sl_err *err)
{
    size_t stale = 0;
    for (size_t i = 0; i < chosen->count; i++) {
        stale += chosen->events[chosen->indexes[i]].verdict == CON_STALE ? 1 : 0;
    }
    *out_count = stale;
    out_params[0] = (struct sl_pg_param){ .value = sl_span_of(subsystem) };
    return stale == 0 || put_columns(verdict_columns, SL_COUNT(verdict_columns), chosen, true, NULL,
                                     bytes, out_params + 1, err);
}
