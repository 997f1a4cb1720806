/*
 * hand - what an operator has set for the database's breaker: in the table of orders, or of this process alone at its control socket.
 *
 * Decides only. The socket is for when the table cannot be reached, so what it says is in force over a row that holds the breaker open, and ends by itself, with a row that
 * closes the breaker, or with the process. A new configuration does not end it.
 * Threads: one owner.
 */
#ifndef CONSUMER_HAND_H
#define CONSUMER_HAND_H

#include "consumer/orders.h"

struct con_hand {
    enum con_force force;
    int64_t expires_us; /* wall clock; 0: never */
    char reason[CON_ORDER_TEXT_BYTES];
};

/* What is to hold for the database's breaker now; *out_reason is borrowed, "" when there is none. */
enum con_force con_hand_decide(struct con_hand *hand, const struct con_orders *orders,
                               int64_t wall_us, const char **out_reason);

#endif
