#include "publisher/intake_parts.h"

#include "publisher/refuse.h"
#include "shared/clock.h"
#include "shared/digest.h"

static void end_late(struct pub_intake *intake, struct pub_event *event);
static void tell(struct pub_intake *intake, const struct pub_event *event, enum pub_answer answer,
                 const struct sl_err *why);
static bool describe(struct pub_intake *intake, const struct pub_event *event,
                     struct pub_degraded *out, char out_sha256[SL_SHA256_HEX_BYTES]);

bool pub_intake_drop(struct pub_intake *intake, struct pub_event *event, struct sl_err *err)
{
    struct pub_degraded lost = { 0 };
    char sha256[SL_SHA256_HEX_BYTES];
    if (!describe(intake, event, &lost, sha256)) {
        return sl_fail(err, SL_E_MEMORY, "cannot hash the body");
    }
    const struct pub_drop line = {
        .at_us = sl_clock_wall_us(),
        .id = lost.envelope->id,
        .type = lost.envelope->type,
        .source = lost.envelope->source,
        .body_bytes = lost.envelope->body.bytes,
        .body_sha256 = sha256,
        .reason = event->reason,
    };
    if (!pub_drops_write(&intake->stores->drops, &line, err)) {
        return false;
    }
    pub_intake_end(intake, event, PUB_DROPPED, NULL);
    return true;
}

/* Armed for the oldest request; looks again as long as one waits. */
void pub_intake_on_late(void *arg)
{
    struct pub_intake *intake = arg;
    int64_t now_ms = sl_clock_mono_ms();
    struct pub_event *event = NULL;
    while ((event = pub_pending_oldest(&intake->pending)) != NULL) {
        int64_t left_ms = event->taken_ms + intake->opts.answer_ms - now_ms;
        if (left_ms > 0) {
            sl_timer_arm(intake->late_timer, left_ms);
            return;
        }
        end_late(intake, event);
    }
}

/* What it waits for cannot be called off: it reports later, to pub_intake_forget(). */
static void end_late(struct pub_intake *intake, struct pub_event *event)
{
    struct sl_err why = { 0 };
    sl_fail(&why, SL_E_DEADLINE, "neither broker nor disk answered in time");
    pub_outcome_count(intake->opts.metrics, event->source->name, PUB_LATE);
    tell(intake, event, PUB_LATE, &why);
    pub_intake_answer(intake, pub_pending_abandon(&intake->pending, event), event->id, PUB_LATE);
}

/* Kept after all, it is a duplicate of what the sender sends again, and applied once. */
void pub_intake_forget(struct pub_intake *intake, struct pub_event *event, const char *kept)
{
    sl_series_add(sl_metrics_series(intake->opts.metrics, SL_M_EVENTS_LATE, kept, NULL), 1);
    pub_pending_forget(&intake->pending, event);
    sl_series_add(intake->inflight, -1);
}

/* The one place where an event is counted, logged and answered. */
void pub_intake_end(struct pub_intake *intake, struct pub_event *event, enum pub_answer answer,
                    const struct sl_err *why)
{
    pub_outcome_count(intake->opts.metrics, event->source->name, answer);
    if (answer != PUB_CONFIRMED) {
        tell(intake, event, answer, why);
    }
    struct pub_waiter waiter = pub_pending_release(&intake->pending, event);
    sl_series_add(intake->inflight, -1);
    pub_intake_answer(intake, waiter, event->id, answer);
}

/* id: of the event; read before anything else happens. */
void pub_intake_answer(struct pub_intake *intake, struct pub_waiter waiter, const char *id,
                       enum pub_answer answer)
{
    const struct pub_answer_row *row = pub_answer_row(answer);
    if (waiter.batch != NULL) {
        pub_batch_settle(waiter.batch, waiter.place, answer, intake->stores->is_durable);
        return;
    }
    if (row->body != NULL) {
        pub_refuse(waiter.request, answer);
        return;
    }
    sl_buf_reset(&intake->answer);
    pub_answer_received(answer, sl_span_of(id), intake->stores->is_durable, &intake->answer);
    sl_http_reply(waiter.request, &(struct sl_http_reply){ .status = row->status,
                                                           .body = sl_buf_span(&intake->answer) });
}

static void tell(struct pub_intake *intake, const struct pub_event *event, enum pub_answer answer,
                 const struct sl_err *why)
{
    char sha256[SL_SHA256_HEX_BYTES] = "";
    struct pub_degraded degraded = { .why = why };
    struct sl_err unread = { 0 };
    if (!pub_wrap_event(&intake->wrap, event, &unread) ||
        !describe(intake, event, &degraded, sha256)) {
        degraded.envelope =
            &intake->wrap
                 .envelope; /* as far as it could be read: the line is written all the same */
    }
    if (answer == PUB_JOURNALED) {
        pub_outcome_journaled(&intake->outcomes, &degraded);
    } else if (answer == PUB_DROPPED) {
        pub_outcome_dropped(&intake->outcomes, &degraded);
    } else {
        pub_outcome_refused(&intake->outcomes, &degraded);
    }
}

/* Of the event that is in the wrap. */
static bool describe(struct pub_intake *intake, const struct pub_event *event,
                     struct pub_degraded *out, char out_sha256[SL_SHA256_HEX_BYTES])
{
    uint8_t hash[SL_SHA256_BYTES];
    out->envelope = &intake->wrap.envelope;
    out->reason = event->reason;
    out->body_sha256 = out_sha256;
    if (!sl_sha256(intake->wrap.envelope.body, hash)) {
        out_sha256[0] = '\0';
        return false;
    }
    sl_hex_encode(hash, sizeof hash, out_sha256);
    return true;
}
