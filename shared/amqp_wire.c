#include "shared/amqp_wire.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <stdlib.h>

#include "shared/amqp_table.h"

#define TAIL_BYTES         1u  /* the frame-end octet */
#define METHOD_ID_BYTES    4u  /* class and method */
#define CONTENT_HEAD_BYTES 12u /* class, weight, body size */
#define START_HEAD_BYTES   2u  /* protocol version in front of connection.start's table */
#define POOL_PAGE_BYTES                                                                            \
    8192u /* of the decoder; larger pieces are separate and freed with the frame */
#define HEADER_NAME_MAX     128u /* AMQP 0-9-1, 4.2.5.5: names of fields are at most 128 characters */
#define CHANNEL_CONNECTION  0u
#define CHANNEL_ONLY        1u
#define CHANNELS_MAX        1u
#define DELIVERY_PERSISTENT 2u
#define FLAGS_CONTINUED     0x0001u /* another flag word follows; class basic has only one */
#define FLAG_CONTENT_TYPE   0x8000u
#define FLAG_ENCODING       0x4000u
#define FLAG_HEADERS        0x2000u

struct sl_wire {
    amqp_pool_t frame_pool;   /* what one frame decodes to */
    amqp_pool_t content_pool; /* one RETURN or DELIVER and its header: copied there, then decoded */
    struct sl_amqp_header headers[SL_AMQP_HEADERS_MAX];
    uint32_t frame_bytes_max;
};

static uint16_t read_u16(const unsigned char *at);
static uint32_t read_u32(const unsigned char *at);
static void write_u16(char *at, unsigned value);
static void write_u32(char *at, uint32_t value);
static struct sl_span span_of(amqp_bytes_t bytes);
static amqp_bytes_t bytes_of(struct sl_span span);
static bool bad(struct sl_err *err, const char *what);

static bool decode_method(struct sl_wire *wire, unsigned channel, struct sl_span payload,
                          struct sl_wire_frame *out, struct sl_err *err);
static bool fill_connection(uint32_t id, const void *fields, struct sl_wire_frame *out);
static bool fill_channel(uint32_t id, const void *fields, struct sl_wire_frame *out);
static bool fill_basic(uint32_t id, const void *fields, struct sl_wire_frame *out);
static bool decode_header(struct sl_wire *wire, struct sl_span payload, struct sl_wire_frame *out,
                          struct sl_err *err);
static bool headers_are_sound(struct sl_span properties);
static bool take_header(struct sl_wire *wire, const amqp_table_entry_t *entry,
                        struct sl_amqp_header *out_header);
static bool keep(amqp_pool_t *pool, struct sl_span *span);

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

static const char *const kind_names[] = {
    [SL_WIRE_HEARTBEAT] = "heartbeat",
    [SL_WIRE_START] = "connection.start",
    [SL_WIRE_TUNE] = "connection.tune",
    [SL_WIRE_OPEN_OK] = "connection.open-ok",
    [SL_WIRE_CLOSE] = "connection.close",
    [SL_WIRE_CLOSE_OK] = "connection.close-ok",
    [SL_WIRE_BLOCKED] = "connection.blocked",
    [SL_WIRE_UNBLOCKED] = "connection.unblocked",
    [SL_WIRE_CHANNEL_OPEN_OK] = "channel.open-ok",
    [SL_WIRE_CHANNEL_CLOSE] = "channel.close",
    [SL_WIRE_CHANNEL_CLOSE_OK] = "channel.close-ok",
    [SL_WIRE_SELECT_OK] = "confirm.select-ok",
    [SL_WIRE_ACK] = "basic.ack",
    [SL_WIRE_NACK] = "basic.nack",
    [SL_WIRE_RETURN] = "basic.return",
    [SL_WIRE_DELIVER] = "basic.deliver",
    [SL_WIRE_CANCEL] = "basic.cancel",
    [SL_WIRE_CANCEL_OK] = "basic.cancel-ok",
    [SL_WIRE_CONSUME_OK] = "basic.consume-ok",
    [SL_WIRE_QOS_OK] = "basic.qos-ok",
    [SL_WIRE_EXCHANGE_OK] = "exchange.declare-ok",
    [SL_WIRE_QUEUE_OK] = "queue.declare-ok",
    [SL_WIRE_BIND_OK] = "bind-ok",
    [SL_WIRE_CONTENT_HEADER] = "content header",
    [SL_WIRE_CONTENT_BODY] = "content body",
};

