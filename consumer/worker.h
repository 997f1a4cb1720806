/*
 * worker - one consumer of one subsystem: its links, and when it consumes.
 *
 * Three connections: one to consume, one to publish what failed (onward), one to Postgres. It begins to take deliveries when the broker and
 * the database are both up. When the database goes away it keeps what it has, unacknowledged, and does not give it back in a loop (each return
 * counts towards the queue's delivery limit), but gives it back before the broker's consumer_timeout would close the channel (patience); the broker adds no more than the prefetch, and no more than CON_BATCH_HELD_BYTES_MAX is read.
 * It never consumes again under a consumer tag that it has cancelled: with unacknowledged deliveries of the same tag this crashes the channel of
 * RabbitMQ 3.10 (seen with 3.10.8, quorum queues).
 * Refuses: declaring queues; what happens to a delivery is the desk's.
 * Threads: one loop.
 */
#ifndef CONSUMER_WORKER_H
#define CONSUMER_WORKER_H

#include "consumer/alarm.h"
#include "consumer/attempts.h"
#include "consumer/targets.h"
#include "shared/amqp/amqp_url.h"
#include "shared/json/json_write.h"
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
    const char *state_dir;       /* for the file of what is in hand */
    int64_t consumer_timeout_ms; /* the broker's, > 0 */
    unsigned number;             /* from 0, among the workers of the subsystem */
};

struct con_worker *con_worker_new(const struct con_worker_opts *opts, struct sl_err *err) SL_MUST;
/* Closes everything at once. Accepts NULL. */
void con_worker_free(struct con_worker *worker);

/* The first attempts to reach broker and database have ended, up or failed. */
bool con_worker_has_tried(const struct con_worker *worker);
/* It takes deliveries and can apply them. */
bool con_worker_is_well(const struct con_worker *worker);

/* What operators have set for it. */
struct con_worker_orders {
    bool is_paused; /* the subsystem is, or so many workers are not wanted */
    size_t batch;
    int64_t attempts;
    const struct con_order *order; /* borrowed until the next orders */
};
/*
 * Before the first orders it takes no delivery. A pause ends consuming; what is in hand is finished as far as that takes no longer than
 * CON_WORKER_GRACE_MS, so that no delivery count is spent on it, and given back after that.
 */
#define CON_WORKER_GRACE_MS 1000
void con_worker_obey(struct con_worker *worker, const struct con_worker_orders *orders);
bool con_worker_is_consuming(const struct con_worker *worker);
/* Paused, and nothing is in hand. */
bool con_worker_is_at_rest(const struct con_worker *worker);
/* Breakers that are not closed, into an array that is begun. */
void con_worker_show_breakers(const struct con_worker *worker, struct sl_json_writer *json);
/* When the oldest event in hand was received; 0: none in hand. */
int64_t con_worker_oldest_us(const struct con_worker *worker);

/* Takes nothing more, ends the running transaction, gives back what was not started. */
void con_worker_drain(struct con_worker *worker);
bool con_worker_is_drained(const struct con_worker *worker);
/* Deliveries not settled yet. */
size_t con_worker_held(const struct con_worker *worker);

#endif
