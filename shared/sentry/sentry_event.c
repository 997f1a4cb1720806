#include "shared/sentry/sentry_event.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/json/json_write.h"

#define EVENT_BYTES_MAX 8192u

static void write_event(const struct sl_sentry_report *report,
                        const struct sl_sentry_origin *origin, struct sl_buf *out);
static void put(struct sl_json_writer *json, const char *key, const char *text);

void sl_sentry_event_write(const struct sl_sentry_report *report,
                           const struct sl_sentry_origin *origin, int64_t now_us,
                           struct sl_buf *out)
{
    SL_DONE(sl_buf_done) struct sl_buf event;
    sl_buf_init(&event, EVENT_BYTES_MAX);
    write_event(report, origin, &event);

    char now[SL_RFC3339_BYTES];
    sl_clock_rfc3339(now_us, now);
    struct sl_json_writer json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    put(&json, "event_id", report->id);
    put(&json, "sent_at", now);
    sl_json_object_end(&json);
    sl_buf_append_char(out, '\n');

    json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    put(&json, "type", "event");
    put(&json, "content_type", "application/json");
    sl_json_put_int(&json, "length", (int64_t)event.used_bytes);
    sl_json_object_end(&json);
    sl_buf_append_char(out, '\n');
    sl_buf_append_span(out, sl_buf_span(&event));
    sl_buf_append_char(out, '\n');
    out->failed = out->failed || !sl_buf_ok(&event);
}

static void write_event(const struct sl_sentry_report *report,
                        const struct sl_sentry_origin *origin, struct sl_buf *out)
{
    char since[SL_RFC3339_BYTES];
    char count[24];
    char message[512];
    char fingerprint[64];
    snprintf(fingerprint, sizeof fingerprint, "eventbus.%s", origin->status);
    sl_clock_rfc3339(report->since_s * 1000000, since);
    snprintf(count, sizeof count, "%" PRIu64, report->count);
    snprintf(message, sizeof message, "%s %s of %s: %s, %s", count, origin->happening,
             report->source, report->type, report->reason);

    struct sl_json_writer json = sl_json_writer_make(out);
    sl_json_object_begin(&json);
    put(&json, "event_id", report->id);
    put(&json, "timestamp", since);
    put(&json, "platform", "native");
    put(&json, "level", "warning");
    put(&json, "logger", origin->service);
    put(&json, "release", origin->release);
    if (origin->environment != NULL) {
        put(&json, "environment", origin->environment);
    }
    if (origin->host != NULL) {
        put(&json, "server_name", origin->host);
    }
    sl_json_put_object(&json, "message");
    put(&json, "formatted", message);
    sl_json_object_end(&json);
    sl_json_put_array(&json, "fingerprint");
    put(&json, NULL, fingerprint);
    put(&json, NULL, report->source);
    put(&json, NULL, report->type);
    put(&json, NULL, report->reason);
    sl_json_array_end(&json);
    sl_json_put_object(&json, "tags");
    put(&json, "eventbus.status", origin->status);
    put(&json, "source", report->source);
    put(&json, "type", report->type);
    put(&json, "reason", report->reason);
    put(&json, "count", count);
    sl_json_object_end(&json);
    sl_json_put_object(&json, "extra");
    sl_json_put_int(&json, "count", (int64_t)report->count);
    sl_json_object_end(&json);
    sl_json_object_end(&json);
}

static void put(struct sl_json_writer *json, const char *key, const char *text)
{
    sl_json_put_text(json, key, sl_span_of(text));
}