const char *sl_wire_kind_name(enum sl_wire_kind kind)
{
    SL_ASSERT((size_t)kind < SL_COUNT(kind_names));
    return kind_names[kind];
}

struct sl_wire *sl_wire_new(struct sl_err *err)
{
    struct sl_wire *wire = calloc(1, sizeof *wire);
    if (wire == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the AMQP codec");
        return NULL;
    }
    init_amqp_pool(&wire->frame_pool, POOL_PAGE_BYTES);
    init_amqp_pool(&wire->content_pool, POOL_PAGE_BYTES);
    sl_wire_reset(wire);
    return wire;
}

void sl_wire_free(struct sl_wire *wire)
{
    if (wire != NULL) {
        empty_amqp_pool(&wire->frame_pool);
        empty_amqp_pool(&wire->content_pool);
        free(wire);
    }
}

void sl_wire_reset(struct sl_wire *wire)
{
    recycle_amqp_pool(&wire->frame_pool);
    recycle_amqp_pool(&wire->content_pool);
    wire->frame_bytes_max = SL_WIRE_FRAME_BYTES_MAX;
}

void sl_wire_set_frame_bytes_max(struct sl_wire *wire, uint32_t bytes_max)
{
    SL_ASSERT(bytes_max >= SL_WIRE_FRAME_BYTES_MIN);
    SL_ASSERT(bytes_max <= SL_WIRE_FRAME_BYTES_MAX);
    wire->frame_bytes_max = bytes_max;
}

bool sl_wire_measure(const struct sl_wire *wire, const unsigned char *head, size_t *out_bytes,
                     struct sl_err *err)
{
    unsigned type = head[0];
    unsigned channel = read_u16(head + 1);
    size_t bytes = (size_t)read_u32(head + 3) + SL_WIRE_HEAD_BYTES + TAIL_BYTES;

    if (memcmp(head, "AMQP", 4) == 0) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "the broker does not speak AMQP 0-9-1");
    }
    if (type != AMQP_FRAME_METHOD && type != AMQP_FRAME_HEADER && type != AMQP_FRAME_BODY &&
        type != AMQP_FRAME_HEARTBEAT) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "frame of unknown type %u", type);
    }
    if (channel > CHANNEL_ONLY) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "frame on channel %u, which is not open", channel);
    }
    if (bytes > wire->frame_bytes_max) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "frame of %zu bytes, agreed were %u", bytes,
                       (unsigned)wire->frame_bytes_max);
    }
    *out_bytes = bytes;
    return true;
}

bool sl_wire_decode(struct sl_wire *wire, struct sl_span frame, struct sl_wire_frame *out_frame,
                    struct sl_err *err)
{
    SL_ASSERT(frame.bytes >= SL_WIRE_HEAD_BYTES + TAIL_BYTES);
    const unsigned char *raw = (const unsigned char *)frame.data;
    unsigned channel = read_u16(raw + 1);
    struct sl_span payload = { frame.data + SL_WIRE_HEAD_BYTES,
                               frame.bytes - SL_WIRE_HEAD_BYTES - TAIL_BYTES };
    if (raw[frame.bytes - 1] != AMQP_FRAME_END) {
        return bad(err, "frame without its end octet");
    }
    recycle_amqp_pool(&wire->frame_pool);

