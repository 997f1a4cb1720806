#include "consumer/yield.h"

int64_t con_yield_wait_ms(const struct con_yield *yield, bool is_rush, int64_t now_ms)
{
    int64_t due_ms = yield->begun_ms + CON_YIELD_MS;
    return is_rush && yield->begun_ms != 0 && due_ms > now_ms ? due_ms - now_ms : 0;
}

void con_yield_begun(struct con_yield *yield, int64_t now_ms)
{
    yield->begun_ms = now_ms;
}
