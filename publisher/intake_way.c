#include "publisher/intake_parts.h"

#include <string.h>

#include "publisher/facts/body_shape.h"
#include "publisher/refuse.h"
#include "shared/clock.h"

/* So long after the last nack or return the broker does not count as confirming, although it is connected. */
#define REFUSING_MS 3000

static bool take(struct pub_intake *intake, const struct pub_source *source,
                 struct pub_waiter waiter);
static void go_on(struct pub_intake *intake, struct pub_event *event, const struct sl_err *before);
static bool start_deed(struct pub_intake *intake, struct pub_event *event, enum pub_deed deed,
                       struct sl_err *err);
static bool journal(struct pub_intake *intake, struct pub_event *event, struct sl_err *err);
static void copy_id(struct pub_event *event, struct sl_span id);
static void compare_claim(struct pub_intake *intake, const struct pub_event *event);
static bool publish(struct pub_intake *intake, struct pub_event *event, struct sl_err *err);

void pub_intake_take(struct pub_intake *intake, const struct pub_source *source,
                     struct sl_http_request *request)
{
    struct pub_waiter waiter = { .request = request };
    if (!take(intake, source, waiter)) {
        pub_refuse(request, PUB_OVERLOADED);
    }
}

void pub_intake_take_batch(struct pub_intake *intake, const struct pub_source *source,
                           struct pub_batch *batch)
{
    for (size_t i = 0; i < batch->production.count; i++) {
        struct pub_waiter waiter = { .batch = batch, .place = i };
        sl_series_add(
            sl_metrics_series(intake->opts.metrics, SL_M_EVENTS_TAKEN, source->name, NULL), 1);
        if (batch->production.items[i].fault != NULL) {
            pub_outcome_count(intake->opts.metrics, source->name, batch->answers[i]);
        } else if (!take(intake, source, waiter)) {
            pub_batch_settle(batch, i, PUB_OVERLOADED, true);
        }
    }
    pub_batch_end(batch);
}

/* False when all places are taken. */
static bool take(struct pub_intake *intake, const struct pub_source *source,
                 struct pub_waiter waiter)
{
    struct pub_event *event =
        pub_pending_take(&intake->pending, waiter, source, sl_clock_mono_ms());
    if (event == NULL) {
        pub_outcome_count(intake->opts.metrics, source->name, PUB_OVERLOADED);
        return false;
    }
    sl_series_add(intake->inflight, 1);
    if (!sl_timer_is_armed(intake->late_timer)) {
        sl_timer_arm(intake->late_timer, intake->opts.answer_ms);
    }
    go_on(intake, event, NULL);
    return true;
}

/* Tries the policy's deeds in turn, until one is under way or the event has ended. */
static void go_on(struct pub_intake *intake, struct pub_event *event, const struct sl_err *before)
{
    struct sl_err why = { 0 };
    if (before != NULL) {
        why = *before;
    }
    for (;;) {
        const struct pub_means means =
            pub_intake_means(intake, pub_intake_broker_state(intake) == SL_AMQP_UP);
        enum pub_policy policy = pub_policy_of(intake->opts.policies, event->source->name);
        enum pub_deed deed = pub_policy_decide(policy, &means, event->failed);
        if (!means.has_broker && event->reason == NULL) {
            event->reason =
                intake->broker == NULL ? "closing" : pub_outage_name(pub_intake_outage(intake));
        }
        if (deed == PUB_DEED_REFUSE) {
            pub_intake_end(intake, event, PUB_UNAVAILABLE, why.text[0] == '\0' ? NULL : &why);
            return;
        }
        if (start_deed(intake, event, deed, &why)) {
            return;
        }
        event->failed |= 1u << deed;
        if (event->reason == NULL) {
            event->reason = why.code == SL_E_AMQP_TOO_LARGE ? "too_large" : "not_sent";
        }
    }
}

/* True: it goes on with a callback, or the event has ended. */
static bool start_deed(struct pub_intake *intake, struct pub_event *event, enum pub_deed deed,
                       struct sl_err *err)
{
    if (!pub_wrap_event(&intake->wrap, event, err)) {
        return false;
    }
    if (event->id[0] == '\0' && event->waiter.request != NULL) {
        compare_claim(intake, event);
    }
    copy_id(event, intake->wrap.envelope.id);
    switch (deed) {
    case PUB_DEED_PUBLISH:
        return publish(intake, event, err);
    case PUB_DEED_JOURNAL:
        return journal(intake, event, err);
    case PUB_DEED_DROP:
        return pub_intake_drop(intake, event, err);
    case PUB_DEED_REFUSE:
    case PUB_DEEDS:
        break;
    }
    return sl_fail(err, SL_E_BUG, "no such deed");
}

