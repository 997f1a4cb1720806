#include <amqp.h>
#include <amqp_framing.h>

#include "shared/amqp/amqp_wire.h"

#define TAIL_BYTES          1u  /* the frame-end octet */
#define METHOD_ID_BYTES     4u  /* class and method */
#define CONTENT_HEAD_BYTES  12u /* class, weight, body size */
#define HEADER_NAME_MAX     128u /* AMQP 0-9-1, 4.2.5.5: names of fields are at most 128 characters */
#define CHANNEL_CONNECTION  0u
#define CHANNEL_ONLY        1u
#define CHANNELS_MAX        1u
#define DELIVERY_PERSISTENT 2u
#define CREDIT_METHOD                                                                              \
    0x003c00c8u /* basic.credit: short string, 32 bits of credit, a bit for draining */
#define CREDIT_TAIL_BYTES 5u

static bool put_method(const struct sl_wire *wire, struct sl_buf *out, unsigned channel,
                       uint32_t id, void *fields, struct sl_err *err);
static void finish_frame(struct sl_buf *out, char *frame, unsigned type, unsigned channel,
                         size_t payload_bytes);
static bool put_header(const struct sl_wire *wire, struct sl_buf *out,
                       const struct sl_amqp_message *message, struct sl_err *err);
static bool put_body(const struct sl_wire *wire, struct sl_buf *out, struct sl_span body,
                     struct sl_err *err);
static bool table_of(const struct sl_amqp_header *headers, size_t header_count,
                     amqp_table_entry_t *entries, amqp_table_t *out_table, struct sl_err *err);
static void write_u16(char *at, unsigned value);
static void write_u32(char *at, uint32_t value);
static amqp_bytes_t bytes_of(struct sl_span span);

bool sl_wire_put_protocol(struct sl_buf *out, struct sl_err *err)
{
    static const char header[] = { 'A', 'M', 'Q', 'P', 0, 0, 9, 1 };
    return sl_buf_append(out, header, sizeof header) ||
           sl_fail(err, SL_E_MEMORY, "no memory for a frame");
}

bool sl_wire_put_start_ok(const struct sl_wire *wire, struct sl_buf *out,
                          const struct sl_wire_login *login, struct sl_err *err)
{
    static const char *const capabilities[] = {
        "publisher_confirms",           "basic.nack",
        "consumer_cancel_notify",       "connection.blocked",
        "authentication_failure_close", "exchange_exchange_bindings",
    };
    amqp_table_entry_t able[SL_COUNT(capabilities)];
    for (size_t i = 0; i < SL_COUNT(capabilities); i++) {
        able[i] = (amqp_table_entry_t){ .key = amqp_cstring_bytes(capabilities[i]),
                                        .value = { .kind = AMQP_FIELD_KIND_BOOLEAN,
                                                   .value.boolean = 1 } };
    }
    const char *const texts[][2] = {
        { "product", "sluice" },
        { "version", SLUICE_VERSION },
        { "platform", "C" },
        { "connection_name", login->connection_name },
    };
    amqp_table_entry_t entries[SL_COUNT(texts) + 1];
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        entries[i] =
            (amqp_table_entry_t){ .key = amqp_cstring_bytes(texts[i][0]),
                                  .value = { .kind = AMQP_FIELD_KIND_UTF8,
                                             .value.bytes = amqp_cstring_bytes(texts[i][1]) } };
    }
    entries[SL_COUNT(texts)] =
        (amqp_table_entry_t){ .key = amqp_cstring_bytes("capabilities"),
                              .value = { .kind = AMQP_FIELD_KIND_TABLE,
                                         .value.table = { (int)SL_COUNT(able), able } } };

    SL_DONE(sl_buf_done) struct sl_buf secret = { 0 };
    sl_buf_init(&secret, 2 * (SL_WIRE_NAME_BYTES_MAX + 1));
    sl_buf_append_char(&secret, '\0');
    sl_buf_append_text(&secret, login->user);
    sl_buf_append_char(&secret, '\0');
    sl_buf_append_text(&secret, login->password);
    bool put = false;
    if (sl_buf_ok(&secret)) {
        amqp_connection_start_ok_t fields = {
            .client_properties = { (int)SL_COUNT(entries), entries },
            .mechanism = amqp_cstring_bytes("PLAIN"),
            .response = bytes_of(sl_buf_span(&secret)),
            .locale = amqp_cstring_bytes("en_US"),
        };
        put = put_method(wire, out, CHANNEL_CONNECTION, AMQP_CONNECTION_START_OK_METHOD, &fields,
                         err);
    } else {
        sl_fail(err, SL_E_LIMIT, "user or password longer than %u bytes", SL_WIRE_NAME_BYTES_MAX);
    }
    if (secret.data != NULL) {
        explicit_bzero(secret.data, secret.room_bytes);
    }
    return put;
}

