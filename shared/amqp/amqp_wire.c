#include "shared/amqp/amqp_wire.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <stdlib.h>

#include "shared/amqp/amqp_table.h"
#include "shared/amqp/amqp_wire_method.h"

#define TAIL_BYTES         1u  /* the frame-end octet */
#define METHOD_ID_BYTES    4u  /* class and method */
#define CONTENT_HEAD_BYTES 12u /* class, weight, body size */
#define START_HEAD_BYTES   2u  /* protocol version in front of connection.start's table */
#define POOL_PAGE_BYTES                                                                            \
    8192u /* of the decoder; larger pieces are separate and freed with the frame */
#define CHANNEL_CONNECTION 0u
#define CHANNEL_ONLY       1u
#define FLAGS_CONTINUED    0x0001u /* another flag word follows; class basic has only one */
#define FLAG_CONTENT_TYPE  0x8000u
#define FLAG_ENCODING      0x4000u
#define FLAG_HEADERS       0x2000u
#define CREDIT_OK_METHOD   0x003c00c9u /* basic.credit-ok, which rabbitmq-c does not know */
#define CREDIT_OK_BYTES    4u          /* messages that wait */

struct sl_wire {
    amqp_pool_t frame_pool;   /* what one frame decodes to */
    amqp_pool_t content_pool; /* one RETURN or DELIVER and its header: copied there, then decoded */
    struct sl_amqp_header headers[SL_AMQP_HEADERS_MAX];
    uint32_t frame_bytes_max;
};

static uint16_t read_u16(const unsigned char *at);
static uint32_t read_u32(const unsigned char *at);
static struct sl_span span_of(amqp_bytes_t bytes);
static amqp_bytes_t bytes_of(struct sl_span span);
static bool bad(struct sl_err *err, const char *what);

static bool decode_method(struct sl_wire *wire, unsigned channel, struct sl_span payload,
                          struct sl_wire_frame *out, struct sl_err *err);
static bool decode_header(struct sl_wire *wire, struct sl_span payload, struct sl_wire_frame *out,
                          struct sl_err *err);
static bool headers_are_sound(struct sl_span properties);
static bool take_header(struct sl_wire *wire, const amqp_table_entry_t *entry,
                        struct sl_amqp_header *out_header);
static bool keep(amqp_pool_t *pool, struct sl_span *span);

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
    [SL_WIRE_CREDIT_OK] = "basic.credit-ok",
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

uint32_t sl_wire_frame_bytes_max(const struct sl_wire *wire)
{
    return wire->frame_bytes_max;
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

    if (id == CREDIT_OK_METHOD) {
        out->kind = SL_WIRE_CREDIT_OK;
        return payload.bytes == METHOD_ID_BYTES + CREDIT_OK_BYTES ||
               bad(err, "malformed basic.credit-ok");
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
    if (!sl_wire_method_says(id, fields, out)) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "method %u.%u was not asked for", id >> 16,
                       id & 0xffff);
    }
    return true;
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

static uint16_t read_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
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
