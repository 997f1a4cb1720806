/*
 * http_request - an event as a signed POST.
 *
 * Decides only. The body is the received bytes. Fields: webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks, one signature per
 * key; none without one), Authorization for a section with a bearer token, Idempotency-Key, Content-Type as it was received, and sluice-* with what the envelope says. In a sluice-* field every byte that is not
 * visible ASCII, and '%', is written as %XX.
 * Law: schemas/handlers.md. webhook-id is the event's id, or "sha256-" and the hash of it when it holds a byte that cannot be signed safely.
 * Source: https://github.com/standard-webhooks/standard-webhooks (spec).
 * Threads: the keys belong to one owner.
 */
#ifndef CONSUMER_HTTP_REQUEST_H
#define CONSUMER_HTTP_REQUEST_H

#include "consumer/event.h"
#include "consumer/targets.h"
#include "shared/arena.h"

#define CON_HTTP_FIELDS_MAX 20u

struct con_http_request {
    const char *fields[CON_HTTP_FIELDS_MAX + 1]; /* NULL-terminated; in the arena */
    size_t field_count;
};

/* What one POST carries beside its body. */
struct con_http_content {
    struct sl_span id; /* unique: what the receiver may know it by */
    struct sl_span body;
    struct sl_span content_type; /* absent: application/json */
};

/* Signature, idempotency key and content type. False without memory, or when the library cannot sign. */
bool con_http_request_sign(struct con_http_request *request, const struct con_target *target,
                           const struct con_http_content *content, int64_t now_s,
                           struct sl_arena *arena, struct sl_err *err) SL_MUST;
/* One more field, made safe; nothing when value is absent. */
bool con_http_request_add(struct con_http_request *request, const char *name, struct sl_span value,
                          struct sl_arena *arena, struct sl_err *err) SL_MUST;
/* The whole request of an event. */
bool con_http_request_event(struct con_http_request *request, const struct con_target *target,
                            const char *subsystem, const struct con_event *event, int64_t now_s,
                            struct sl_arena *arena, struct sl_err *err) SL_MUST;

#endif