bool sl_wire_put_tune_ok(const struct sl_wire *wire, struct sl_buf *out, uint16_t heartbeat_s,
                         struct sl_err *err)
{
    amqp_connection_tune_ok_t fields = { .channel_max = CHANNELS_MAX,
                                         .frame_max = sl_wire_frame_bytes_max(wire),
                                         .heartbeat = heartbeat_s };
    return put_method(wire, out, CHANNEL_CONNECTION, AMQP_CONNECTION_TUNE_OK_METHOD, &fields, err);
}

bool sl_wire_put_open(const struct sl_wire *wire, struct sl_buf *out, const char *vhost,
                      struct sl_err *err)
{
    amqp_connection_open_t fields = { .virtual_host = amqp_cstring_bytes(vhost) };
    return put_method(wire, out, CHANNEL_CONNECTION, AMQP_CONNECTION_OPEN_METHOD, &fields, err);
}

bool sl_wire_put_channel_open(const struct sl_wire *wire, struct sl_buf *out, struct sl_err *err)
{
    amqp_channel_open_t fields = { 0 };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_CHANNEL_OPEN_METHOD, &fields, err);
}

bool sl_wire_put_select(const struct sl_wire *wire, struct sl_buf *out, struct sl_err *err)
{
    amqp_confirm_select_t fields = { 0 };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_CONFIRM_SELECT_METHOD, &fields, err);
}

bool sl_wire_put_heartbeat(struct sl_buf *out, struct sl_err *err)
{
    char *frame = sl_buf_reserve(out, SL_WIRE_HEAD_BYTES + TAIL_BYTES);
    if (frame == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a heartbeat");
    }
    finish_frame(out, frame, AMQP_FRAME_HEARTBEAT, CHANNEL_CONNECTION, 0);
    return true;
}

bool sl_wire_put_close(const struct sl_wire *wire, struct sl_buf *out, struct sl_err *err)
{
    amqp_connection_close_t fields = { .reply_code = AMQP_REPLY_SUCCESS,
                                       .reply_text = amqp_cstring_bytes("bye") };
    return put_method(wire, out, CHANNEL_CONNECTION, AMQP_CONNECTION_CLOSE_METHOD, &fields, err);
}

bool sl_wire_put_close_ok(const struct sl_wire *wire, struct sl_buf *out, struct sl_err *err)
{
    amqp_connection_close_ok_t fields = { 0 };
    return put_method(wire, out, CHANNEL_CONNECTION, AMQP_CONNECTION_CLOSE_OK_METHOD, &fields, err);
}

bool sl_wire_put_channel_close_ok(const struct sl_wire *wire, struct sl_buf *out,
                                  struct sl_err *err)
{
    amqp_channel_close_ok_t fields = { 0 };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_CHANNEL_CLOSE_OK_METHOD, &fields, err);
}

bool sl_wire_put_publish(const struct sl_wire *wire, struct sl_buf *out,
                         const struct sl_amqp_message *message, struct sl_err *err)
{
    if (message->routing_key.bytes > SL_WIRE_NAME_BYTES_MAX ||
        message->message_id.bytes > SL_WIRE_NAME_BYTES_MAX ||
        message->content_type.bytes > SL_WIRE_NAME_BYTES_MAX ||
        message->app_id.bytes > SL_WIRE_NAME_BYTES_MAX) {
        return sl_fail(err, SL_E_LIMIT,
                       "routing key, message id, content type and app id are at most %u bytes",
                       SL_WIRE_NAME_BYTES_MAX);
    }
    if (message->body.bytes > out->bytes_max) {
        return sl_fail(err, SL_E_LIMIT, "message of %zu bytes is too large", message->body.bytes);
    }
    amqp_basic_publish_t fields = { .exchange = amqp_cstring_bytes(message->exchange),
                                    .routing_key = bytes_of(message->routing_key),
                                    .mandatory = 1 };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_BASIC_PUBLISH_METHOD, &fields, err) &&
           put_header(wire, out, message, err) && put_body(wire, out, message->body, err);
}

