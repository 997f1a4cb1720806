/*
 * outcome - what a try of an event came to, written down: counted, and the delivery marked with where it goes from here.
 *
 * What was applied is SETTLED. What failed gets its departure and is LEAVING: to its next try or to the dead letters, as fate says, unless its type is held (lane).
 * Refuses: publishing (onward does) and acknowledging (receipt does).
 * Threads: one loop.
 */
#ifndef CONSUMER_OUTCOME_H
#define CONSUMER_OUTCOME_H

#include "consumer/alarm.h"
#include "consumer/attempts.h"
#include "consumer/batch.h"
#include "consumer/event.h"
#include "consumer/lane.h"
#include "shared/metrics.h"
#include "shared/subsystem/subsystems.h"

struct con_outcome {
    const struct sl_subsystem *subsystem;        /* borrowed, as everything here */
    struct con_lane *lane;                       /* told of what passes and what fails by itself */
    struct con_alarm *alarm;                     /* told of what is given up */
    struct con_attempts *attempts;               /* told of each failed try */
    int64_t attempts_max;                        /* tries in all, as operators have set it */
    struct sl_series *counts[CON_DUPLICATE + 1]; /* by verdict; PENDING has none */
    struct sl_series *lag;                       /* from the event's receipt to its commit */
};

/* Fills in the rest of what the caller has set: the borrowed ones. */
void con_outcome_init(struct con_outcome *outcome, struct sl_metrics *metrics);

/* Committed: APPLIED, STALE, IGNORED or DUPLICATE. */
void con_outcome_decided(struct con_outcome *outcome, struct con_delivery *delivery,
                         const struct con_event *event);
/* Failed by itself. Without memory for its departure the delivery stays as it is. */
void con_outcome_failed(struct con_outcome *outcome, struct con_delivery *delivery,
                        const struct con_event *event);
/* What was LEAVING has arrived where it goes. */
void con_outcome_gone(struct con_outcome *outcome, const struct con_delivery *delivery);

#endif
