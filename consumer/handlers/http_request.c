#include "consumer/handlers/http_request.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/buf.h"

#define FIELD_BYTES_MAX  2048u
#define JSON_TYPE        "application/json"
#define HASHED_ID_PREFIX "sha256-"

static bool sign_with(struct con_http_request *request, const struct con_target *target,
                      const struct con_http_content *content, struct sl_span id, int64_t now_s,
                      struct sl_arena *arena);
static bool is_signable(struct sl_span id);
static bool put(struct con_http_request *request, const char *name, struct sl_span value,
                bool escapes, struct sl_arena *arena);

bool con_http_request_sign(struct con_http_request *request, const struct con_target *target,
                           const struct con_http_content *content, int64_t now_s,
                           struct sl_arena *arena, struct sl_err *err)
{
    struct sl_span id = content->id;
    char hashed[sizeof HASHED_ID_PREFIX + SL_SHA256_HEX_BYTES];
    if (!is_signable(id)) {
        uint8_t hash[SL_SHA256_BYTES];
        char hex[SL_SHA256_HEX_BYTES];
        if (!sl_sha256(id, hash)) {
            return sl_fail(err, SL_E_BUG, "cannot hash the id of an event");
        }
        sl_hex_encode(hash, sizeof hash, hex);
        snprintf(hashed, sizeof hashed, HASHED_ID_PREFIX "%s", hex);
        id = sl_span_of(hashed);
    }
    *request = (struct con_http_request){ .field_count = 0 };
    struct sl_span type = content->content_type;
    if (!sign_with(request, target, content, id, now_s, arena) ||
        !put(request, "Idempotency-Key", id, false, arena) ||
        !put(request, "Content-Type", type.data == NULL ? sl_span_of(JSON_TYPE) : type, true,
             arena)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a request");
    }
    return true;
}

/* Nothing without a key: the token says who we are. webhook-signature holds one signature per key; the other fields are the same for all. */
static bool sign_with(struct con_http_request *request, const struct con_target *target,
                      const struct con_http_content *content, struct sl_span id, int64_t now_s,
                      struct sl_arena *arena)
{
    SL_DONE(sl_buf_done) struct sl_buf signatures;
    sl_buf_init(&signatures, FIELD_BYTES_MAX);
    struct sl_scheme_field fields[SL_SCHEME_FIELDS_MAX];
    size_t count = 0;
    if (target->key_count == 0) {
        return true;
    }
    for (size_t i = 0; i < target->key_count; i++) {
        if (!sl_scheme_sign(&target->scheme, target->keys[i], now_s, id, content->body, fields,
                            &count)) {
            return false;
        }
        sl_buf_printf(&signatures, "%s%s", i == 0 ? "" : " ", fields[0].value);
    }
    for (size_t i = 1; i < count; i++) {
        if (!put(request, fields[i].name, sl_span_of(fields[i].value), false, arena)) {
            return false;
        }
    }
    return sl_buf_ok(&signatures) && count > 0 &&
           put(request, fields[0].name, sl_buf_span(&signatures), false, arena);
}

static bool is_signable(struct sl_span id)
{
    for (size_t i = 0; i < id.bytes; i++) {
        char c = id.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-')) {
            return false;
        }
    }
    return id.bytes > 0 && id.bytes <= SL_SIGNED_ID_MAX;
}

bool con_http_request_add(struct con_http_request *request, const char *name, struct sl_span value,
                          struct sl_arena *arena, struct sl_err *err)
{
    return value.data == NULL || put(request, name, value, true, arena) ||
           sl_fail(err, SL_E_MEMORY, "no memory for a request");
}

static bool put(struct con_http_request *request, const char *name, struct sl_span value,
                bool escapes, struct sl_arena *arena)
{
    SL_ASSERT(request->field_count < CON_HTTP_FIELDS_MAX);
    SL_DONE(sl_buf_done) struct sl_buf field;
    sl_buf_init(&field, FIELD_BYTES_MAX);
    sl_buf_printf(&field, "%s: ", name);
    for (size_t i = 0; i < value.bytes; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        bool is_plain = byte >= ' ' && byte < 0x7f && byte != '%';
        if (escapes && !is_plain) {
            sl_buf_printf(&field, "%%%02X", byte);
        } else {
            sl_buf_append_char(&field, (char)byte);
        }
    }
    struct sl_span copy = sl_arena_copy(arena, sl_buf_span(&field));
    request->fields[request->field_count++] = copy.data;
    return sl_buf_ok(&field) && copy.data != NULL;
}

bool con_http_request_event(struct con_http_request *request, const struct con_target *target,
                            const char *subsystem, const struct con_event *event, int64_t now_s,
                            struct sl_arena *arena, struct sl_err *err)
{
    const struct sl_envelope *envelope = &event->envelope;
    char occurred[24];
    char received[24];
    char attempt[24];
    snprintf(occurred, sizeof occurred, "%" PRId64, envelope->occurred_at_s);
    snprintf(received, sizeof received, "%" PRId64, envelope->received_at_us);
    snprintf(attempt, sizeof attempt, "%" PRId64, event->attempt);
    const struct con_http_content content = { .id = envelope->id,
                                              .body = envelope->body,
                                              .content_type = envelope->content_type };
    const struct {
        const char *name;
        struct sl_span value;
    } fields[] = {
        { "sluice-subsystem", sl_span_of(subsystem) },
        { "sluice-event-id", envelope->id },
        { "sluice-event-type", envelope->type },
        { "sluice-event-source", envelope->source },
        { "sluice-event-account", envelope->account },
        { "sluice-event-livemode", sl_span_of(envelope->livemode ? "true" : "false") },
        { "sluice-event-object", envelope->object },
        { "sluice-event-occurred-at", sl_span_of(occurred) },
        { "sluice-event-received-at", sl_span_of(received) },
        { "sluice-attempt", sl_span_of(attempt) },
    };
    bool is_made = con_http_request_sign(request, target, &content, now_s, arena, err);
    if (is_made && target->bearer != NULL) {
        is_made =
            con_http_request_add(request, "Authorization", sl_span_of(target->bearer), arena, err);
    }
    for (size_t i = 0; i < SL_COUNT(fields); i++) {
        is_made =
            is_made && con_http_request_add(request, fields[i].name, fields[i].value, arena, err);
    }
    return is_made;
}