    struct sl_wire_frame out = { 0 };
    bool decoded = false;
    switch (raw[0]) {
    case AMQP_FRAME_METHOD:
        decoded = decode_method(wire, channel, payload, &out, err);
        break;
    case AMQP_FRAME_HEADER:
        decoded = channel == CHANNEL_ONLY ? decode_header(wire, payload, &out, err)
                                          : bad(err, "content on channel 0");
        break;
    case AMQP_FRAME_BODY:
        out.kind = SL_WIRE_CONTENT_BODY;
        out.body = payload;
        decoded = channel == CHANNEL_ONLY || bad(err, "content on channel 0");
        break;
    default: /* measured before: a heartbeat */
        out.kind = SL_WIRE_HEARTBEAT;
        decoded = (channel == CHANNEL_CONNECTION && payload.bytes == 0) ||
                  bad(err, "heartbeat with a channel or a payload");
        break;
    }
    if (decoded) {
        *out_frame = out;
    }
    return decoded;
}

static bool decode_method(struct sl_wire *wire, unsigned channel, struct sl_span payload,
                          struct sl_wire_frame *out, struct sl_err *err)
{
    if (payload.bytes < METHOD_ID_BYTES) {
        return bad(err, "method frame without a method");
    }
    uint32_t id = read_u32((const unsigned char *)payload.data);
    bool is_connection = id >> 16 == AMQP_CONNECTION_CLASS;
    if (is_connection != (channel == CHANNEL_CONNECTION)) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "method %u.%u on channel %u", id >> 16, id & 0xffff,
                       channel);
    }

    amqp_pool_t *pool = &wire->frame_pool;
    if (id == AMQP_BASIC_RETURN_METHOD || id == AMQP_BASIC_DELIVER_METHOD) {
        pool = &wire->content_pool;
        recycle_amqp_pool(pool);
        if (!keep(pool, &payload)) {
            return sl_fail(err, SL_E_MEMORY, "no memory for a delivery");
        }
    }
    struct sl_span fields_bytes = { payload.data + METHOD_ID_BYTES,
                                    payload.bytes - METHOD_ID_BYTES };
    if (id == AMQP_CONNECTION_START_METHOD &&
        (fields_bytes.bytes < START_HEAD_BYTES ||
         !sl_amqp_table_is_sound((struct sl_span){ fields_bytes.data + START_HEAD_BYTES,
                                                   fields_bytes.bytes - START_HEAD_BYTES }))) {
        return bad(err, "connection.start with a malformed table");
    }

    void *fields = NULL;
    if (amqp_decode_method(id, pool, bytes_of(fields_bytes), &fields) < 0 || fields == NULL) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "method %u.%u is malformed or unknown", id >> 16,
                       id & 0xffff);
    }
    if (!fill_connection(id, fields, out) && !fill_channel(id, fields, out) &&
        !fill_basic(id, fields, out)) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "method %u.%u was not asked for", id >> 16,
                       id & 0xffff);
    }
    return true;
}

