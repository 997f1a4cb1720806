#include "consumer/inbox.h"

#include "shared/units.h"

#define PLACE_DIGITS_MAX 9u

static bool is_corrected(const struct con_event *event);

bool con_inbox_claim(const struct con_chosen_events *chosen, const char *subsystem, bool archives,
                     struct sl_arena *arena, struct sl_buf *bytes,
                     struct sl_pg_param out_params[CON_INBOX_CLAIM_PARAMS], struct sl_err *err)
{
    /* $2 and on, as claim.sql has them. */
    const enum con_event_column columns[CON_INBOX_CLAIM_PARAMS - 1] = {
        CON_COLUMN_ACCOUNT,  CON_COLUMN_LIVEMODE,
        CON_COLUMN_EVENT_ID, CON_COLUMN_OCCURRED_AT,
        CON_COLUMN_SOURCE,   CON_COLUMN_TYPE,
        CON_COLUMN_OBJECT,   CON_COLUMN_RECEIVED_AT,
        CON_COLUMN_VERDICT,  archives ? CON_COLUMN_RAW : CON_COLUMN_NOTHING,
    };
    for (size_t i = 0; i < chosen->count; i++) {
        struct con_event *event = &chosen->events[chosen->indexes[i]];
        event->claimed = event->verdict == CON_PENDING ? CON_APPLIED : event->verdict;
    }
    out_params[0] = (struct sl_pg_param){ .value = sl_span_of(subsystem) };
    return con_event_columns_params(columns, SL_COUNT(columns), chosen, arena, bytes,
                                    out_params + 1, err);
}

bool con_inbox_claimed(const struct con_chosen_events *chosen, const struct sl_pg_result *result,
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

bool con_inbox_corrections(const struct con_chosen_events *chosen, const char *subsystem,
                           struct sl_arena *arena, struct sl_buf *bytes,
                           struct sl_pg_param out_params[CON_INBOX_VERDICT_PARAMS],
                           size_t *out_count, struct sl_err *err)
{
    static const enum con_event_column columns[CON_INBOX_VERDICT_PARAMS - 1] = {
        CON_COLUMN_ACCOUNT,     CON_COLUMN_LIVEMODE, CON_COLUMN_EVENT_ID,
        CON_COLUMN_OCCURRED_AT, CON_COLUMN_VERDICT,
    };
    size_t *indexes = sl_arena_array(arena, chosen->count, sizeof indexes[0]);
    if (indexes == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no room for the verdicts of %zu events", chosen->count);
    }
    struct con_chosen_events corrected = { .events = chosen->events, .indexes = indexes };
    for (size_t i = 0; i < chosen->count; i++) {
        if (is_corrected(&chosen->events[chosen->indexes[i]])) {
            indexes[corrected.count++] = chosen->indexes[i];
        }
    }
    *out_count = corrected.count;
    out_params[0] = (struct sl_pg_param){ .value = sl_span_of(subsystem) };
    return corrected.count == 0 || con_event_columns_params(columns, SL_COUNT(columns), &corrected,
                                                            arena, bytes, out_params + 1, err);
}

/* A duplicate has no row of this transaction. */
static bool is_corrected(const struct con_event *event)
{
    return event->verdict != CON_DUPLICATE && event->verdict != event->claimed;
}
