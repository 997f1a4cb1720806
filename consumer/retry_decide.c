#include "consumer/retry_decide.h"

#include <string.h>

#define SQLSTATE_QUERY_CANCELED "57014"

static enum con_next systemic(const struct con_failure *failure);

enum con_next con_retry_decide(const struct con_failure *failure)
{
    if (strcmp(failure->sqlstate, SQLSTATE_QUERY_CANCELED) == 0) {
        return failure->events > 1 ? CON_NEXT_BISECT : systemic(failure);
    }
    if (failure->code == SL_E_PG_CONTENTION) {
        return failure->tries < CON_CONTENTION_TRIES_MAX ? CON_NEXT_AGAIN : systemic(failure);
    }
    if (failure->code == SL_E_PG_UNREADY) {
        return CON_NEXT_HOLD;
    }
    if (failure->code == SL_E_MEMORY && failure->events > 1) {
        return CON_NEXT_BISECT; /* half of it may fit */
    }
    struct sl_err err = { .code = failure->code };
    switch (sl_err_fault(&err)) {
    case SL_FAULT_TRANSIENT:
        return systemic(failure);
    case SL_FAULT_POISON:
        return CON_NEXT_BISECT;
    case SL_FAULT_SETUP:
    case SL_FAULT_BUG:
        return CON_NEXT_HALT;
    }
    return CON_NEXT_HALT;
}

static enum con_next systemic(const struct con_failure *failure)
{
    if (!failure->is_reachable) {
        return CON_NEXT_HOLD;
    }
    bool is_alone = failure->events == 1;
    if (is_alone && failure->strikes > 0 && failure->has_neighbour_passed) {
        return CON_NEXT_BISECT;
    }
    if (failure->holds == 0 || failure->fruitless >= CON_FRUITLESS_MAX) {
        return CON_NEXT_HOLD;
    }
    return is_alone ? CON_NEXT_PUT_OFF : CON_NEXT_BISECT;
}

int64_t con_retry_wait_ms(uint64_t random)
{
    uint64_t choices = CON_CONTENTION_WAIT_MS_MAX - CON_CONTENTION_WAIT_MS_MIN + 1;
    return CON_CONTENTION_WAIT_MS_MIN + (int64_t)(random % choices);
}
