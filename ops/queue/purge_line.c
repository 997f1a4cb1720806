#include "ops/queue/purge_line.h"

#include <stdio.h>

#include "shared/base64.h"
#include "shared/clock.h"
#include "shared/event/delay_route.h"
#include "shared/event/envelope.h"
#include "shared/json/json_write.h"

#define DEPTH          3u
#define NODES_MAX      256u
#define US_PER_S       INT64_C(1000000)
#define ORIGINAL_KEY   "sluice-orig-key"
#define OURS           "sluice-"
#define TRACE          "traceparent"
#define UNDECODABLE    "undecodable"
#define BYTES_KEY      "envelope_base64"
#define PROPERTY_BYTES 255u

static void put_event(struct sl_json_writer *json, const struct sl_envelope *event);
static void put_properties(struct sl_json_writer *json, const struct sl_amqp_message *message);
static void put_header(struct sl_json_writer *json, const struct sl_amqp_header *header);
static bool put_bytes(struct sl_json_writer *json, struct sl_span bytes);
static bool read_bytes(const struct sl_json *root, struct sl_arena *arena,
                       struct sl_span *out_bytes);
static bool read_headers(const struct sl_json *headers, struct sl_arena *arena,
                         struct ops_purge_line *line);
static struct sl_span text_of(const struct sl_json *root, const char *key, struct sl_arena *arena);

bool ops_purge_line_write(const char *queue, const char *subsystem,
                          const struct sl_amqp_delivery *delivery, struct sl_buf *out,
                          char out_type[OPS_PURGE_TYPE_BYTES], struct sl_err *err)
{
    struct sl_envelope event = { 0 };
    struct sl_err why;
    struct sl_json_writer json = sl_json_writer_make(out);
    bool is_event = sl_envelope_decode(delivery->message.body, &event, &why);
    snprintf(out_type, OPS_PURGE_TYPE_BYTES, "%.*s",
             is_event ? (int)event.type.bytes : (int)strlen(UNDECODABLE),
             is_event ? event.type.data : UNDECODABLE);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "queue", sl_span_of(queue));
    sl_json_put_text(&json, "subsystem", sl_span_of(subsystem));
    if (is_event) {
        put_event(&json, &event);
    }
    put_properties(&json, &delivery->message);
    sl_json_put_bool(&json, "redelivered", delivery->redelivered);
    sl_json_put_int(&json, "headers_left_out", (int64_t)delivery->headers_left_out);
    bool is_put = put_bytes(&json, delivery->message.body);
    sl_json_object_end(&json);
    sl_buf_append_char(out, '\n');
    return (is_put && sl_buf_ok(out)) ||
           sl_fail(err, SL_E_LIMIT, "a message of %zu bytes does not fit into a line",
                   delivery->message.body.bytes);
}

static void put_event(struct sl_json_writer *json, const struct sl_envelope *event)
{
    char at[SL_RFC3339_BYTES];
    sl_json_put_text(json, "event_id", event->id);
    sl_json_put_text(json, "source", event->source);
    sl_json_put_text(json, "account", event->account);
    sl_json_put_bool(json, "livemode", event->livemode);
    sl_json_put_text(json, "object", event->object);
    sl_clock_rfc3339(event->occurred_at_s * US_PER_S, at);
    sl_json_put_text(json, "occurred_at",
                     event->occurred_at_s == 0 ? (struct sl_span){ 0 } : sl_span_of(at));
    sl_clock_rfc3339(event->received_at_us, at);
    sl_json_put_text(json, "received_at", sl_span_of(at));
}

static void put_properties(struct sl_json_writer *json, const struct sl_amqp_message *message)
{
    sl_json_put_text(json, "exchange", sl_span_of(message->exchange));
    sl_json_put_text(json, "routing_key", message->routing_key);
    sl_json_put_text(json, "message_id", message->message_id);
    sl_json_put_text(json, "type", message->type);
    sl_json_put_text(json, "content_type", message->content_type);
    sl_json_put_text(json, "app_id", message->app_id);
    sl_json_put_int(json, "timestamp", message->timestamp_s);
    sl_json_put_object(json, "headers");
    for (size_t i = 0; i < message->header_count; i++) {
        put_header(json, &message->headers[i]);
    }
    sl_json_object_end(json);
}

static void put_header(struct sl_json_writer *json, const struct sl_amqp_header *header)
{
    if (header->text.data != NULL) {
        sl_json_put_text(json, header->name, header->text);
    } else {
        sl_json_put_int(json, header->name, header->number);
    }
}

