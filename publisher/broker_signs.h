/*
 * broker_signs - the log lines and gauges that say how the broker is.
 *
 * One line for each thing that happens to the broker, one gauge for each question an alert asks. With several loops a lost link is one line each, as each is
 * tried again by itself; the other lines come once for all: blocked or degraded with the first, up again with the last. Knows nothing of the link itself.
 * Refuses: deciding anything.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_BROKER_SIGNS_H
#define PUBLISHER_BROKER_SIGNS_H

#include "publisher/board.h"
#include "shared/amqp/amqp_link.h"
#include "shared/log.h"
#include "shared/metrics.h"

struct pub_broker_signs {
    struct sl_log *log;
    struct sl_metrics *metrics;
    struct pub_board *board;
    size_t loop;
    bool is_news; /* what was shown last changed how the publisher is, not this loop alone */
    struct sl_series *up;
    struct sl_series *blocked;
    struct sl_series *degraded;
    struct sl_series *outages[PUB_OUTAGES];
};

void pub_broker_signs_init(struct pub_broker_signs *signs, struct sl_log *log,
                           struct sl_metrics *metrics, struct pub_board *board, size_t loop);
/* What this loop is goes on the board, and what all are into the gauges. */
void pub_broker_signs_show(struct pub_broker_signs *signs, enum sl_amqp_state link,
                           enum pub_outage outage, bool is_confirming, bool has_tried);

/* The lines. away_ms: how long the outage was that has ended, or is now; 0: there was none. */
void pub_broker_signs_up(struct pub_broker_signs *signs, int64_t away_ms);
void pub_broker_signs_down(struct pub_broker_signs *signs, const struct sl_err *why,
                           int64_t wait_ms);
void pub_broker_signs_blocked(struct pub_broker_signs *signs, struct sl_span reason);
void pub_broker_signs_stalled(struct pub_broker_signs *signs, struct sl_span reason);
void pub_broker_signs_unblocked(struct pub_broker_signs *signs, int64_t away_ms);
void pub_broker_signs_degraded(struct pub_broker_signs *signs, int64_t away_ms);

#endif
