/*
 * parking - brings dead deliveries to the exchange of dead letters, confirmed, before their originals are acknowledged.
 *
 * Law: publish on a connection of its own, wait until the broker has confirmed and not returned it, only then call the original settled.
 * Anything else (nack, return, timeout, lost connection) keeps the original unacknowledged and tries again, after a backoff or when
 * the link is up. A crash in between makes a second copy, never a loss; the open-uniqueness of sluice_dead_letter absorbs it.
 * Refuses: acknowledging (on_parked tells the owner to).
 * Threads: one loop.
 */
#ifndef CONSUMER_PARKING_H
#define CONSUMER_PARKING_H

#include "consumer/batch.h"
#include "consumer/watch.h"
#include "shared/amqp_link.h"

struct con_parking;

struct con_parking_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_amqp_url *amqp;
    const char *subsystem;
    const char *queue; /* the subsystem's, for the log */
    const char *owner; /* names the link in log, gauges and the broker's tools */
    const char *connection_name;
    struct con_batch *batch; /* its DEAD deliveries are ours to publish */

    void *arg;
    /* At least one DEAD delivery is SETTLED now. */
    void (*on_parked)(void *arg);
};

struct con_parking *con_parking_new(const struct con_parking_opts *opts,
                                    struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void con_parking_free(struct con_parking *parking);
/* There may be new DEAD deliveries in the batch. */
void con_parking_send(struct con_parking *parking);
/* The first attempt to reach the broker has ended. */
bool con_parking_has_tried(const struct con_parking *parking);
bool con_parking_is_up(const struct con_parking *parking);

#endif
