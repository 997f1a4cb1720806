/*
 * watch - one link of the consumer as the log and the gauges show it.
 *
 * One line when it comes up, one per failure; sluice_broker_up or sluice_pg_up beside it. A queue that does not exist is said with
 * the command that makes it.
 * Refuses: acting on the link.
 * Threads: one loop.
 */
#ifndef CONSUMER_WATCH_H
#define CONSUMER_WATCH_H

#include "shared/amqp/amqp_link.h"
#include "shared/log.h"
#include "shared/metrics.h"

struct con_watch {
    struct sl_log *log;         /* borrowed */
    struct sl_metrics *metrics; /* borrowed */
    bool is_broker;             /* else Postgres */
    char name[96];              /* "billing.consume": the label of the gauges */
    struct sl_series *up;
};

void con_watch_init(struct con_watch *watch, struct sl_log *log, struct sl_metrics *metrics,
                    bool is_broker, const char *owner, const char *role);
void con_watch_up(struct con_watch *watch);
void con_watch_down(struct con_watch *watch, const struct sl_err *why, int64_t wait_ms);
/* The last good papers serve on (shared/amqp/amqp_papers.h). */
void con_watch_papers(struct con_watch *watch, const struct sl_err *why);
/* state: of the link that has told. */
void con_watch_blocked(struct con_watch *watch, enum sl_amqp_state state, struct sl_span reason);

#endif
