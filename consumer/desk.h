/*
 * desk - what a worker has in hand: each delivery from its arrival to its acknowledgement.
 *
 * Holds what arrives (batch), has it applied (runner), has what failed brought to its next try or to the dead letters (fate, onward), and acknowledges what is settled (settle).
 * Types that fail too much are held (breaker): before a transaction starts, what waits of them goes to a delay level with its attempt unspent, but for one probe now and then.
 * Law: acknowledge after COMMIT or after the confirm of its copy elsewhere, never before. When the consuming connection is lost every tag is void: what
 * it delivered is forgotten and comes again; the inbox knows what was applied.
 * Refuses: opening the links it works with, and deciding when to consume (worker does).
 * Threads: one loop.
 */
#ifndef CONSUMER_DESK_H
#define CONSUMER_DESK_H

#include "consumer/alarm.h"
#include "consumer/attempts.h"
#include "consumer/flight.h"
#include "consumer/handler.h"
#include "consumer/orders.h"
#include "shared/amqp/amqp_link.h"
#include "shared/json/json_write.h"
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
    struct con_alarm *alarm;       /* told of breakers that open */
    struct sl_pg_link *pg;         /* has the statements of con_apply_statements */
};

struct con_desk *con_desk_new(const struct con_desk_opts *opts, struct sl_err *err) SL_MUST;
/* Free both links first. Accepts NULL. */
void con_desk_free(struct con_desk *desk);

void con_desk_take(struct con_desk *desk, const struct sl_amqp_delivery *delivery);
/* The consuming connection is gone. */
void con_desk_forget(struct con_desk *desk);
/* The Postgres link is down; and up: what was held comes back, and goes in steps (ramp). */
void con_desk_pg_down(struct con_desk *desk);
void con_desk_pg_up(struct con_desk *desk);

/* What operators have set: most events of a transaction, tries in all, and what is to be parked (borrowed, may be NULL). */
void con_desk_obey(struct con_desk *desk, size_t batch, int64_t attempts,
                   const struct con_order *order);
/* Breakers that are not closed, into an array that is begun. */
void con_desk_show_breakers(const struct con_desk *desk, struct sl_json_writer *json);
/* When the oldest event in hand was received; 0: none in hand. */
int64_t con_desk_oldest_us(const struct con_desk *desk);

/* On the monotonic clock, when the oldest one arrived that is not decided; -1: there is none. */
int64_t con_desk_oldest_arrival_ms(const struct con_desk *desk);

/* Takes deliveries again after con_desk_drain. */
void con_desk_resume(struct con_desk *desk);
/* Ends the running transaction, gives back what was not started and what still arrives. */
void con_desk_drain(struct con_desk *desk);
bool con_desk_is_drained(const struct con_desk *desk);

/* Deliveries not settled yet. */
size_t con_desk_held(const struct con_desk *desk);
/* Nothing is held back, and what fails can be published. */
bool con_desk_is_well(const struct con_desk *desk);

#endif
