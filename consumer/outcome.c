#include "consumer/outcome.h"

#include <string.h>

#include "consumer/departure.h"
#include "consumer/fate.h"
#include "shared/clock.h"
#include "shared/digest.h"

static struct con_fate decide(const struct con_outcome *outcome,
                              const struct con_delivery *delivery, const struct con_event *event);
static bool is_read(const struct con_event *event);
static bool is_own_fault(struct con_fate fate);

void con_outcome_init(struct con_outcome *outcome, struct sl_metrics *metrics)
{
    const char *subsystem = outcome->subsystem->name;
    for (enum con_verdict verdict = CON_APPLIED; verdict <= CON_DUPLICATE; verdict++) {
        outcome->counts[verdict] =
            sl_metrics_series(metrics, SL_M_DELIVERIES, subsystem, con_verdict_name(verdict));
    }
    outcome->lag = sl_metrics_series(metrics, SL_M_EVENT_LAG_SECONDS, subsystem, NULL);
}

void con_outcome_decided(struct con_outcome *outcome, struct con_delivery *delivery,
                         const struct con_event *event)
{
    SL_ASSERT(event->verdict >= CON_APPLIED && event->verdict <= CON_DUPLICATE);
    sl_series_add(outcome->counts[event->verdict], 1);
    if (event->verdict != CON_DUPLICATE) {
        sl_series_observe_us(outcome->lag, sl_clock_wall_us() - event->envelope.received_at_us);
        con_lane_passed(outcome->lane, event);
    }
    delivery->state = CON_DELIVERY_SETTLED;
}

void con_outcome_failed(struct con_outcome *outcome, struct con_delivery *delivery,
                        const struct con_event *event)
{
    struct con_fate fate = decide(outcome, delivery, event);
    if (is_own_fault(fate)) {
        delivery->departure = con_lane_failed(outcome->lane, delivery, event);
    }
    if (delivery->departure == NULL) {
        delivery->departure =
            con_departure_new(delivery, is_read(event) ? &event->envelope : NULL, &event->why,
                              event->code, fate, sl_clock_wall_us() / 1000);
    }
    if (delivery->departure != NULL) {
        delivery->state = CON_DELIVERY_LEAVING;
    }
}

static struct con_fate decide(const struct con_outcome *outcome,
                              const struct con_delivery *delivery, const struct con_event *event)
{
    const struct con_try failed = { .code = event->why.code,
                                    .sqlstate = event->code,
                                    .has_event = is_read(event),
                                    .attempt = delivery->attempt,
                                    .retry_after_s = event->retry_after_s };
    const struct con_fate_policy policy = {
        .attempts = outcome->attempts_max,
        .backoff_ms = outcome->subsystem->backoff_ms,
        .backoff_max_ms = outcome->subsystem->backoff_max_ms,
    };
    uint64_t random = 0;
    bool is_random = sl_random_bytes(&random, sizeof random);
    return con_fate_decide(&failed, &policy, is_random ? random : 0);
}

static bool is_read(const struct con_event *event)
{
    return event->envelope.id.data != NULL;
}

/* Such failures, and no others, say something about the type. */
static bool is_own_fault(struct con_fate fate)
{
    return strcmp(fate.error_class, "item") == 0 || strcmp(fate.error_class, "permanent") == 0;
}

void con_outcome_gone(struct con_outcome *outcome, const struct con_delivery *delivery)
{
    const struct con_departure *departure = delivery->departure;
    if (departure->wait_s == 0 && departure->error_class != NULL) {
        con_alarm_given_up(outcome->alarm, outcome->subsystem, departure->type);
    }
    con_attempts_note(outcome->attempts, outcome->subsystem->name, delivery);
}
