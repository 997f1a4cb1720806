#include "shared/stripe/stripe_observed.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/digest.h"
#include "shared/json/json_write.h"

#define US_PER_S   INT64_C(1000000)
#define ID_BYTES   64u
#define HASH_BYTES 8u /* of the object's SHA-256, in the id */
#define TYPE_BYTES 48u

static bool has_ended(const struct sl_json *object, struct sl_span kind, struct sl_arena *arena);
static int64_t time_of(const struct sl_stripe_observation *seen);
static bool put_id(const struct sl_stripe_observation *seen, char out[ID_BYTES]);
static void put_body(const struct sl_envelope *event, const struct sl_json *object,
                     struct sl_buf *body);

bool sl_stripe_observed(const struct sl_stripe_observation *seen, struct sl_arena *arena,
                        struct sl_buf *body, struct sl_envelope *out, struct sl_err *err)
{
    static const char *const kinds[] = { "customer", "subscription", "invoice", "invoice_payment" };
    struct sl_span kind = sl_json_text(sl_json_get(seen->object, "object"), arena, true, NULL);
    struct sl_span id = sl_json_text(sl_json_get(seen->object, "id"), arena, true, NULL);
    bool is_known = false;
    for (size_t i = 0; i < SL_COUNT(kinds); i++) {
        is_known = is_known || sl_span_is(kind, kinds[i]);
    }
    if (!is_known || id.bytes == 0 || id.bytes > SL_EVENT_ID_BYTES_MAX) {
        return sl_fail(err, SL_E_JSON_MALFORMED, "Stripe's answer is nothing that billing keeps");
    }
    char *event_id = sl_arena_alloc(arena, ID_BYTES);
    char *type = sl_arena_alloc(arena, TYPE_BYTES);
    if (event_id == NULL || type == NULL || !put_id(seen, event_id)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for an event");
    }
    snprintf(type, TYPE_BYTES, "sluice.%.*s.%s", SL_SPAN_ARGS(kind),
             has_ended(seen->object, kind, arena) ? "deleted" : "observed");
    const struct sl_json *livemode = sl_json_get(seen->object, "livemode");
    struct sl_envelope event = {
        .id = sl_span_of(event_id),
        .source = SL_SPAN_LITERAL("stripe"),
        .type = sl_span_of(type),
        .account = sl_span_of(seen->account),
        .livemode = sl_json_is_null(livemode) ? seen->livemode : sl_json_true(livemode),
        .object = id,
        .occurred_at_s = time_of(seen),
        .received_at_us = seen->now_us,
        .content_type = SL_SPAN_LITERAL("application/json"),
    };
    put_body(&event, seen->object, body);
    if (!sl_buf_ok(body) || body->used_bytes > SL_EVENT_BODY_BYTES_MAX) {
        return sl_fail(err, SL_E_LIMIT, "Stripe's object is too large for an event");
    }
    event.body = sl_buf_span(body);
    *out = event;
    return true;
}

static bool has_ended(const struct sl_json *object, struct sl_span kind, struct sl_arena *arena)
{
    struct sl_span status = sl_json_text(sl_json_get(object, "status"), arena, true, NULL);
    return sl_json_true(sl_json_get(object, "deleted")) ||
           (sl_span_is(kind, "subscription") && sl_span_is(status, "canceled"));
}

static int64_t time_of(const struct sl_stripe_observation *seen)
{
    int64_t created_s = 0;
    int64_t asked_s = seen->date_s - (seen->elapsed_us + US_PER_S - 1) / US_PER_S;
    bool is_dated = sl_json_int(sl_json_get(seen->object, "created"), &created_s);
    bool is_old = is_dated && created_s > asked_s;
    return is_old ? created_s : asked_s > 0 ? asked_s : 0;
}

static bool put_id(const struct sl_stripe_observation *seen, char out[ID_BYTES])
{
    uint8_t hash[SL_SHA256_BYTES];
    char hex[2 * HASH_BYTES + 1];
    if (!sl_sha256(seen->object->raw, hash)) {
        return false;
    }
    sl_hex_encode(hash, HASH_BYTES, hex);
    snprintf(out, ID_BYTES, "evt_sluice_%014" PRIx64 "_%s", (uint64_t)seen->now_us, hex);
    return true;
}

/* As Stripe's own events look. */
static void put_body(const struct sl_envelope *event, const struct sl_json *object,
                     struct sl_buf *body)
{
    sl_buf_reset(body);
    struct sl_json_writer json = sl_json_writer_make(body);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "id", event->id);
    sl_json_put_text(&json, "object", SL_SPAN_LITERAL("event"));
    sl_json_put_text(&json, "type", event->type);
    if (event->account.bytes > 0) {
        sl_json_put_text(&json, "account", event->account);
    }
    sl_json_put_int(&json, "created", event->occurred_at_s);
    sl_json_put_bool(&json, "livemode", event->livemode);
    sl_json_put_object(&json, "data");
    sl_json_put_raw(&json, "object", object->raw);
    sl_json_object_end(&json);
    sl_json_object_end(&json);
}
