#include "publisher/facts/produced.h"

#include "publisher/facts/json_facts.h"
#include "shared/event/delay_route.h"

#define DEPTH_MAX     3u /* {"events":[{…}]}: what an event holds stays closed */
#define NODES_MAX     65536u
#define CLOUD_VERSION "1.0"
#define CLOUD_TYPE    "application/cloudevents+json"

static const struct sl_json *find_events(const struct sl_json *root, bool *out_is_batch);
static void read_event(const struct pub_production_opts *opts, const struct sl_json *event,
                       struct pub_produced *out);
static const char *read_simple(const struct pub_production_opts *opts, const struct sl_json *event,
                               struct sl_envelope *out);
static const char *read_cloud(const struct pub_production_opts *opts, const struct sl_json *event,
                              struct sl_envelope *out);
static bool read_name(const struct pub_production_opts *opts, const struct sl_json *event,
                      const char *key, size_t bytes_max, struct sl_span *out);
static bool read_optional(const struct pub_production_opts *opts, const struct sl_json *event,
                          const char *key, struct sl_span *out);
static bool read_time(const struct pub_production_opts *opts, const struct sl_json *event,
                      const char *key, int64_t *out_s);
static bool read_livemode(const struct sl_json *event, bool *out);
static const char *read_delay(const struct pub_production_opts *opts, const struct sl_json *event,
                              const char *key, struct sl_envelope *out);
static bool is_known_key(struct sl_span key);

const char *pub_production_read(const struct pub_production_opts *opts, struct sl_span body,
                                struct pub_production *out)
{
    struct sl_err unread = { 0 };
    const struct sl_json *root =
        sl_json_parse(opts->parser, opts->arena, body, DEPTH_MAX, NODES_MAX, &unread);
    if (root == NULL) {
        return unread.code == SL_E_JSON_MALFORMED ? "the body is not JSON"
                                                  : "the body has too many parts";
    }
    *out = (struct pub_production){ .count = 1 };
    const struct sl_json *first = find_events(root, &out->is_batch);
    if (first == NULL && !out->is_batch) {
        return "the body is an event (an object), an array of events, or {\"events\":[…]}";
    }
    size_t count = 0;
    for (const struct sl_json *event = first; out->is_batch && event != NULL; event = event->next) {
        count++;
    }
    out->count = out->is_batch ? count : 1;
    if (out->count == 0 || out->count > PUB_PRODUCED_MAX) {
        return "a batch has 1 to 500 events";
    }
    out->items = sl_arena_array(opts->arena, out->count, sizeof *out->items);
    if (out->items == NULL) {
        return "the body has too many parts";
    }
    const struct sl_json *event = first;
    for (size_t i = 0; i < out->count; i++) {
        read_event(opts, event, &out->items[i]);
        event = event->next;
    }
    return NULL;
}

/* The first event of a batch, or the only one. NULL: none. */
static const struct sl_json *find_events(const struct sl_json *root, bool *out_is_batch)
{
    const struct sl_json *list = root->type == SL_JSON_ARRAY ? root : sl_json_get(root, "events");
    bool is_wrapped =
        root->type == SL_JSON_OBJECT && list != NULL && sl_json_get(root, "id") == NULL;
    *out_is_batch = root->type == SL_JSON_ARRAY || (is_wrapped && list->type == SL_JSON_ARRAY);
    if (*out_is_batch) {
        return list->first;
    }
    return root->type == SL_JSON_OBJECT && !is_wrapped ? root : NULL;
}

static void read_event(const struct pub_production_opts *opts, const struct sl_json *event,
                       struct pub_produced *out)
{
    out->envelope = (struct sl_envelope){
        .source = SL_SPAN_LITERAL(SL_SOURCE_INTERNAL),
        .account = SL_SPAN_LITERAL(""),
        .livemode = true,
        .received_at_us = opts->received_at_us,
        .body = event->raw,
    };
    if (event->type != SL_JSON_OBJECT) {
        out->fault = "an event is an object";
        return;
    }
    bool is_cloud = sl_json_get(event, "specversion") != NULL;
    bool has_id = read_name(opts, event, "id", SL_EVENT_ID_BYTES_MAX, &out->envelope.id);
    out->shown_id = out->envelope.id;
    if (!has_id) {
        out->fault = "id: 1 to 255 visible ASCII characters; it makes a retry safe";
    } else if (!read_name(opts, event, "type", SL_EVENT_TYPE_BYTES_MAX, &out->envelope.type)) {
        out->fault = "type: 1 to 255 visible ASCII characters, such as order.created";
    } else if (!read_livemode(event, &out->envelope.livemode)) {
        out->fault = "livemode: true or false";
    } else {
        out->fault = is_cloud ? read_cloud(opts, event, &out->envelope)
                              : read_simple(opts, event, &out->envelope);
    }
}