static bool journal(struct pub_intake *intake, struct pub_event *event, struct sl_err *err)
{
    struct sl_span payload = sl_buf_span(&intake->wrap.bytes);
    uint64_t received_ns = (uint64_t)intake->wrap.envelope.received_at_us * 1000;
    uint64_t cookie = pub_pending_cookie(&intake->pending, event);
    return intake->opts.first == NULL
               ? sl_journal_append(intake->stores->journal, payload, event->source->number,
                                   received_ns, cookie, err)
               : pub_keep_append(&intake->keep, payload, event->source->number, received_ns, cookie,
                                 err);
}

static void copy_id(struct pub_event *event, struct sl_span id)
{
    SL_ASSERT(id.bytes < sizeof event->id); /* it is in an envelope */
    memcpy(event->id, id.data, id.bytes);
    event->id[id.bytes] = '\0';
}

/* What an unsigned header claims about the event that is in the wrap: counted, never believed. */
static void compare_claim(struct pub_intake *intake, const struct pub_event *event)
{
    enum { SHOWN_BYTES_MAX = 64 };
    const struct sl_fact_rules *facts = &event->source->rules->facts;
    struct sl_span type = intake->wrap.envelope.type;
    struct sl_span claim = { NULL, 0 };
    if (facts->claim_header != NULL) {
        claim = sl_http_field(sl_http_request_head(event->waiter.request), facts->claim_header);
    }
    if (claim.data == NULL) {
        return;
    }
    bool fits = pub_claim_fits(facts->shape, claim, type);
    sl_series_add(sl_metrics_series(intake->opts.metrics, SL_M_CLAIMS, event->source->name,
                                    fits ? "fits" : "differs"),
                  1);
    claim.bytes = claim.bytes > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : claim.bytes;
    if (!fits) {
        sl_info(intake->opts.log, "webhook.claim_differs",
                "an unsigned header claims another type than the body; the body counts",
                sl_str("source", event->source->name), sl_text("event_type", type),
                sl_text("claim", claim));
    }
}

static bool publish(struct pub_intake *intake, struct pub_event *event, struct sl_err *err)
{
    event->published_us = sl_clock_mono_us();
    const struct sl_amqp_message message = pub_wrap_message(&intake->wrap);
    return sl_amqp_publish(pub_broker_link(intake->broker), &message,
                           pub_pending_cookie(&intake->pending, event), err);
}

void pub_intake_on_settled(struct sl_amqp_link *link, uint64_t cookie,
                           enum sl_publish_outcome outcome, void *arg)
{
    (void)link;
    struct pub_intake *intake = arg;
    sl_series_add(sl_metrics_series(intake->opts.metrics, SL_M_PUBLISH,
                                    sl_publish_outcome_name(outcome), NULL),
                  1);
    if (outcome == SL_PUBLISH_NACKED || outcome == SL_PUBLISH_RETURNED) {
        sl_timer_arm(intake->refusing, REFUSING_MS);
        pub_intake_show_broker(intake);
    }
    if (cookie >= PUB_REPLAY_COOKIE) {
        pub_replay_settled(intake->replay, cookie, outcome);
        return;
    }
    struct pub_event *event = pub_pending_at(&intake->pending, cookie);
    if (event->is_abandoned) {
        pub_intake_forget(intake, event, outcome == SL_PUBLISH_CONFIRMED ? "broker" : "none");
        return;
    }
    if (outcome == SL_PUBLISH_CONFIRMED) {
        sl_series_observe_us(intake->confirm_seconds, sl_clock_mono_us() - event->published_us);
        pub_intake_end(intake, event, PUB_CONFIRMED, NULL);
        return;
    }
    event->failed |= 1u << PUB_DEED_PUBLISH;
    event->reason = sl_publish_outcome_name(outcome);
    go_on(intake, event, NULL);
}

void pub_intake_on_appended(void *arg, uint64_t cookie, bool ok, const struct sl_err *why)
{
    struct pub_intake *intake = arg;
    if ((cookie & PUB_KEEP_COOKIE) != 0) {
        pub_keep_appended(cookie, ok, why);
        if (ok) {
            pub_intake_replay_ready(intake);
        }
        return;
    }
    struct pub_event *event = pub_pending_at(&intake->pending, cookie);
    if (event->is_abandoned) {
        pub_intake_forget(intake, event, ok ? "journal" : "none");
    } else if (ok) {
        pub_intake_end(intake, event, PUB_JOURNALED, NULL);
    } else {
        event->failed |= 1u << PUB_DEED_JOURNAL;
        go_on(intake, event, why);
    }
    if (ok) {
        pub_intake_replay_ready(intake);
    }
}