static bool put_header(const struct sl_wire *wire, struct sl_buf *out,
                       const struct sl_amqp_message *message, struct sl_err *err)
{
    amqp_table_entry_t entries[SL_AMQP_HEADERS_MAX];
    amqp_basic_properties_t basic = { ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                      .delivery_mode = DELIVERY_PERSISTENT };
    if (!table_of(message->headers, message->header_count, entries, &basic.headers, err)) {
        return false;
    }
    if (message->header_count > 0) {
        basic._flags |= AMQP_BASIC_HEADERS_FLAG;
    }
    if (message->content_type.data != NULL) {
        basic._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
        basic.content_type = bytes_of(message->content_type);
    }
    if (message->message_id.data != NULL) {
        basic._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        basic.message_id = bytes_of(message->message_id);
    }
    if (message->timestamp_s > 0) {
        basic._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        basic.timestamp = (uint64_t)message->timestamp_s;
    }
    if (message->type.data != NULL && message->type.bytes <= SL_WIRE_NAME_BYTES_MAX) {
        basic._flags |= AMQP_BASIC_TYPE_FLAG;
        basic.type = bytes_of(message->type);
    }
    if (message->app_id.data != NULL) {
        basic._flags |= AMQP_BASIC_APP_ID_FLAG;
        basic.app_id = bytes_of(message->app_id);
    }

    char *frame = sl_buf_reserve(out, sl_wire_frame_bytes_max(wire));
    if (frame == NULL) {
        return sl_fail(err, SL_E_LIMIT, "message too large");
    }
    char *payload = frame + SL_WIRE_HEAD_BYTES;
    write_u16(payload, AMQP_BASIC_CLASS);
    write_u16(payload + 2, 0);
    write_u32(payload + 4, (uint32_t)((uint64_t)message->body.bytes >> 32));
    write_u32(payload + 8, (uint32_t)message->body.bytes);
    size_t room =
        sl_wire_frame_bytes_max(wire) - SL_WIRE_HEAD_BYTES - CONTENT_HEAD_BYTES - TAIL_BYTES;
    int used = amqp_encode_properties(AMQP_BASIC_CLASS, &basic,
                                      (amqp_bytes_t){ room, payload + CONTENT_HEAD_BYTES });
    if (used < 0) {
        return sl_fail(err, SL_E_LIMIT, "properties and headers of a message do not fit a frame");
    }
    finish_frame(out, frame, AMQP_FRAME_HEADER, CHANNEL_ONLY, CONTENT_HEAD_BYTES + (size_t)used);
    return true;
}

static bool put_body(const struct sl_wire *wire, struct sl_buf *out, struct sl_span body,
                     struct sl_err *err)
{
    size_t part_bytes_max = sl_wire_frame_bytes_max(wire) - SL_WIRE_HEAD_BYTES - TAIL_BYTES;
    for (size_t at = 0; at < body.bytes;) {
        size_t left = body.bytes - at;
        size_t part = left < part_bytes_max ? left : part_bytes_max;
        char *frame = sl_buf_reserve(out, part + SL_WIRE_HEAD_BYTES + TAIL_BYTES);
        if (frame == NULL) {
            return sl_fail(err, SL_E_LIMIT, "message of %zu bytes is too large", body.bytes);
        }
        memcpy(frame + SL_WIRE_HEAD_BYTES, body.data + at, part);
        finish_frame(out, frame, AMQP_FRAME_BODY, CHANNEL_ONLY, part);
        at += part;
    }
    return true;
}