static bool fill_connection(uint32_t id, const void *fields, struct sl_wire_frame *out)
{
    switch (id) {
    case AMQP_CONNECTION_START_METHOD: {
        const amqp_connection_start_t *start = fields;
        out->kind = SL_WIRE_START;
        out->start.mechanisms = span_of(start->mechanisms);
        return true;
    }
    case AMQP_CONNECTION_TUNE_METHOD: {
        const amqp_connection_tune_t *tune = fields;
        out->kind = SL_WIRE_TUNE;
        out->tune.channel_max = tune->channel_max;
        out->tune.frame_bytes_max = tune->frame_max;
        out->tune.heartbeat_s = tune->heartbeat;
        return true;
    }
    case AMQP_CONNECTION_OPEN_OK_METHOD:
        out->kind = SL_WIRE_OPEN_OK;
        return true;
    case AMQP_CONNECTION_CLOSE_METHOD: {
        const amqp_connection_close_t *close = fields;
        out->kind = SL_WIRE_CLOSE;
        out->close.code = close->reply_code;
        out->close.text = span_of(close->reply_text);
        return true;
    }
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
        out->kind = SL_WIRE_CLOSE_OK;
        return true;
    case AMQP_CONNECTION_BLOCKED_METHOD: {
        const amqp_connection_blocked_t *blocked = fields;
        out->kind = SL_WIRE_BLOCKED;
        out->blocked.reason = span_of(blocked->reason);
        return true;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        out->kind = SL_WIRE_UNBLOCKED;
        return true;
    default:
        return false;
    }
}

static bool fill_channel(uint32_t id, const void *fields, struct sl_wire_frame *out)
{
    switch (id) {
    case AMQP_CHANNEL_OPEN_OK_METHOD:
        out->kind = SL_WIRE_CHANNEL_OPEN_OK;
        return true;
    case AMQP_CHANNEL_CLOSE_METHOD: {
        const amqp_channel_close_t *close = fields;
        out->kind = SL_WIRE_CHANNEL_CLOSE;
        out->close.code = close->reply_code;
        out->close.text = span_of(close->reply_text);
        return true;
    }
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
        out->kind = SL_WIRE_CHANNEL_CLOSE_OK;
        return true;
    case AMQP_CONFIRM_SELECT_OK_METHOD:
        out->kind = SL_WIRE_SELECT_OK;
        return true;
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
        out->kind = SL_WIRE_EXCHANGE_OK;
        return true;
    case AMQP_QUEUE_DECLARE_OK_METHOD: {
        const amqp_queue_declare_ok_t *queue = fields;
        out->kind = SL_WIRE_QUEUE_OK;
        out->queue.message_count = queue->message_count;
        out->queue.consumer_count = queue->consumer_count;
        return true;
    }
    case AMQP_QUEUE_BIND_OK_METHOD:
    case AMQP_EXCHANGE_BIND_OK_METHOD:
        out->kind = SL_WIRE_BIND_OK;
        return true;
    default:
        return false;
    }
}

static bool fill_basic(uint32_t id, const void *fields, struct sl_wire_frame *out)
{
    switch (id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = fields;
        out->kind = SL_WIRE_ACK;
        out->settle.tag = ack->delivery_tag;
        out->settle.multiple = ack->multiple != 0;
        return true;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = fields;
        out->kind = SL_WIRE_NACK;
        out->settle.tag = nack->delivery_tag;
        out->settle.multiple = nack->multiple != 0;
        return true;
    }
    case AMQP_BASIC_RETURN_METHOD: {
        const amqp_basic_return_t *returned = fields;
        out->kind = SL_WIRE_RETURN;
        out->returned.code = returned->reply_code;
        out->returned.exchange = span_of(returned->exchange);
        out->returned.routing_key = span_of(returned->routing_key);
        return true;
    }
    case AMQP_BASIC_DELIVER_METHOD: {
        const amqp_basic_deliver_t *deliver = fields;
        out->kind = SL_WIRE_DELIVER;
        out->deliver.tag = deliver->delivery_tag;
        out->deliver.redelivered = deliver->redelivered != 0;
        out->deliver.exchange = span_of(deliver->exchange);
        out->deliver.routing_key = span_of(deliver->routing_key);
        return true;
    }
    case AMQP_BASIC_CANCEL_METHOD: {
        const amqp_basic_cancel_t *cancel = fields;
        out->kind = SL_WIRE_CANCEL;
        out->cancel.consumer_tag = span_of(cancel->consumer_tag);
        return true;
    }
    case AMQP_BASIC_CANCEL_OK_METHOD:
        out->kind = SL_WIRE_CANCEL_OK;
        return true;
    case AMQP_BASIC_CONSUME_OK_METHOD:
        out->kind = SL_WIRE_CONSUME_OK;
        return true;
    case AMQP_BASIC_QOS_OK_METHOD:
        out->kind = SL_WIRE_QOS_OK;
        return true;
    default:
        return false;
    }
}

