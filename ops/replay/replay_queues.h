/*
 * replay_queues - the queues a run's copies go to: are they there, does anybody read them, how much waits in them.
 *
 * Refuses: declaring anything; it only asks.
 * Threads: one.
 */
#ifndef OPS_REPLAY_QUEUES_H
#define OPS_REPLAY_QUEUES_H

#include "ops/broker.h"
#include "ops/pg_session.h"

/*
 * Each subsystem in the first column of rows has its queue of replays, or SL_E_AMQP_NOT_FOUND names it: a copy for a queue that does not exist would come back as
 * unrouted. A queue that nobody reads is told on stderr.
 */
bool ops_replay_queues_check(struct ops_broker *broker, const struct ops_pg_rows *subsystems,
                             struct sl_err *err) SL_MUST;
/* Somebody consumes each of them, or SL_E_AMQP_NOT_UP names the first that nobody does; a queue that is missing as above. */
bool ops_replay_queues_are_consumed(struct ops_broker *broker, const struct ops_pg_rows *subsystems,
                                    struct sl_err *err) SL_MUST;
/* Live events that wait in the subsystems' work queues, together; -1 when the broker does not say. */
int64_t ops_replay_queues_depth(struct ops_broker *broker, const struct ops_pg_rows *subsystems);

#endif