bool sl_wire_put_consume(const struct sl_wire *wire, struct sl_buf *out, const char *queue,
                         const char *consumer_tag, uint16_t prefetch, struct sl_err *err)
{
    amqp_basic_qos_t qos = { .prefetch_count = prefetch };
    amqp_basic_consume_t consume = { .queue = amqp_cstring_bytes(queue),
                                     .consumer_tag = amqp_cstring_bytes(consumer_tag) };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_BASIC_QOS_METHOD, &qos, err) &&
           put_method(wire, out, CHANNEL_ONLY, AMQP_BASIC_CONSUME_METHOD, &consume, err);
}

bool sl_wire_put_cancel(const struct sl_wire *wire, struct sl_buf *out, const char *consumer_tag,
                        struct sl_err *err)
{
    amqp_basic_cancel_t fields = { .consumer_tag = amqp_cstring_bytes(consumer_tag) };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_BASIC_CANCEL_METHOD, &fields, err);
}

bool sl_wire_put_no_credit(struct sl_buf *out, const char *consumer_tag, struct sl_err *err)
{
    struct sl_span tag = sl_span_of(consumer_tag);
    size_t payload_bytes = METHOD_ID_BYTES + 1 + tag.bytes + CREDIT_TAIL_BYTES;
    char *frame = tag.bytes <= SL_WIRE_NAME_BYTES_MAX
                      ? sl_buf_reserve(out, SL_WIRE_HEAD_BYTES + payload_bytes + TAIL_BYTES)
                      : NULL;
    if (frame == NULL) {
        return sl_fail(err, SL_E_LIMIT, "no room for a method frame");
    }
    char *payload = frame + SL_WIRE_HEAD_BYTES;
    write_u32(payload, CREDIT_METHOD);
    payload[METHOD_ID_BYTES] = (char)tag.bytes;
    memcpy(payload + METHOD_ID_BYTES + 1, tag.data, tag.bytes);
    memset(payload + METHOD_ID_BYTES + 1 + tag.bytes, 0, CREDIT_TAIL_BYTES);
    finish_frame(out, frame, AMQP_FRAME_METHOD, CHANNEL_ONLY, payload_bytes);
    return true;
}

bool sl_wire_put_ack(const struct sl_wire *wire, struct sl_buf *out, uint64_t tag, bool multiple,
                     struct sl_err *err)
{
    amqp_basic_ack_t fields = { .delivery_tag = tag, .multiple = multiple };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_BASIC_ACK_METHOD, &fields, err);
}

bool sl_wire_put_nack(const struct sl_wire *wire, struct sl_buf *out, uint64_t tag, bool multiple,
                      bool requeue, struct sl_err *err)
{
    amqp_basic_nack_t fields = { .delivery_tag = tag, .multiple = multiple, .requeue = requeue };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_BASIC_NACK_METHOD, &fields, err);
}

bool sl_wire_put_declare(const struct sl_wire *wire, struct sl_buf *out,
                         const struct sl_amqp_declare *declare, struct sl_err *err)
{
    amqp_table_entry_t entries[SL_AMQP_HEADERS_MAX];
    amqp_table_t arguments = { 0 };
    if (!table_of(declare->arguments, declare->argument_count, entries, &arguments, err)) {
        return false;
    }
    amqp_bytes_t name = amqp_cstring_bytes(declare->name);
    amqp_bytes_t source = bytes_of(sl_span_of(declare->source));
    amqp_bytes_t routing_key = bytes_of(sl_span_of(declare->routing_key));
    switch (declare->kind) {
    case SL_AMQP_DECLARE_EXCHANGE: {
        amqp_exchange_declare_t fields = { .exchange = name,
                                           .type = bytes_of(sl_span_of(declare->type)),
                                           .passive = declare->passive,
                                           .durable = 1,
                                           .arguments = arguments };
        return put_method(wire, out, CHANNEL_ONLY, AMQP_EXCHANGE_DECLARE_METHOD, &fields, err);
    }
    case SL_AMQP_DECLARE_QUEUE: {
        amqp_queue_declare_t fields = {
            .queue = name, .passive = declare->passive, .durable = 1, .arguments = arguments
        };
        return put_method(wire, out, CHANNEL_ONLY, AMQP_QUEUE_DECLARE_METHOD, &fields, err);
    }
    case SL_AMQP_BIND_QUEUE: {
        amqp_queue_bind_t fields = {
            .queue = name, .exchange = source, .routing_key = routing_key, .arguments = arguments
        };
        return put_method(wire, out, CHANNEL_ONLY, AMQP_QUEUE_BIND_METHOD, &fields, err);
    }
    case SL_AMQP_BIND_EXCHANGE: {
        amqp_exchange_bind_t fields = { .destination = name,
                                        .source = source,
                                        .routing_key = routing_key,
                                        .arguments = arguments };
        return put_method(wire, out, CHANNEL_ONLY, AMQP_EXCHANGE_BIND_METHOD, &fields, err);
    }
    }
    return sl_fail(err, SL_E_BUG, "declaration of unknown kind");
}

