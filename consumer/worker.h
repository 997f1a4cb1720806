/*
 * worker - one consumer of one subsystem: its links, and when it consumes.
 *
 * It consumes two queues on one channel, each with a prefetch of its own: the work queue, and the queue of replays once that is known to be there (a broker ends the
 * channel of whoever consumes a queue that is not).
 * Three connections: one to consume, one to publish what failed (onward), one to Postgres. It begins to take deliveries when the broker and
 * the database are both up. When the database goes away it keeps what it has, unacknowledged, and does not give it back in a loop (each return
 * counts towards the queue's delivery limit), but gives it back before the broker's consumer_timeout would close the channel (patience); the broker adds no more than the prefetch, and no more than CON_BATCH_HELD_BYTES_MAX is read.
 * While something is suspected of having ended an earlier life (flight) it takes one message at a time, since what is in a worker's hands when the process ends is counted
 * towards the delivery limit whatever it is.
 * It never consumes again under a consumer tag that it has cancelled: with unacknowledged deliveries of the same tag this crashes the channel of
 * RabbitMQ 3.10 (seen with 3.10.8, quorum queues).
 * Refuses: declaring queues; what happens to a delivery is the desk's.
 * Threads: one loop.
 */
#ifndef CONSUMER_WORKER_H
#define CONSUMER_WORKER_H

#include "consumer/alarm.h"
#include "consumer/attempts.h"
#include "consumer/flight.h"
#include "consumer/fusebox.h"
#include "consumer/lane.h"
#include "consumer/targets.h"
#include "shared/amqp/amqp_url.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/metrics.h"
#include "shared/subsystem/subsystems.h"

struct con_worker;

struct con_worker_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_amqp_url *amqp;
    const char *database_url;
    const char *service;
    const struct sl_subsystem *subsystem;
    const struct con_target *target; /* of the subsystem */
    struct con_attempts *attempts;
    struct con_alarm *alarm;
    bool asks_stripe; /* handler.h, as the next */
    bool stripe_livemode;
    struct con_lane *lane;       /* of the subsystem */
    struct con_fusebox *fusebox; /* of the process */
    struct con_fleet *fleet;     /* of the process */
    /* Of a section that makes way: whether there is anybody to make way for. NULL: this one does not. */
    bool (*is_rush)(const void *rush_arg);
    const void *rush_arg;
    int64_t grace_ms;            /* for what may be right in a moment */
    const char *state_dir;       /* for the file of what is in hand */
    int64_t consumer_timeout_ms; /* the broker's, > 0 */
    unsigned number;             /* from 0, among the workers of the subsystem */
};

struct con_worker *con_worker_new(const struct con_worker_opts *opts, struct sl_err *err) SL_MUST;
/* Closes everything at once. Accepts NULL. */
void con_worker_free(struct con_worker *worker);

/* The first attempts to reach broker and database, and to read what operators have set, have ended, up or failed. */
bool con_worker_has_tried(const struct con_worker *worker);
/* It takes deliveries and can apply them. */
bool con_worker_is_well(const struct con_worker *worker);

/* What operators have set for it. */
struct con_worker_orders {
    bool is_paused;  /* the subsystem is, or so many workers are not wanted */
    bool is_tripped; /* the database's breaker: takes nothing more, and keeps what it has */
    size_t batch;
    int64_t attempts;
    const struct con_order *order; /* borrowed until the next orders */
    int64_t
        replays_seen_ms; /* monotonic: the queue of replays was there; 0: it is not, or nobody knows */
};
/*
 * Before the first orders it takes no delivery. A pause ends consuming; what is in hand is finished as far as that takes no longer than
 * CON_WORKER_GRACE_MS, so that no delivery count is spent on it, and given back after that.
 */
#define CON_WORKER_GRACE_MS 1000
void con_worker_obey(struct con_worker *worker, const struct con_worker_orders *orders);
/* The database can be used again, says another worker. */
void con_worker_wake(struct con_worker *worker);
bool con_worker_is_consuming(const struct con_worker *worker);
/* Paused, and nothing is in hand. */
bool con_worker_is_at_rest(const struct con_worker *worker);
/* When the oldest live event in hand was received; 0: none in hand. */
int64_t con_worker_oldest_us(const struct con_worker *worker);

/* How long a transaction takes lately, in microseconds; 0: there was none. */
int64_t con_worker_apply_us(const struct con_worker *worker);

/* Takes nothing more, finishes what it has as far as parting says, gives the rest back. drain_ms: until the process ends. */
void con_worker_drain(struct con_worker *worker, int64_t drain_ms);
/* Ask again and again: once nothing is in hand it asks the broker something, whose answer says that the last acknowledgements were read. */
bool con_worker_is_drained(struct con_worker *worker);
/* Deliveries not settled yet. */
size_t con_worker_held(const struct con_worker *worker);

#endif
