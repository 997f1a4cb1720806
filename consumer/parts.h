/*
 * parts - what a consumer is made of between two readings of its configuration: workers, clerk, parker and the rest, on one loop.
 *
 * A new configuration is a new set of parts: the old one drains, as for a stop, and is closed; then the new one begins. So everything that can be said to a consumer
 * is read again, and no delivery is dropped.
 * Threads: one loop.
 */
#ifndef CONSUMER_PARTS_H
#define CONSUMER_PARTS_H

#include "consumer/config.h"
#include "consumer/hand.h"
#include "shared/json/json_write.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/metrics.h"

struct con_parts;

struct con_parts_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct con_config *config;
    const char *service;
    struct con_hand *hand; /* what the control socket was told */
};

/* Links connect by themselves, for ever. */
struct con_parts *con_parts_new(const struct con_parts_opts *opts, struct sl_err *err) SL_MUST;
/* Closes everything at once. Accepts NULL. */
void con_parts_free(struct con_parts *parts);

/* Workers, and deliveries not settled yet. */
size_t con_parts_workers(const struct con_parts *parts);
size_t con_parts_held(const struct con_parts *parts);
/* Deliveries given back to their queues since the start. */
int64_t con_parts_returned(const struct con_parts *parts);
/* Deliveries since the start that had been delivered before. */
int64_t con_parts_redelivered(const struct con_parts *parts);
/* The first attempts to reach broker and database, and to read what operators have set, have ended, up or failed. */
bool con_parts_have_tried(const struct con_parts *parts);
bool con_parts_are_well(const struct con_parts *parts);
/* Names of the paused subsystems, separated by commas. */
const char *con_parts_paused(const struct con_parts *parts);

/* The database's breaker, into an array that is begun, when it is not closed. */
void con_parts_show_database(const struct con_parts *parts, struct sl_json_writer *json);

/* Takes nothing more and finishes what is in hand, for at most drain_ms. */
void con_parts_drain(struct con_parts *parts, int64_t drain_ms);
/* Nothing is in hand, and what this process does is no longer in its table. Ask again and again. */
bool con_parts_have_left(struct con_parts *parts);

SL_DEFINE_AUTO(struct con_parts *, con_parts_free)

#endif
