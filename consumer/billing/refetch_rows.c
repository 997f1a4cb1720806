#include "consumer/billing/refetch_rows.h"

#include <stdio.h>

#include "consumer/text.h"
#include "shared/units.h"

#define WAIT_MS_MIN     5000
#define WAIT_MS_MAX     (60 * 60 * 1000)
#define AGAIN_MS        2000 /* asked for anew in the meantime */
#define DOUBLINGS_MAX   10
#define DIGITS_MAX      18u
#define ERROR_BYTES_MAX 300u

bool con_refetch_row_read(struct con_refetch_slot *slot, const struct sl_pg_result *result,
                          size_t row)
{
    struct sl_span account = sl_pg_value(result, row, 0);
    struct sl_span kind = sl_pg_value(result, row, 1);
    struct sl_span id = sl_pg_value(result, row, 2);
    slot->question.kind = sl_span_is(kind, CON_BILLING_WISH_EVENT) ? CON_BILLING_WISH_EVENT
                                                                   : con_billing_wish_kind(kind);
    if (slot->question.kind == NULL || account.bytes > SL_EVENT_ID_BYTES_MAX ||
        id.bytes > SL_EVENT_ID_BYTES_MAX ||
        !sl_units_decimal(sl_pg_value(result, row, 4), DIGITS_MAX, &slot->round) ||
        !sl_units_decimal(sl_pg_value(result, row, 5), DIGITS_MAX, &slot->tries)) {
        return false;
    }
    snprintf(slot->question.account, sizeof slot->question.account, "%.*s", SL_SPAN_ARGS(account));
    snprintf(slot->question.id, sizeof slot->question.id, "%.*s", SL_SPAN_ARGS(id));
    snprintf(slot->reason, sizeof slot->reason, "%.*s", SL_SPAN_ARGS(sl_pg_value(result, row, 3)));
    slot->question.is_gone = sl_span_is(sl_pg_value(result, row, 6), "t");
    slot->has_ended = false;
    slot->outcome = NULL;
    con_question_reset(&slot->question);
    return true;
}

void con_refetch_rows_put(struct con_refetch_slot *slots, size_t count,
                          struct con_billing_params *params)
{
    static const enum sl_pg_type types[] = { SL_PG_TEXT, SL_PG_TEXT, SL_PG_TEXT, SL_PG_INT8,
                                             SL_PG_BOOL, SL_PG_INT8, SL_PG_TEXT };
    for (size_t column = 0; column < SL_COUNT(types); column++) {
        struct sl_pg_array *array = con_billing_params_begin(params, types[column]);
        for (size_t i = 0; i < count; i++) {
            struct con_refetch_slot *slot = &slots[i];
            switch (column) {
            case 0:
                sl_pg_array_bytes(array, sl_span_of(slot->question.account));
                break;
            case 1:
                sl_pg_array_bytes(array, sl_span_of(slot->question.kind));
                break;
            case 2:
                sl_pg_array_bytes(array, sl_span_of(slot->question.id));
                break;
            case 3:
                sl_pg_array_int8(array, slot->round);
                break;
            case 4:
                sl_pg_array_bool(array, slot->outcome != NULL);
                break;
            case 5:
                sl_pg_array_int8(array, con_refetch_wait_ms(slot));
                break;
            default:
                sl_pg_array_bytes(
                    array, slot->outcome != NULL
                               ? (struct sl_span){ 0 }
                               : con_text_clean(&slot->question.arena,
                                                con_text_cut(sl_span_of(slot->question.why.text),
                                                             ERROR_BYTES_MAX),
                                                ERROR_BYTES_MAX));
                break;
            }
        }
        sl_pg_array_end(array);
    }
}

int64_t con_refetch_wait_ms(const struct con_refetch_slot *slot)
{
    if (slot->outcome != NULL) {
        return AGAIN_MS;
    }
    int64_t doublings = slot->tries - 1 < DOUBLINGS_MAX ? slot->tries - 1 : DOUBLINGS_MAX;
    int64_t wait_ms = (int64_t)WAIT_MS_MIN << (doublings > 0 ? doublings : 0);
    return wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX;
}
