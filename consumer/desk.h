/*
 * desk - what a worker has in hand: each delivery from its arrival to its acknowledgement.
 *
 * Conducts, and does little itself:
 *   1. what arrives is held, or leaves again untried (reception, batch)
 *   2. a transaction is begun when it is time, with events of one turn: live, copies of a replay, or a rehearsal (opening)
 *   3. they are applied (runner), or tried and rolled back (rehearsal)
 *   4. what came of each is written down (outcome), and what failed is brought to its next try or to the dead letters (onward)
 *   5. the broker hears what is settled (receipt)
 * Law: acknowledge after COMMIT or after the confirm of its copy elsewhere, never before. When the consuming connection is lost every tag is void: what
 * it delivered is forgotten and comes again; the inbox knows what was applied. What came from a queue that was deleted is nowhere else, so it stays in hand until it is applied, or
 * has gone on.
 * Refuses: opening the links it works with, and deciding when to consume (worker does).
 * Threads: one loop.
 */
#ifndef CONSUMER_DESK_H
#define CONSUMER_DESK_H

#include "consumer/alarm.h"
#include "consumer/attempts.h"
#include "consumer/flight.h"
#include "consumer/fusebox.h"
#include "consumer/halt.h"
#include "consumer/handler.h"
#include "consumer/lane.h"
#include "consumer/orders.h"
#include "shared/amqp/amqp_link.h"
#include "shared/log.h"
#include "shared/metrics.h"
#include "shared/pg/pg_link.h"
#include "shared/subsystem/subsystems.h"

struct con_desk;

struct con_desk_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_amqp_url *amqp; /* for the connection that publishes */
    const struct sl_subsystem *subsystem;
    const struct con_handler *handler;
    struct con_flight *flight;     /* NULL: no file to write down what is in hand */
    const char *owner;             /* the worker's name */
    const char *connection_name;   /* shown by the broker's own tools */
    struct sl_amqp_link *broker;   /* that delivers, and takes the acknowledgements */
    struct con_attempts *attempts; /* told of each failed try */
    struct con_alarm *alarm; /* told of what is given up, when the section wants each heard of */
    struct con_fusebox *fusebox; /* the database's */
    struct con_halt *halt;       /* the worker's */
    struct con_lane *lane;       /* of the subsystem's types that fail too much */
    /* Of a section that makes way: whether there is anybody to make way for. NULL: this one does not. */
    bool (*is_rush)(const void *rush_arg);
    const void *rush_arg;
    struct sl_pg_link *pg; /* has the statements of con_apply_statements */
};

struct con_desk *con_desk_new(const struct con_desk_opts *opts, struct sl_err *err) SL_MUST;
/* Free both links first. Accepts NULL. */
void con_desk_free(struct con_desk *desk);

void con_desk_take(struct con_desk *desk, const struct sl_amqp_delivery *delivery);
/* The queue of this turn was deleted: what came from it never comes again. */
void con_desk_keep(struct con_desk *desk, enum con_turn turn);
/* The consuming connection is gone. */
void con_desk_forget(struct con_desk *desk);
/* The Postgres link is down; and up: what was held comes back, and goes in steps (ramp). */
void con_desk_pg_down(struct con_desk *desk);
void con_desk_pg_up(struct con_desk *desk);
/* The database can be used again, says another worker. */
void con_desk_wake(struct con_desk *desk);

/* What operators have set: most events of a transaction, tries in all, and what is to be parked (borrowed, may be NULL). */
void con_desk_obey(struct con_desk *desk, size_t batch, int64_t attempts,
                   const struct con_order *order);
/* When the oldest live event in hand was received; 0: none in hand. */
int64_t con_desk_oldest_us(const struct con_desk *desk);

/* On the monotonic clock, when the oldest one arrived that is not decided; -1: there is none. */
int64_t con_desk_oldest_arrival_ms(const struct con_desk *desk);

/* How long a transaction takes lately, in microseconds; 0: there was none. */
int64_t con_desk_apply_us(const struct con_desk *desk);

/* Takes deliveries again after con_desk_drain. */
void con_desk_resume(struct con_desk *desk);
/* Ends the running transaction, gives back what was not started and what still arrives. What cannot be given back, since its queue was deleted, leaves by the delay levels. */
void con_desk_drain(struct con_desk *desk);
bool con_desk_is_drained(const struct con_desk *desk);

/* Deliveries not settled yet. */
size_t con_desk_held(const struct con_desk *desk);
/* Nothing is held back, and what fails can be published. */
bool con_desk_is_well(const struct con_desk *desk);
/* Something keeps what it has from being applied. */
bool con_desk_is_holding(const struct con_desk *desk);

#endif
