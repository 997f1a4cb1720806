/*
 * outcome - the log lines and counters that say how an event ended.
 *
 * Each event is counted once in sluice_events_received_total by how it was answered. An event that took the policy path is one log line,
 * publish.journaled, publish.dropped or publish.refused, with what an audit needs: id, type, source, size, SHA-256 and reason. The first two report degradation:
 * they are never sampled, their level is EVENTBUS_DEGRADED_LOG_LEVEL whatever LOG_LEVEL says, and Sentry counts as many as there are lines.
 * Refuses: bodies in a log.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_OUTCOME_H
#define PUBLISHER_OUTCOME_H

#include "publisher/answer.h"
#include "publisher/levels.h"
#include "shared/event/envelope.h"
#include "shared/log.h"
#include "shared/metrics.h"
#include "shared/sentry/sentry.h"

struct pub_outcomes {
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct pub_levels *levels;
    struct sl_sentry *sentry; /* NULL: none */
    uint64_t journaled;
    uint64_t dropped;
};

/* One event that could not be confirmed, and what was done about it. */
struct pub_degraded {
    const struct sl_envelope *envelope;
    const char *reason; /* why the broker did not confirm it: "broker_waiting", "timeout", … */
    const char *body_sha256;  /* hex */
    const struct sl_err *why; /* of a refusal: what else failed; else NULL */
};

void pub_outcome_count(struct sl_metrics *metrics, const char *source, enum pub_answer answer);
void pub_outcome_journaled(struct pub_outcomes *outcomes, const struct pub_degraded *event);
void pub_outcome_dropped(struct pub_outcomes *outcomes, const struct pub_degraded *event);
/* Answered 503: nothing is lost, the sender has it still. */
void pub_outcome_refused(struct pub_outcomes *outcomes, const struct pub_degraded *event);

#endif