static bool table_of(const struct sl_amqp_header *headers, size_t header_count,
                     amqp_table_entry_t *entries, amqp_table_t *out_table, struct sl_err *err)
{
    if (header_count > SL_AMQP_HEADERS_MAX) {
        return sl_fail(err, SL_E_LIMIT, "%zu headers, at most %u travel", header_count,
                       SL_AMQP_HEADERS_MAX);
    }
    for (size_t i = 0; i < header_count; i++) {
        const struct sl_amqp_header *header = &headers[i];
        amqp_bytes_t name = amqp_cstring_bytes(header->name);
        if (name.len == 0 || name.len > HEADER_NAME_MAX) {
            return sl_fail(err, SL_E_LIMIT, "a header's name has 1 to %u bytes", HEADER_NAME_MAX);
        }
        entries[i] = (amqp_table_entry_t){ .key = name };
        if (header->text.data != NULL) {
            entries[i].value.kind = AMQP_FIELD_KIND_UTF8;
            entries[i].value.value.bytes = bytes_of(header->text);
        } else {
            entries[i].value.kind = AMQP_FIELD_KIND_I64;
            entries[i].value.value.i64 = header->number;
        }
    }
    *out_table = (amqp_table_t){ (int)header_count, entries };
    return true;
}

static bool put_method(const struct sl_wire *wire, struct sl_buf *out, unsigned channel,
                       uint32_t id, void *fields, struct sl_err *err)
{
    char *frame = sl_buf_reserve(out, sl_wire_frame_bytes_max(wire));
    if (frame == NULL) {
        return sl_fail(err, SL_E_LIMIT, "no room for a method frame");
    }
    char *payload = frame + SL_WIRE_HEAD_BYTES;
    size_t room = sl_wire_frame_bytes_max(wire) - SL_WIRE_HEAD_BYTES - METHOD_ID_BYTES - TAIL_BYTES;
    write_u32(payload, id);
    int used = amqp_encode_method(id, fields, (amqp_bytes_t){ room, payload + METHOD_ID_BYTES });
    if (used < 0) {
        return sl_fail(err, SL_E_LIMIT, "a name in method %u.%u is longer than %u bytes", id >> 16,
                       id & 0xffff, SL_WIRE_NAME_BYTES_MAX);
    }
    finish_frame(out, frame, AMQP_FRAME_METHOD, channel, METHOD_ID_BYTES + (size_t)used);
    return true;
}

/* frame: reserved bytes whose payload is in place. */
static void finish_frame(struct sl_buf *out, char *frame, unsigned type, unsigned channel,
                         size_t payload_bytes)
{
    frame[0] = (char)type;
    write_u16(frame + 1, channel);
    write_u32(frame + 3, (uint32_t)payload_bytes);
    frame[SL_WIRE_HEAD_BYTES + payload_bytes] = (char)AMQP_FRAME_END;
    sl_buf_commit(out, SL_WIRE_HEAD_BYTES + payload_bytes + TAIL_BYTES);
}

static void write_u16(char *at, unsigned value)
{
    at[0] = (char)(value >> 8);
    at[1] = (char)value;
}

static void write_u32(char *at, uint32_t value)
{
    write_u16(at, value >> 16);
    write_u16(at + 2, value & 0xffff);
}

static amqp_bytes_t bytes_of(struct sl_span span)
{
    return (amqp_bytes_t){ span.bytes, (void *)(uintptr_t)span.data };
}
