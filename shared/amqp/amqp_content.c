#include "shared/amqp/amqp_content.h"

#define KEPT_BYTES_MAX 65536u /* room a finished long body may leave allocated */

static enum sl_content_step begin(struct sl_content *content, const struct sl_wire_frame *frame,
                                  struct sl_err *err);
static enum sl_content_step on_header(struct sl_content *content, const struct sl_wire_frame *frame,
                                      struct sl_err *err);
static enum sl_content_step on_body(struct sl_content *content, struct sl_span part,
                                    struct sl_err *err);
static enum sl_content_step complete(struct sl_content *content, struct sl_span body);
static enum sl_content_step refuse(struct sl_err *err, const char *what);

void sl_content_init(struct sl_content *content, size_t body_bytes_max)
{
    *content = (struct sl_content){ .body_bytes_max = body_bytes_max };
    sl_buf_init(&content->body, body_bytes_max);
}

void sl_content_done(struct sl_content *content)
{
    sl_buf_done(&content->body);
}

void sl_content_reset(struct sl_content *content)
{
    size_t body_bytes_max = content->body_bytes_max;
    sl_content_done(content);
    sl_content_init(content, body_bytes_max);
}

enum sl_content_step sl_content_feed(struct sl_content *content, const struct sl_wire_frame *frame,
                                     struct sl_err *err)
{
    bool is_connection_frame = frame->kind <= SL_WIRE_UNBLOCKED;
    if (is_connection_frame) {
        return SL_CONTENT_OTHER; /* channel 0 may speak between any two frames */
    }
    switch (content->stage) {
    case SL_CONTENT_NONE:
        return begin(content, frame, err);
    case SL_CONTENT_HEADER_NEXT:
        return frame->kind == SL_WIRE_CONTENT_HEADER
                   ? on_header(content, frame, err)
                   : refuse(err, "a content method was not followed by its header");
    case SL_CONTENT_BODY_NEXT:
        return frame->kind == SL_WIRE_CONTENT_BODY
                   ? on_body(content, frame->body, err)
                   : refuse(err, "a content header was not followed by its whole body");
    }
    return refuse(err, "content in no known stage");
}

static enum sl_content_step begin(struct sl_content *content, const struct sl_wire_frame *frame,
                                  struct sl_err *err)
{
    if (frame->kind == SL_WIRE_CONTENT_HEADER || frame->kind == SL_WIRE_CONTENT_BODY) {
        return refuse(err, "content without a method");
    }
    if (frame->kind != SL_WIRE_DELIVER && frame->kind != SL_WIRE_RETURN) {
        return SL_CONTENT_OTHER;
    }

    if (content->body.room_bytes > KEPT_BYTES_MAX) {
        sl_buf_done(&content->body);
        sl_buf_init(&content->body, content->body_bytes_max);
    }
    sl_buf_reset(&content->body);
    content->is_return = frame->kind == SL_WIRE_RETURN;
    struct sl_span exchange =
        content->is_return ? frame->returned.exchange : frame->deliver.exchange;
    SL_ASSERT(exchange.bytes < sizeof content->exchange); /* a short string */
    memcpy(content->exchange, exchange.data, exchange.bytes);
    content->exchange[exchange.bytes] = '\0';
    content->delivery = (struct sl_amqp_delivery){ .message.exchange = content->exchange };
    if (content->is_return) {
        content->delivery.message.routing_key = frame->returned.routing_key;
    } else {
        content->delivery.message.routing_key = frame->deliver.routing_key;
        content->delivery.tag = frame->deliver.tag;
        content->delivery.redelivered = frame->deliver.redelivered;
    }
    content->stage = SL_CONTENT_HEADER_NEXT;
    return SL_CONTENT_TAKEN;
}

static enum sl_content_step on_header(struct sl_content *content, const struct sl_wire_frame *frame,
                                      struct sl_err *err)
{
    struct sl_amqp_message *message = &content->delivery.message;
    struct sl_span routing_key = message->routing_key;
    *message = frame->content.properties;
    message->exchange = content->exchange;
    message->routing_key = routing_key;
    content->delivery.headers_left_out = frame->content.headers_left_out;

    uint64_t body_bytes = frame->content.body_bytes;
    if (!content->is_return && body_bytes > content->body_bytes_max) {
        sl_fail(err, SL_E_AMQP_PROTOCOL,
                "a message of %llu bytes was delivered, at most %zu are taken",
                (unsigned long long)body_bytes, content->body_bytes_max);
        return SL_CONTENT_BAD;
    }
    content->body_bytes_left = body_bytes;
    content->stage = SL_CONTENT_BODY_NEXT;
    return body_bytes == 0 ? complete(content, SL_SPAN_LITERAL("")) : SL_CONTENT_TAKEN;
}

static enum sl_content_step on_body(struct sl_content *content, struct sl_span part,
                                    struct sl_err *err)
{
    if (part.bytes > content->body_bytes_left) {
        return refuse(err, "a body is longer than its header says");
    }
    bool is_first = content->body.used_bytes == 0;
    content->body_bytes_left -= part.bytes;
    bool is_last = content->body_bytes_left == 0;
    if (content->is_return) {
        return is_last ? complete(content, (struct sl_span){ NULL, 0 }) : SL_CONTENT_TAKEN;
    }
    if (is_first && is_last) {
        return complete(content, part);
    }
    if (!sl_buf_append_span(&content->body, part)) {
        sl_fail(err, SL_E_MEMORY, "no memory for a delivery");
        return SL_CONTENT_BAD;
    }
    return is_last ? complete(content, sl_buf_span(&content->body)) : SL_CONTENT_TAKEN;
}

/* The bytes of a collected body stay where they are until the next one is begun. */
static enum sl_content_step complete(struct sl_content *content, struct sl_span body)
{
    content->delivery.message.body = body;
    content->stage = SL_CONTENT_NONE;
    return content->is_return ? SL_CONTENT_RETURNED : SL_CONTENT_DELIVERED;
}

static enum sl_content_step refuse(struct sl_err *err, const char *what)
{
    sl_fail(err, SL_E_AMQP_PROTOCOL, "%s", what);
    return SL_CONTENT_BAD;
}
