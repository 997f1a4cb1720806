/*
 * clerk - reads what operators have set (sluice_control) and which breakers are open elsewhere (sluice_consumer), and writes what this process does (sluice_consumer), about every second.
 *
 * On a link of its own, so that a long transaction of a worker keeps nobody waiting. While Postgres is away the last orders stand, and end when
 * their time is over. Every few seconds it also closes the dead letters whose replay the inbox proves done, and counts the open ones.
 * Refuses: carrying an order out (on_orders tells the owner).
 * Threads: one loop.
 */
#ifndef CONSUMER_CLERK_H
#define CONSUMER_CLERK_H

#include "consumer/orders.h"
#include "shared/json/json_write.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/metrics.h"

struct con_clerk;

/* One subsystem in this process. */
struct con_standing {
    int64_t workers; /* that take deliveries */
    int64_t workers_max;
    bool is_paused; /* by an order, and at rest */
    int64_t batch;
    int64_t attempts;
    int64_t held;
    int64_t settled; /* since the start */
    int64_t failed;
    int64_t oldest_us; /* received; 0: nothing in hand */
    int64_t waiting;   /* -1: not known */
    int64_t
        apply_us; /* that a transaction takes lately, of the slowest worker; 0: there was none */
    struct sl_json_writer
        *breakers; /* of the caller: an array that is begun; those that are not closed go into it */
};

struct con_clerk_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const char *database_url;
    const char *service;
    const struct sl_subsystem *const *subsystems;
    size_t subsystem_count;

    void *arg;
    void (*look)(void *arg, size_t subsystem, struct con_standing *out_standing);
    /* About every second, whether something changed or not. */
    void (*on_orders)(void *arg, const struct con_orders *orders);
    /* The process's row was committed: the database can be written. */
    void (*on_wrote)(void *arg);
};

struct con_clerk *con_clerk_new(const struct con_clerk_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void con_clerk_free(struct con_clerk *clerk);
/* Takes the process's rows out of sluice_consumer, so that nobody waits for it. */
void con_clerk_leave(struct con_clerk *clerk);
/* They are out, or cannot be taken out. */
bool con_clerk_has_left(const struct con_clerk *clerk);

#endif