static const char *read_simple(const struct pub_production_opts *opts, const struct sl_json *event,
                               struct sl_envelope *out)
{
    for (const struct sl_json *at = event->first; at != NULL; at = at->next) {
        if (!is_known_key(at->key)) {
            return "an event has the keys id, type, data, source, account, object, livemode, "
                   "occurred_at and deliver_at, and no other; what is yours goes into data";
        }
    }
    struct sl_span source = { NULL, 0 };
    if (!read_optional(opts, event, "source", &source) ||
        (source.data != NULL && !sl_source_is_name(source))) {
        return "source: lower-case letters, digits, - and _, a letter first, at most 31";
    }
    if (source.data != NULL && sl_sources_find(opts->sources, source) != NULL) {
        return "source: that is a webhook source; only its sender can speak for it";
    }
    out->source = source.data == NULL ? out->source : source;
    struct sl_span account = { NULL, 0 };
    if (!read_optional(opts, event, "account", &account)) {
        return "account: at most 255 visible ASCII characters";
    }
    out->account = account.data == NULL ? out->account : account;
    if (!read_optional(opts, event, "object", &out->object)) {
        return "object: 1 to 255 visible ASCII characters";
    }
    if (!read_time(opts, event, "occurred_at", &out->occurred_at_s)) {
        return "occurred_at: seconds since 1970, or RFC 3339 (2026-01-02T03:04:05Z); the same in a retry";
    }
    out->content_type = SL_SPAN_LITERAL("application/json");
    return read_delay(opts, event, "deliver_at", out);
}

static const char *read_cloud(const struct pub_production_opts *opts, const struct sl_json *event,
                              struct sl_envelope *out)
{
    struct sl_span version =
        sl_json_text(sl_json_get(event, "specversion"), opts->arena, false, NULL);
    if (!sl_span_is(version, CLOUD_VERSION)) {
        return "specversion: CloudEvents 1.0 is understood";
    }
    if (!read_name(opts, event, "source", SL_EVENT_ID_BYTES_MAX, &out->account)) {
        return "source: a URI reference of 1 to 255 visible ASCII characters";
    }
    if (!read_optional(opts, event, "subject", &out->object)) {
        return "subject: 1 to 255 visible ASCII characters";
    }
    if (!read_time(opts, event, "time", &out->occurred_at_s)) {
        return "time: RFC 3339 (2026-01-02T03:04:05Z); the same in a retry";
    }
    out->content_type = SL_SPAN_LITERAL(CLOUD_TYPE);
    return read_delay(opts, event, "deliverat", out);
}

static bool read_name(const struct pub_production_opts *opts, const struct sl_json *event,
                      const char *key, size_t bytes_max, struct sl_span *out)
{
    *out = pub_json_name(sl_json_get(event, key), opts->arena, bytes_max);
    return out->data != NULL;
}

static bool read_optional(const struct pub_production_opts *opts, const struct sl_json *event,
                          const char *key, struct sl_span *out)
{
    return sl_json_is_null(sl_json_get(event, key)) ||
           read_name(opts, event, key, SL_EVENT_ID_BYTES_MAX, out);
}

static bool read_time(const struct pub_production_opts *opts, const struct sl_json *event,
                      const char *key, int64_t *out_s)
{
    const struct sl_json *value = sl_json_get(event, key);
    return sl_json_is_null(value) || pub_json_time(value, opts->arena, out_s);
}

static bool read_livemode(const struct sl_json *event, bool *out)
{
    const struct sl_json *value = sl_json_get(event, "livemode");
    if (sl_json_is_null(value)) {
        return true;
    }
    *out = sl_json_true(value);
    return value->type == SL_JSON_BOOL;
}

static const char *read_delay(const struct pub_production_opts *opts, const struct sl_json *event,
                              const char *key, struct sl_envelope *out)
{
    if (!read_time(opts, event, key, &out->deliver_at_s)) {
        return "deliver_at: seconds since 1970, or RFC 3339 (2026-01-02T03:04:05Z)";
    }
    int64_t wait_s = out->deliver_at_s - opts->received_at_us / 1000000;
    return wait_s > SL_DELAY_S_MAX
               ? "deliver_at: at most 1048575 s (12.1 days) from now can be waited for"
               : NULL;
}

static bool is_known_key(struct sl_span key)
{
    static const char *const known[] = { "id",       "type",        "data",
                                         "source",   "account",     "object",
                                         "livemode", "occurred_at", "deliver_at" };
    for (size_t i = 0; i < SL_COUNT(known); i++) {
        if (sl_span_is(key, known[i])) {
            return true;
        }
    }
    return false;
}
