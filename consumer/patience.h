/*
 * patience - how long a worker keeps deliveries that it cannot apply, and when it takes some again.
 *
 * Decides only: never reads a clock.
 * Law: the broker closes a channel whose oldest delivery is unacknowledged for longer than its consumer_timeout, and the next one, and the next one. So what is
 * held for CON_PATIENCE_PERCENT of that is given back, all at once, and nothing is taken until it can be applied again (the link to Postgres came up),
 * or a CON_PATIENCE_REST-th of the timeout has passed, since a table that is locked or a setting that is wrong is only found out by trying.
 * Each return counts towards the queue's delivery limit (20, on RabbitMQ 3.10 as on 4): the waits above make that at least nine hours of failing with the
 * default of half an hour, and no count at all while Postgres is away but for the first return.
 * Source: RabbitMQ's "Delivery Acknowledgement Timeout"; schemas/topology.md for the limit.
 * Threads: one worker.
 */
#ifndef CONSUMER_PATIENCE_H
#define CONSUMER_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define CON_PATIENCE_PERCENT 75
#define CON_PATIENCE_REST    6

struct con_patience {
    int64_t timeout_ms;  /* the broker's, > 0 */
    bool is_resting;     /* gave back, and takes nothing */
    int64_t rests_until; /* then it tries again by itself */
};

enum con_patience_advice {
    CON_PATIENCE_STAY,
    CON_PATIENCE_GIVE_BACK,
    CON_PATIENCE_TAKE, /* again */
};

/* oldest_ms: when the oldest delivery that is not decided arrived; negative: there is none. Call about every con_patience_look_ms. */
enum con_patience_advice con_patience_look(struct con_patience *patience, int64_t now_ms,
                                           int64_t oldest_ms);
/* What was in the way is gone: true when it rested. */
bool con_patience_end(struct con_patience *patience);
/* How often to look: often enough that a look too late costs nothing. */
int64_t con_patience_look_ms(const struct con_patience *patience);

#endif
