/*
 * parker - copies dead letters from their queues into the table sluice_dead_letter, where people search, replay and discard them.
 *
 * One per process: it consumes the parking queue of every subsystem the process runs, and the unrouted queue, on one connection, and writes
 * with another. A message is acknowledged after its row is committed; one whose queue was deleted is nowhere else, and is written all the same. A letter that Postgres will not take is tried alone, then without
 * anything that came from its event; the message itself is always kept.
 * Refuses: publishing; deciding why an event is dead (letter reads that from its headers).
 * Threads: one loop.
 */
#ifndef CONSUMER_PARKER_H
#define CONSUMER_PARKER_H

#include "consumer/teller.h"
#include "shared/amqp/amqp_url.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/metrics.h"
#include "shared/subsystem/subsystems.h"

struct con_parker;

struct con_parker_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_amqp_url *amqp;
    const char *database_url;
    const char *service;
    struct con_teller *teller; /* is nudged when letters are stored */
    const struct sl_subsystem *const *subsystems;
    size_t subsystem_count;
};

struct con_parker *con_parker_new(const struct con_parker_opts *opts, struct sl_err *err) SL_MUST;
/* Closes everything at once; what is not acknowledged comes again. Accepts NULL. */
void con_parker_free(struct con_parker *parker);
bool con_parker_is_well(const struct con_parker *parker);
/* Takes nothing more. */
void con_parker_drain(struct con_parker *parker);
/* No row is being written. */
bool con_parker_is_drained(const struct con_parker *parker);

#endif
