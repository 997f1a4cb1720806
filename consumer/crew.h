/*
 * crew - all workers of the process: made, told what operators have set, asked how they are.
 *
 * Nobody takes a delivery before the orders have been read once (con_crew_obey), so that a paused subsystem stays paused over a restart.
 * Threads: one loop.
 */
#ifndef CONSUMER_CREW_H
#define CONSUMER_CREW_H

#include "consumer/alarm.h"
#include "consumer/clerk.h"
#include "consumer/config.h"
#include "consumer/hand.h"
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
    struct con_hand *hand; /* what the control socket was told */
};

struct con_crew *con_crew_new(const struct con_crew_opts *opts, struct sl_err *err) SL_MUST;
/* Closes everything at once. Accepts NULL. */
void con_crew_free(struct con_crew *crew);

/* When the queue of replays of the i-th chosen subsystem was seen to be there (monotonic); 0: it is not, or nobody knows. Counts from the next orders on. */
void con_crew_note_replays(struct con_crew *crew, size_t i, int64_t seen_ms);
void con_crew_obey(struct con_crew *crew, const struct con_orders *orders);
/* The process wrote to the database, beside its workers: con_fuse_wrote. */
void con_crew_wrote(struct con_crew *crew);
/* Of the i-th chosen subsystem; waiting is not the crew's to know. */
void con_crew_standing(const struct con_crew *crew, size_t i, struct con_standing *out_standing);

/* The database's breaker, into an array that is begun, when it is not closed. */
void con_crew_show_database(const struct con_crew *crew, struct sl_json_writer *json);

size_t con_crew_count(const struct con_crew *crew);
bool con_crew_has_tried(const struct con_crew *crew);
bool con_crew_is_well(const struct con_crew *crew);
/* Names of the paused subsystems, separated by commas; "" when none is. */
const char *con_crew_paused(const struct con_crew *crew);
/* Deliveries not settled yet. */
size_t con_crew_held(const struct con_crew *crew);
/* Takes nothing more, finishes what it has as far as parting says, gives the rest back. drain_ms: until the process ends. */
void con_crew_drain(struct con_crew *crew, int64_t drain_ms);
/* Deliveries given back to their queues since the start. */
int64_t con_crew_returned(const struct con_crew *crew);
/* Deliveries since the start that had been delivered before, as x-delivery-count says. */
int64_t con_crew_redelivered(const struct con_crew *crew);
/* Ask again and again. */
bool con_crew_is_drained(struct con_crew *crew);

#endif
