#include "consumer/patience.h"

#define LOOKS_PER_TIMEOUT 20
#define LOOK_MS_MAX       30000

enum con_patience_advice con_patience_look(struct con_patience *patience, int64_t now_ms,
                                           int64_t oldest_ms)
{
    if (patience->is_resting) {
        if (now_ms < patience->rests_until) {
            return CON_PATIENCE_STAY;
        }
        patience->is_resting = false;
        return CON_PATIENCE_TAKE;
    }
    if (oldest_ms < 0 || now_ms - oldest_ms < patience->timeout_ms / 100 * CON_PATIENCE_PERCENT) {
        return CON_PATIENCE_STAY;
    }
    patience->is_resting = true;
    patience->rests_until = now_ms + patience->timeout_ms / CON_PATIENCE_REST;
    return CON_PATIENCE_GIVE_BACK;
}

bool con_patience_end(struct con_patience *patience)
{
    bool was_resting = patience->is_resting;
    patience->is_resting = false;
    return was_resting;
}

int64_t con_patience_look_ms(const struct con_patience *patience)
{
    int64_t look_ms = patience->timeout_ms / LOOKS_PER_TIMEOUT;
    return look_ms < LOOK_MS_MAX ? look_ms : LOOK_MS_MAX;
}
