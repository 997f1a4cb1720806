/*
 * dev_supervise - starts the local stack and keeps it running until told to stop.
 *
 * Postgres and RabbitMQ start together; migrations run once Postgres serves, the topology once RabbitMQ does, publisher and consumer
 * after both. From then on a process that dies is named and started again, one that is held (hold/NAME) is stopped, and
 * the first signal ends everything in order: publisher, consumer, servers. The second signal ends it at once.
 * While starting, a process that ends with a status of 64 to 78 (wrong set-up), or one that does not serve in time, ends the whole start
 * with the last lines of its log.
 * Threads: one, no libevent: a tick every 100 ms or on a signal.
 */
#ifndef OPS_DEV_SUPERVISE_H
#define OPS_DEV_SUPERVISE_H

#include "ops/dev/dev_home.h"
#include "ops/dev/dev_kind.h"

struct dev_supervise_opts {
    bool servers_only;
    bool with_demo;       /* run the demonstration once everything serves */
    bool ends_after_demo; /* then stop, with its exit status */
    unsigned demo_count;
};

/* Runs until stopped; the exit status of the command. The lock is held and the home prepared. */
int dev_supervise(const struct dev_home *home, const struct dev_supervise_opts *opts);

#endif