static bool decode_header(struct sl_wire *wire, struct sl_span payload, struct sl_wire_frame *out,
                          struct sl_err *err)
{
    amqp_pool_t *pool = &wire->content_pool;
    if (payload.bytes < CONTENT_HEAD_BYTES + 2) {
        return bad(err, "content header too short");
    }
    if (!keep(pool, &payload)) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a delivery");
    }
    const unsigned char *head = (const unsigned char *)payload.data;
    struct sl_span encoded = { payload.data + CONTENT_HEAD_BYTES,
                               payload.bytes - CONTENT_HEAD_BYTES };
    void *decoded = NULL;
    if (read_u16(head) != AMQP_BASIC_CLASS || !headers_are_sound(encoded) ||
        amqp_decode_properties(AMQP_BASIC_CLASS, pool, bytes_of(encoded), &decoded) < 0) {
        return bad(err, "content header is malformed");
    }

    const amqp_basic_properties_t *basic = decoded;
    *out = (struct sl_wire_frame){ .kind = SL_WIRE_CONTENT_HEADER };
    out->content.body_bytes = (uint64_t)read_u32(head + 4) << 32 | read_u32(head + 8);
    struct sl_amqp_message *properties = &out->content.properties;
    if (basic->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG) {
        properties->content_type = span_of(basic->content_type);
    }
    if (basic->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
        properties->message_id = span_of(basic->message_id);
    }
    if (basic->_flags & AMQP_BASIC_TYPE_FLAG) {
        properties->type = span_of(basic->type);
    }
    if (basic->_flags & AMQP_BASIC_APP_ID_FLAG) {
        properties->app_id = span_of(basic->app_id);
    }
    if (basic->_flags & AMQP_BASIC_TIMESTAMP_FLAG && basic->timestamp <= INT64_MAX) {
        properties->timestamp_s = (int64_t)basic->timestamp;
    }
    int entry_count = basic->_flags & AMQP_BASIC_HEADERS_FLAG ? basic->headers.num_entries : 0;
    for (int i = 0; i < entry_count; i++) {
        if (properties->header_count < SL_AMQP_HEADERS_MAX &&
            take_header(wire, &basic->headers.entries[i],
                        &wire->headers[properties->header_count])) {
            properties->header_count++;
        } else {
            out->content.headers_left_out++;
        }
    }
    properties->headers = wire->headers;
    return true;
}

/* One flag word, and a header table that recursion may enter. It stands behind two short strings. */
static bool headers_are_sound(struct sl_span properties)
{
    const unsigned char *raw = (const unsigned char *)properties.data;
    unsigned flags = read_u16(raw);
    if ((flags & FLAGS_CONTINUED) != 0) {
        return false;
    }
    if ((flags & FLAG_HEADERS) == 0) {
        return true;
    }
    size_t at = 2;
    unsigned strings = (flags & FLAG_CONTENT_TYPE ? 1u : 0u) + (flags & FLAG_ENCODING ? 1u : 0u);
    for (unsigned i = 0; i < strings; i++) {
        if (at >= properties.bytes) {
            return false;
        }
        at += 1u + raw[at];
    }
    return at <= properties.bytes &&
           sl_amqp_table_is_sound((struct sl_span){ properties.data + at, properties.bytes - at });
}

/* False for kinds our own struct does not carry (tables, arrays, fractions). */
static bool take_header(struct sl_wire *wire, const amqp_table_entry_t *entry,
                        struct sl_amqp_header *out_header)
{
    struct sl_amqp_header header = { 0 };
    switch (entry->value.kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        header.text = span_of(entry->value.value.bytes);
        break;
    case AMQP_FIELD_KIND_BOOLEAN:
        header.number = entry->value.value.boolean != 0;
        break;
    case AMQP_FIELD_KIND_I8:
        header.number = entry->value.value.i8;
        break;
    case AMQP_FIELD_KIND_U8:
        header.number = entry->value.value.u8;
        break;
    case AMQP_FIELD_KIND_I16:
        header.number = entry->value.value.i16;
        break;
    case AMQP_FIELD_KIND_U16:
        header.number = entry->value.value.u16;
        break;
    case AMQP_FIELD_KIND_I32:
        header.number = entry->value.value.i32;
        break;
    case AMQP_FIELD_KIND_U32:
        header.number = entry->value.value.u32;
        break;
    case AMQP_FIELD_KIND_I64:
        header.number = entry->value.value.i64;
        break;
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        if (entry->value.value.u64 > INT64_MAX) {
            return false;
        }
        header.number = (int64_t)entry->value.value.u64;
        break;
    default:
        return false;
    }
    struct sl_span name = span_of(entry->key);
    if (!keep(&wire->content_pool, &name) || memchr(name.data, '\0', name.bytes) != NULL) {
        return false;
    }
    header.name = name.data;
    *out_header = header;
    return true;
}

