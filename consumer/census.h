/*
 * census - asks the broker every few seconds how many messages wait in each queue, and shows it as gauges.
 *
 * On a connection of its own: asking about a queue that does not exist ends the channel, which must not end anybody's work. Asks one queue after the
 * other, passively: nothing is created, nothing is taken out.
 * It is also who knows whether a subsystem's queue of replays is there: a topology that is older than that queue has none.
 * Refuses: what the broker does not tell so (messages in consumers' hands, rates): see `sluice queue list` for those.
 * Threads: one loop.
 */
#ifndef CONSUMER_CENSUS_H
#define CONSUMER_CENSUS_H

#include "shared/amqp/amqp_url.h"
#include "shared/log.h"
#include "shared/loop.h"
#include "shared/metrics.h"
#include "shared/subsystem/subsystems.h"

struct con_census;

struct con_census_opts {
    struct sl_loop *loop; /* borrowed, as everything here */
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_amqp_url *amqp;
    const char *service;
    const struct sl_subsystem *const *subsystems;
    size_t subsystem_count;
};

struct con_census *con_census_new(const struct con_census_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void con_census_free(struct con_census *census);
/* Messages that wait in the queue of subsystems[i], as the broker said within the last CON_CENSUS_FRESH_MS; -1: not known. */
#define CON_CENSUS_FRESH_MS 20000
int64_t con_census_waiting(const struct con_census *census, size_t i);
/* When the broker said last that subsystems[i] has its queue of replays (monotonic); 0: it has none, or did not say yet. */
int64_t con_census_replays_seen_ms(const struct con_census *census, size_t i);

#endif
