/*
 * crew - all workers of the process: made, told what operators have set, asked how they are.
 *
 * Nobody takes a delivery before the orders have been read once (con_crew_obey), so that a paused subsystem stays paused over a restart.
 * Threads: one loop.
 */
#ifndef CONSUMER_CREW_H
#define CONSUMER_CREW_H

#include "consumer/clerk.h"
#include "consumer/config.h"
#include "consumer/worker.h"

struct con_crew;

struct con_crew_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct con_config *config;
    const char *service;
    struct con_attempts *attempts;
    struct con_alarm *alarm;
};

struct con_crew *con_crew_new(const struct con_crew_opts *opts, struct sl_err *err) SL_MUST;
/* Closes everything at once. Accepts NULL. */
void con_crew_free(struct con_crew *crew);

void con_crew_obey(struct con_crew *crew, const struct con_orders *orders);
/* Of the i-th chosen subsystem; waiting is not the crew's to know. */
void con_crew_standing(const struct con_crew *crew, size_t i, struct con_standing *out_standing);

size_t con_crew_count(const struct con_crew *crew);
bool con_crew_has_tried(const struct con_crew *crew);
bool con_crew_is_well(const struct con_crew *crew);
/* Names of the paused subsystems, separated by commas; "" when none is. */
const char *con_crew_paused(const struct con_crew *crew);
/* Deliveries not settled yet. */
size_t con_crew_held(const struct con_crew *crew);
/* Takes nothing more, ends the running transactions, gives back what was not started. */
void con_crew_drain(struct con_crew *crew);
bool con_crew_is_drained(const struct con_crew *crew);

#endif