/* Copies the bytes into the pool, with a NUL behind them. */
static bool keep(amqp_pool_t *pool, struct sl_span *span)
{
    char *copy = amqp_pool_alloc(pool, span->bytes + 1);
    if (copy == NULL) {
        return false;
    }
    if (span->bytes > 0) {
        memcpy(copy, span->data, span->bytes);
    }
    copy[span->bytes] = '\0';
    span->data = copy;
    return true;
}

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
                                         .frame_max = wire->frame_bytes_max,
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

    char *frame = sl_buf_reserve(out, wire->frame_bytes_max);
    if (frame == NULL) {
        return sl_fail(err, SL_E_LIMIT, "message too large");
    }
    char *payload = frame + SL_WIRE_HEAD_BYTES;
    write_u16(payload, AMQP_BASIC_CLASS);
    write_u16(payload + 2, 0);
    write_u32(payload + 4, (uint32_t)((uint64_t)message->body.bytes >> 32));
    write_u32(payload + 8, (uint32_t)message->body.bytes);
    size_t room = wire->frame_bytes_max - SL_WIRE_HEAD_BYTES - CONTENT_HEAD_BYTES - TAIL_BYTES;
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
    size_t part_bytes_max = wire->frame_bytes_max - SL_WIRE_HEAD_BYTES - TAIL_BYTES;
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
                         uint16_t prefetch, struct sl_err *err)
{
    amqp_basic_qos_t qos = { .prefetch_count = prefetch };
    amqp_basic_consume_t consume = { .queue = amqp_cstring_bytes(queue),
                                     .consumer_tag = amqp_cstring_bytes(queue) };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_BASIC_QOS_METHOD, &qos, err) &&
           put_method(wire, out, CHANNEL_ONLY, AMQP_BASIC_CONSUME_METHOD, &consume, err);
}

bool sl_wire_put_cancel(const struct sl_wire *wire, struct sl_buf *out, const char *consumer_tag,
                        struct sl_err *err)
{
    amqp_basic_cancel_t fields = { .consumer_tag = amqp_cstring_bytes(consumer_tag) };
    return put_method(wire, out, CHANNEL_ONLY, AMQP_BASIC_CANCEL_METHOD, &fields, err);
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
    char *frame = sl_buf_reserve(out, wire->frame_bytes_max);
    if (frame == NULL) {
        return sl_fail(err, SL_E_LIMIT, "no room for a method frame");
    }
    char *payload = frame + SL_WIRE_HEAD_BYTES;
    size_t room = wire->frame_bytes_max - SL_WIRE_HEAD_BYTES - METHOD_ID_BYTES - TAIL_BYTES;
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

static uint16_t read_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
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

/* Present, even when empty. */
static struct sl_span span_of(amqp_bytes_t bytes)
{
    return (struct sl_span){ bytes.bytes == NULL ? "" : bytes.bytes, bytes.len };
}

static amqp_bytes_t bytes_of(struct sl_span span)
{
    return (amqp_bytes_t){ span.bytes, (void *)(uintptr_t)span.data };
}

static bool bad(struct sl_err *err, const char *what)
{
    return sl_fail(err, SL_E_AMQP_PROTOCOL, "%s", what);
}
