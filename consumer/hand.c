#include "consumer/hand.h"

enum con_force con_hand_decide(struct con_hand *hand, const struct con_orders *orders,
                               int64_t wall_us, const char **out_reason)
{
    const char *reason = "";
    enum con_force row = con_orders_database(orders, wall_us, &reason);
    bool is_over = hand->expires_us != 0 && hand->expires_us <= wall_us;
    if (row == CON_FORCE_CLOSED || is_over) {
        hand->force = CON_FORCE_NONE;
    }
    *out_reason = hand->force == CON_FORCE_NONE ? reason : hand->reason;
    return hand->force == CON_FORCE_NONE ? row : hand->force;
}
