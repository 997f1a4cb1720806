#include "consumer/departure.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/text.h"

#define TEXT_PROPERTY_BYTES_MAX 255u /* AMQP short strings */
#define TRACE_BYTES_MAX         255u /* W3C Trace Context, traceparent: 55 */

static void put_route(const struct con_delivery *delivery, const char *subsystem,
                      struct sl_delay_route *out);
static void put_headers(const struct con_delivery *delivery, struct con_headers *headers);

struct con_departure *con_departure_new(const struct con_delivery *delivery,
                                        const struct sl_envelope *envelope,
                                        const struct sl_err *why, const char *sqlstate,
                                        struct con_fate fate, int64_t now_ms)
{
    struct con_departure *departure = calloc(1, sizeof *departure);
    uint8_t hash[SL_SHA256_BYTES] = { 0 };
    if (departure == NULL || !sl_sha256(delivery->bytes, hash)) {
        free(departure);
        return NULL;
    }
    sl_hex_encode(hash, sizeof hash, departure->body_sha256);
    struct sl_span error = con_text_cut(sl_span_of(why->text), CON_ERROR_BYTES_MAX);
    memcpy(departure->error, error.data, error.bytes);
    snprintf(departure->error_code, sizeof departure->error_code, "%s",
             sqlstate[0] != '\0' ? sqlstate : sl_code_name(why->code));
    departure->wait_s = fate.wait_s;
    departure->attempt = fate.wait_s > 0 ? delivery->attempt + 1 : delivery->attempt;
    departure->error_class = fate.error_class;
    departure->first_failed_ms =
        delivery->first_failed_ms != 0 ? delivery->first_failed_ms : now_ms;
    if (envelope != NULL) {
        struct sl_span last = sl_routing_key_type(envelope->type);
        snprintf(departure->orig_key, sizeof departure->orig_key, "%.*s.%.*s",
                 SL_SPAN_ARGS(envelope->source), SL_SPAN_ARGS(last));
        departure->event_id = envelope->id;
        departure->type = envelope->type;
    }
    return departure;
}

struct con_departure *con_departure_early(const struct con_delivery *delivery, int64_t wait_s)
{
    struct con_departure *departure = calloc(1, sizeof *departure);
    if (departure != NULL) {
        departure->wait_s = wait_s;
        departure->attempt = delivery->attempt;
        departure->first_failed_ms = delivery->first_failed_ms;
    }
    return departure;
}

struct con_departure *con_departure_deadly(const struct con_delivery *delivery, int64_t now_ms)
{
    struct sl_err why;
    sl_fail(&why, SL_E_EVENT_DEADLY,
            "the consumer ended more than once while it worked on this event alone");
    const struct con_fate fate = { .error_class = "crash" };
    struct con_departure *departure = con_departure_new(delivery, NULL, &why, "", fate, now_ms);
    if (departure != NULL) {
        departure->event_id = delivery->message_id;
        departure->type = delivery->type;
    }
    return departure;
}

void con_departure_free(struct con_departure *departure)
{
    free(departure);
}

void con_departure_message(const struct con_delivery *delivery, const char *subsystem,
                           struct con_departure_message *out)
{
    const struct con_departure *departure = delivery->departure;
    *out = (struct con_departure_message){ 0 };
    put_headers(delivery, &out->headers);
    if (departure->wait_s > 0) {
        put_route(delivery, subsystem, &out->route);
    }
    struct sl_span message_id =
        delivery->message_id.data != NULL ? delivery->message_id : departure->event_id;
    struct sl_span type = delivery->type.data != NULL ? delivery->type : departure->type;
    out->message = (struct sl_amqp_message){
        .exchange = departure->wait_s > 0 ? out->route.exchange : CON_PARKED_EXCHANGE,
        .routing_key = sl_span_of(departure->wait_s > 0 ? out->route.key : subsystem),
        .message_id = con_text_cut(message_id, TEXT_PROPERTY_BYTES_MAX),
        .type = con_text_cut(type, TEXT_PROPERTY_BYTES_MAX),
        .content_type = SL_SPAN_LITERAL("application/msgpack"),
        .app_id = SL_SPAN_LITERAL("sluice"),
        .timestamp_s = delivery->timestamp_s,
        .headers = out->headers.items,
        .header_count = out->headers.count,
        .body = delivery->bytes,
    };
}

/* What came from the queue of replays goes back there. */
static void put_route(const struct con_delivery *delivery, const char *subsystem,
                      struct sl_delay_route *out)
{
    char replays[SL_DELAY_TARGET_BYTES + 1];
    snprintf(replays, sizeof replays, "%s." SL_DELAY_REPLAY, subsystem);
    sl_delay_route(delivery->departure->wait_s,
                   delivery->turn == CON_TURN_REPLAY ? replays : subsystem, out);
}

/* What the next reader needs most comes first. */
static void put_headers(const struct con_delivery *delivery, struct con_headers *headers)
{
    const struct con_departure *departure = delivery->departure;
    con_headers_number(headers, "sluice-attempt", departure->attempt);
    if (departure->first_failed_ms != 0) {
        con_headers_number(headers, "sluice-first-failed-at", departure->first_failed_ms);
    }
    if (departure->error_class != NULL) {
        con_headers_text(headers, "sluice-error-class", sl_span_of(departure->error_class),
                         TEXT_PROPERTY_BYTES_MAX);
        con_headers_text(headers, "sluice-error-code", sl_span_of(departure->error_code),
                         TEXT_PROPERTY_BYTES_MAX);
    }
    struct sl_span orig_key = delivery->routing_key;
    if (orig_key.data == NULL && departure->orig_key[0] != '\0') {
        orig_key = sl_span_of(departure->orig_key);
    }
    con_headers_text(headers, "sluice-orig-key", orig_key, TEXT_PROPERTY_BYTES_MAX);
    con_headers_text(headers, "sluice-replay-run", delivery->replay_run, TEXT_PROPERTY_BYTES_MAX);
    con_headers_text(headers, "traceparent", delivery->traceparent, TRACE_BYTES_MAX);
    if (departure->error_class != NULL) {
        con_headers_text(headers, "sluice-error", sl_span_of(departure->error),
                         CON_ERROR_BYTES_MAX);
    }
}
