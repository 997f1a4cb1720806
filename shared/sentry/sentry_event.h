/*
 * sentry_event - a report as the bytes of a Sentry envelope with one event item.
 *
 * Decides only. The event carries the tags eventbus.status, source, type and reason, and `count`, both as a tag and as a number; events of the same
 * (source, type, reason) share a fingerprint, so that they are one issue.
 * Source: develop.sentry.dev, "Envelopes" and "Event Payloads"; a tag's value has at most 200 characters and no line end.
 * Refuses: anything of an event's body.
 * Threads: no state.
 */
#ifndef SHARED_SENTRY_EVENT_H
#define SHARED_SENTRY_EVENT_H

#include "shared/buf.h"
#include "shared/sentry/sentry_tally.h"

struct sl_sentry_origin {
    const char *
        status; /* tag eventbus.status, and what the event is grouped by: "degraded", "breaker_open" */
    const char *happening; /* what was counted, e.g. "not confirmed by the broker" */
    const char *service;
    const char *release;     /* "sluice@0.1.0" */
    const char *environment; /* NULL: none */
    const char *host;        /* NULL: none */
};

/* Appends the envelope; check sl_buf_ok(out). */
void sl_sentry_event_write(const struct sl_sentry_report *report,
                           const struct sl_sentry_origin *origin, int64_t now_us,
                           struct sl_buf *out);

#endif
