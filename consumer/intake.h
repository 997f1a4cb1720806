/*
 * intake - the queues that a worker takes deliveries from: its work queue, and behind it that of replays.
 *
 * Begins and ends consuming when the worker says so, under a tag that is new each time, and knows when nothing more can come: a quorum queue's deliveries can come behind cancel-ok (seen with
 * RabbitMQ 3.10.8: the channel had them in its mailbox), and a question about the queue is answered behind them.
 * A queue of replays is consumed once it has been seen to be there, since a queue that is not ends the connection.
 * Refuses: deciding when (worker), and what a delivery is (desk).
 * Threads: one worker.
 */
#ifndef CONSUMER_INTAKE_H
#define CONSUMER_INTAKE_H

#include "shared/amqp/amqp_link.h"
#include "shared/log.h"
#include "shared/subsystem/subsystems.h"

#define CON_INTAKE_TAG_BYTES (SL_SUBSYSTEM_NAME_BYTES + 32u)

struct con_intake {
    struct sl_log *log; /* borrowed, as these */
    struct sl_amqp_link *broker;
    const struct sl_subsystem *subsystem;
    const char *owner; /* the worker's name */

    char tag[CON_INTAKE_TAG_BYTES];
    char replay_tag[CON_INTAKE_TAG_BYTES];
    unsigned tags;
    unsigned cancels;        /* that the broker has not answered */
    int64_t replays_seen_ms; /* monotonic: their queue was there */
    int64_t replays_lost_ms; /* a queue was not; it is believed to be when it was seen after that */
    bool is_on;
    bool is_on_replays;
    bool is_narrow;        /* one message at a time of each, whatever the section says */
    bool is_queue_missing; /* when last tried; the next start is told with its first delivery */
    bool is_awaiting;      /* the broker has not said yet that nothing more comes */
    bool has_asked;        /* it, since nothing is in hand */
};

/* Begins, unless it has; without a connection nothing happens. is_narrow: one message at a time of each queue, until it is widened. */
void con_intake_begin(struct con_intake *intake, bool is_narrow);
/* Where the work queue is consumed: that of replays too, if it is there. */
void con_intake_begin_replays(struct con_intake *intake, int64_t seen_ms);
/* Where it is consumed one at a time: as many as the section says from now on. */
void con_intake_widen(struct con_intake *intake);
/* Takes nothing more. What was on its way still arrives. */
void con_intake_end(struct con_intake *intake);

/* What the link tells its owner. must_ask: nothing may come any more that is not known of. */
void con_intake_delivered(struct con_intake *intake);
void con_intake_stopped(struct con_intake *intake, bool must_ask);
void con_intake_lost(struct con_intake *intake, const struct sl_err *why);

/* Ask again and again while nothing is in hand, else say so with con_intake_busy: true once the broker has said that it has read everything and nothing more comes. */
bool con_intake_is_still(struct con_intake *intake);
void con_intake_busy(struct con_intake *intake);

#endif
