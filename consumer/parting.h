/*
 * parting - how long a worker that is asked to stop goes on with what it has, before it gives the rest back.
 *
 * Decides only: never reads a clock.
 * Law: until RabbitMQ 4.3 every return of a delivery counts towards the queue's delivery limit, so a deploy or a reload should return none: what is in hand is
 * finished, for most of the time there is. What cannot be worked on now may be right in a moment (a session that somebody ended is replaced by the next one),
 * so it is given back only when it could not be for CON_PARTING_HEAL_MS. From 4.3 on a return before the connection ends costs nothing, and is made at once.
 * Source: rabbitmq.com/docs/quorum-queues, "Poison message handling".
 * Threads: one worker.
 */
#ifndef CONSUMER_PARTING_H
#define CONSUMER_PARTING_H

#include <stdbool.h>
#include <stdint.h>

#define CON_PARTING_HEAL_MS 1000

struct con_parting {
    int64_t until_ms; /* what is left then is given back */
    int64_t well_ms;  /* when it could be worked on last */
};

/* version: of the broker, as sl_amqp_link_version says it; 0: not known. drain_ms: until the process ends, whatever is left. */
void con_parting_begin(struct con_parting *parting, unsigned version, int64_t drain_ms,
                       int64_t now_ms);
/* The rest is to be given back. can_work: nothing holds up what is in hand. Call every CON_PARTING_LOOK_MS. */
#define CON_PARTING_LOOK_MS 50
bool con_parting_is_over(struct con_parting *parting, bool can_work, int64_t now_ms);

#endif
