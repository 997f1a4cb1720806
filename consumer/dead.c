#include "consumer/dead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/retry_decide.h"
#include "consumer/text.h"

#define TEXT_PROPERTY_BYTES_MAX 255u /* AMQP short strings */

static void put_text(struct con_dead_message *out, const char *name, struct sl_span text);
static void put_number(struct con_dead_message *out, const char *name, int64_t number);

struct con_dead *con_dead_new(const struct con_delivery *delivery,
                              const struct sl_envelope *envelope, const struct sl_err *why,
                              const char *sqlstate, int64_t now_ms)
{
    struct con_dead *dead = calloc(1, sizeof *dead);
    uint8_t hash[SL_SHA256_BYTES] = { 0 };
    if (dead == NULL || !sl_sha256(delivery->bytes, hash)) {
        free(dead);
        return NULL;
    }
    sl_hex_encode(hash, sizeof hash, dead->body_sha256);
    struct sl_span error = con_text_cut(sl_span_of(why->text), CON_ERROR_BYTES_MAX);
    memcpy(dead->error, error.data, error.bytes);
    snprintf(dead->error_class, sizeof dead->error_class, "%s",
             con_retry_class(why->code, envelope != NULL));
    snprintf(dead->error_code, sizeof dead->error_code, "%s",
             sqlstate[0] != '\0' ? sqlstate : sl_code_name(why->code));
    dead->first_failed_ms = delivery->first_failed_ms != 0 ? delivery->first_failed_ms : now_ms;
    if (envelope != NULL) {
        dead->event_id = envelope->id;
        dead->type = envelope->type;
    }
    return dead;
}

void con_dead_free(struct con_dead *dead)
{
    free(dead);
}

void con_dead_message(const struct con_delivery *delivery, const char *subsystem, int64_t now_s,
                      struct con_dead_message *out)
{
    const struct con_dead *dead = delivery->dead;
    *out = (struct con_dead_message){ 0 };
    put_text(out, "sluice-error-class", sl_span_of(dead->error_class));
    put_text(out, "sluice-error-code", sl_span_of(dead->error_code));
    put_text(out, "sluice-error", sl_span_of(dead->error));
    put_number(out, "sluice-attempt", delivery->attempt);
    put_number(out, "sluice-first-failed-at", dead->first_failed_ms);
    put_text(out, "sluice-orig-key", delivery->routing_key);
    put_text(out, "sluice-replay-run", delivery->replay_run);
    put_text(out, "traceparent", delivery->traceparent);
    out->message = (struct sl_amqp_message){
        .exchange = CON_PARKED_EXCHANGE,
        .routing_key = sl_span_of(subsystem),
        .message_id = con_text_cut(dead->event_id, TEXT_PROPERTY_BYTES_MAX),
        .type = con_text_cut(dead->type, TEXT_PROPERTY_BYTES_MAX),
        .content_type = SL_SPAN_LITERAL("application/msgpack"),
        .app_id = SL_SPAN_LITERAL("sluice"),
        .timestamp_s = now_s,
        .headers = out->headers,
        .header_count = out->message.header_count,
        .body = delivery->bytes,
    };
}

/* An absent text is no header. */
static void put_text(struct con_dead_message *out, const char *name, struct sl_span text)
{
    if (text.data == NULL) {
        return;
    }
    SL_ASSERT(out->message.header_count < CON_DEAD_HEADERS_MAX);
    out->headers[out->message.header_count++] =
        (struct sl_amqp_header){ .name = name, .text = text };
}

static void put_number(struct con_dead_message *out, const char *name, int64_t number)
{
    SL_ASSERT(out->message.header_count < CON_DEAD_HEADERS_MAX);
    out->headers[out->message.header_count++] =
        (struct sl_amqp_header){ .name = name, .number = number };
}
