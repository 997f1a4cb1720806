#include "publisher/outcome.h"

static void report(struct pub_outcomes *outcomes, const char *name, const char *kept,
                   const char *msg, const struct pub_degraded *event);

void pub_outcome_count(struct sl_metrics *metrics, const char *source, enum pub_answer answer)
{
    sl_series_add(
        sl_metrics_series(metrics, SL_M_EVENTS_RECEIVED, source, pub_answer_row(answer)->outcome),
        1);
}

void pub_outcome_journaled(struct pub_outcomes *outcomes, const struct pub_degraded *event)
{
    outcomes->journaled++;
    report(outcomes, "publish.journaled", "journal",
           "the broker is away; the event is in the journal and will be published", event);
}

void pub_outcome_dropped(struct pub_outcomes *outcomes, const struct pub_degraded *event)
{
    outcomes->dropped++;
    report(outcomes, "publish.dropped", "none",
           "the broker is away; the event was dropped, as the policy says", event);
}

static void report(struct pub_outcomes *outcomes, const char *name, const char *kept,
                   const char *msg, const struct pub_degraded *event)
{
    const struct sl_envelope *envelope = event->envelope;
    sl_loss(outcomes->log, (enum sl_level)outcomes->levels->degraded, name, msg,
            sl_bool("degraded", true), sl_str("kept", kept), sl_text("event_id", envelope->id),
            sl_text("event_type", envelope->type), sl_text("source", envelope->source),
            sl_int("body_bytes", (int64_t)envelope->body.bytes),
            sl_str("body_sha256", event->body_sha256), sl_str("reason", event->reason));
    sl_sentry_count(outcomes->sentry, envelope->source, envelope->type, event->reason);
}

void pub_outcome_refused(struct pub_outcomes *outcomes, const struct pub_degraded *event)
{
    const struct sl_envelope *envelope = event->envelope;
    sl_warn(outcomes->log, "publish.refused",
            "nothing durable could be done; answered 503, the sender retries",
            sl_text("event_id", envelope->id), sl_text("event_type", envelope->type),
            sl_text("source", envelope->source), sl_str("reason", event->reason),
            sl_str("error", event->why == NULL ? NULL : event->why->text));
}
