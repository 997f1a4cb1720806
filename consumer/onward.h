/*
 * onward - brings deliveries that failed to where they go next, a delay level or the dead letters, before their originals are acknowledged.
 *
 * Law: publish on a connection of its own, wait until the broker has confirmed and not returned it, only then call the original settled.
 * Anything else (nack, return, timeout, lost connection) keeps the original unacknowledged and tries again, after a backoff or when
 * the link is up. A crash in between makes a second copy, never a loss: the inbox, and the open-uniqueness of sluice_dead_letter, absorb it.
 * Refuses: deciding where to (fate does), acknowledging (on_gone tells the owner to).
 * Threads: one loop.
 */
#ifndef CONSUMER_ONWARD_H
#define CONSUMER_ONWARD_H

#include "consumer/batch.h"
#include "consumer/watch.h"
#include "shared/amqp/amqp_link.h"

struct con_onward;

struct con_onward_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_amqp_url *amqp;
    const char *subsystem;
    const char *queue; /* the subsystem's, for the log */
    const char *owner; /* names the link in log, gauges and the broker's tools */
    const char *connection_name;
    struct con_batch *batch; /* its LEAVING deliveries are ours to publish */

    void *arg;
    /* A LEAVING delivery has arrived where it goes, and is SETTLED now. */
    void (*on_gone)(void *arg, const struct con_delivery *delivery);
};

struct con_onward *con_onward_new(const struct con_onward_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void con_onward_free(struct con_onward *onward);
/* There may be new LEAVING deliveries in the batch. */
void con_onward_send(struct con_onward *onward);
bool con_onward_is_up(const struct con_onward *onward);

#endif