/* Straight into the line: a message is encoded once, and copied no more. */
static bool put_bytes(struct sl_json_writer *json, struct sl_span bytes)
{
    sl_json_key(json, sl_span_of(BYTES_KEY));
    sl_buf_append_char(json->out, '"');
    size_t room = SL_BASE64_ROOM(bytes.bytes);
    char *at = sl_buf_reserve(json->out, room);
    if (at == NULL) {
        return false;
    }
    sl_base64_encode((const uint8_t *)bytes.data, bytes.bytes, at);
    sl_buf_commit(json->out, room - 1);
    sl_buf_append_char(json->out, '"');
    json->needs_comma = true;
    return true;
}

/* Back ------------------------------------------------------------------------------------------ */

bool ops_purge_line_read(struct sl_json_parser *parser, struct sl_arena *arena, struct sl_span line,
                         struct ops_purge_line *out_line, struct sl_err *err)
{
    struct sl_err why = { 0 };
    const struct sl_json *root = sl_json_parse(parser, arena, line, DEPTH, NODES_MAX, &why);
    if (root == NULL) {
        return sl_fail(err, why.code, "%s", why.text);
    }
    *out_line = (struct ops_purge_line){
        .queue = text_of(root, "queue", arena),
        .subsystem = text_of(root, "subsystem", arena),
        .type = text_of(root, "type", arena),
        .routing_key = text_of(root, "routing_key", arena),
        .message = { .message_id = text_of(root, "message_id", arena),
                     .type = text_of(root, "type", arena),
                     .content_type = text_of(root, "content_type", arena),
                     .app_id = text_of(root, "app_id", arena) },
    };
    struct sl_amqp_message *message = &out_line->message;
    if (out_line->queue.bytes == 0 || out_line->subsystem.bytes == 0) {
        return sl_fail(
            err, SL_E_JSON_MALFORMED,
            "it names no queue and subsystem, so `sluice queue purge` did not write it; dead "
            "letters go back with `sluice dead restore` and `sluice dead replay`");
    }
    (void)sl_json_int(sl_json_get(root, "timestamp"), &message->timestamp_s);
    if (message->message_id.bytes > PROPERTY_BYTES || message->type.bytes > PROPERTY_BYTES ||
        message->content_type.bytes > PROPERTY_BYTES || message->app_id.bytes > PROPERTY_BYTES ||
        !read_bytes(root, arena, &message->body)) {
        return sl_fail(err, SL_E_JSON_MALFORMED,
                       "its properties or its bytes (" BYTES_KEY ") cannot be read");
    }
    return read_headers(sl_json_get(root, "headers"), arena, out_line) ||
           sl_fail(err, SL_E_JSON_MALFORMED, "its headers cannot be read");
}

static bool read_bytes(const struct sl_json *root, struct sl_arena *arena,
                       struct sl_span *out_bytes)
{
    struct sl_span text = text_of(root, BYTES_KEY, arena);
    size_t bytes = 0;
    uint8_t *data = text.data == NULL ? NULL : sl_arena_alloc(arena, text.bytes / 4 * 3 + 1);
    if (data == NULL || !sl_base64_decode(text, data, text.bytes / 4 * 3, &bytes)) {
        return false;
    }
    *out_bytes = sl_span_make(data, bytes);
    return true;
}

/* The key it was published with is kept as a header, since it comes back with another. */
static bool read_headers(const struct sl_json *headers, struct sl_arena *arena,
                         struct ops_purge_line *line)
{
    size_t count = 0;
    bool has_key = false;
    for (const struct sl_json *item = headers == NULL ? NULL : headers->first; item != NULL;
         item = item->next) {
        struct sl_amqp_header *header = &line->headers[count];
        bool is_ours = sl_span_starts_with(item->key, OURS) || sl_span_is(item->key, TRACE);
        if (!is_ours) {
            continue;
        }
        struct sl_span name = sl_arena_copy(arena, item->key);
        header->name = name.data;
        header->text = sl_json_text(item, arena, false, NULL);
        if (header->name == NULL || count + 1 == SL_AMQP_HEADERS_MAX ||
            (header->text.data == NULL && !sl_json_int(item, &header->number))) {
            return false;
        }
        has_key = has_key || sl_span_is(item->key, ORIGINAL_KEY);
        count++;
    }
    if (!has_key && line->routing_key.bytes > 0 && !sl_delay_is_key(line->routing_key)) {
        line->headers[count++] =
            (struct sl_amqp_header){ .name = ORIGINAL_KEY, .text = line->routing_key };
    }
    line->message.headers = line->headers;
    line->message.header_count = count;
    return true;
}

static struct sl_span text_of(const struct sl_json *root, const char *key, struct sl_arena *arena)
{
    return sl_json_text(sl_json_get(root, key), arena, false, NULL);
}
