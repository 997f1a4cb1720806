/* The codec and the putting together of content: frames of a broker, and what we send read back by a plain reader. */
#include <stdlib.h>

#include "shared/amqp/amqp_content.h"
#include "shared/amqp/amqp_table.h"
#include "shared/amqp/amqp_wire.h"
#include "tests/support/amqp_bytes.h"
#include "tests/support/claims.h"

#define BODY_BYTES_MAX 100000u
#define NO_PROPERTIES  SL_SPAN_LITERAL("\0\0")

struct bench {
    struct sl_wire *wire;
    struct sl_content content;
    struct sl_buf in;
    struct sl_wire_frame frame; /* the last one */
    struct sl_err err;
    int frames;
    int delivered;
    int returned;
};

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){ 0 };
    bench->wire = sl_wire_new(&bench->err);
    CU_ASSERT_FATAL(bench->wire != NULL);
    sl_content_init(&bench->content, BODY_BYTES_MAX);
    sl_buf_init(&bench->in, 4u << 20);
}

static void bench_done(struct bench *bench)
{
    sl_wire_free(bench->wire);
    sl_content_done(&bench->content);
    sl_buf_done(&bench->in);
}

/* Reads whole frames from bytes, as the link does. False: refused, err is set. */
static bool feed(struct bench *bench, struct sl_span bytes, size_t *out_used)
{
    *out_used = 0;
    while (bytes.bytes - *out_used >= SL_WIRE_HEAD_BYTES) {
        const char *at = bytes.data + *out_used;
        size_t frame_bytes = 0;
        if (!sl_wire_measure(bench->wire, (const unsigned char *)at, &frame_bytes, &bench->err)) {
            return false;
        }
        if (bytes.bytes - *out_used < frame_bytes) {
            return true;
        }
        /* Exactly as large as the frame, so that the sanitizer sees one byte too many. */
        char *copy = malloc(frame_bytes);
        CU_ASSERT_FATAL(copy != NULL);
        memcpy(copy, at, frame_bytes);
        bool taken = sl_wire_decode(bench->wire, sl_span_make(copy, frame_bytes), &bench->frame,
                                    &bench->err);
        enum sl_content_step step = SL_CONTENT_BAD;
        if (taken) {
            step = sl_content_feed(&bench->content, &bench->frame, &bench->err);
            taken = step != SL_CONTENT_BAD;
        }
        bench->frames += taken;
        bench->delivered += step == SL_CONTENT_DELIVERED;
        bench->returned += step == SL_CONTENT_RETURNED;
        free(copy);
        if (!taken) {
            return false;
        }
        *out_used += frame_bytes;
    }
    return true;
}

static bool feed_in(struct bench *bench)
{
    size_t used = 0;
    bool taken = feed(bench, sl_buf_span(&bench->in), &used);
    sl_buf_reset(&bench->in);
    return taken;
}

static bool is_refused(struct bench *bench)
{
    bench->err = (struct sl_err){ 0 };
    bool refused = !feed_in(bench);
    CU_ASSERT(!refused || bench->err.code == SL_E_AMQP_PROTOCOL);
    return refused;
}

CLAIM(wire__reads_every_method_we_use)
{
    struct bench bench;
    bench_init(&bench);

    put_start(&bench.in, "PLAIN AMQPLAIN");
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT(bench.frame.kind == SL_WIRE_START);
    put_tune(&bench.in, 131072, 60);
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT(bench.frame.kind == SL_WIRE_TUNE);
    CU_ASSERT(bench.frame.tune.frame_bytes_max == 131072);
    CU_ASSERT(bench.frame.tune.heartbeat_s == 60);
    put_close(&bench.in, false, 320, "CONNECTION_FORCED");
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT(bench.frame.kind == SL_WIRE_CLOSE);
    CU_ASSERT(bench.frame.close.code == 320);
    put_settle(&bench.in, true, UINT64_C(0x8000000000000001), true);
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT(bench.frame.kind == SL_WIRE_ACK);
    CU_ASSERT(bench.frame.settle.tag == UINT64_C(0x8000000000000001));
    CU_ASSERT(bench.frame.settle.multiple);
    put_settle(&bench.in, false, 7, false);
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT(bench.frame.kind == SL_WIRE_NACK);
    CU_ASSERT(!bench.frame.settle.multiple);
    put_frame(&bench.in, HEARTBEAT, 0, SL_SPAN_LITERAL(""));
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT(bench.frame.kind == SL_WIRE_HEARTBEAT);

    static const struct {
        int channel;
        unsigned class_id, method_id;
        struct sl_span fields;
        enum sl_wire_kind kind;
    } rows[] = {
        { 0, 10, 41, SL_SPAN_LITERAL("\0"), SL_WIRE_OPEN_OK },
        { 0, 10, 51, SL_SPAN_LITERAL(""), SL_WIRE_CLOSE_OK },
        { 0, 10, 60, SL_SPAN_LITERAL("\3low"), SL_WIRE_BLOCKED },
        { 0, 10, 61, SL_SPAN_LITERAL(""), SL_WIRE_UNBLOCKED },
        { 1, 20, 11, SL_SPAN_LITERAL("\0\0\0\0"), SL_WIRE_CHANNEL_OPEN_OK },
        { 1, 20, 41, SL_SPAN_LITERAL(""), SL_WIRE_CHANNEL_CLOSE_OK },
        { 1, 85, 11, SL_SPAN_LITERAL(""), SL_WIRE_SELECT_OK },
        { 1, 60, 30, SL_SPAN_LITERAL("\1q\1"), SL_WIRE_CANCEL },
        { 1, 60, 31, SL_SPAN_LITERAL("\1q"), SL_WIRE_CANCEL_OK },
        { 1, 60, 21, SL_SPAN_LITERAL("\1q"), SL_WIRE_CONSUME_OK },
        { 1, 60, 11, SL_SPAN_LITERAL(""), SL_WIRE_QOS_OK },
        { 1, 40, 11, SL_SPAN_LITERAL(""), SL_WIRE_EXCHANGE_OK },
        { 1, 50, 11, SL_SPAN_LITERAL("\1q\0\0\0\5\0\0\0\2"), SL_WIRE_QUEUE_OK },
        { 1, 50, 21, SL_SPAN_LITERAL(""), SL_WIRE_BIND_OK },
        { 1, 40, 31, SL_SPAN_LITERAL(""), SL_WIRE_BIND_OK },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        put_method(&bench.in, rows[i].channel, rows[i].class_id, rows[i].method_id, rows[i].fields);
        CU_ASSERT(feed_in(&bench));
        CU_ASSERT(bench.frame.kind == rows[i].kind);
        CU_ASSERT(strlen(sl_wire_kind_name(rows[i].kind)) > 0);
        for (size_t cut = 0; cut < rows[i].fields.bytes; cut++) {
            put_method(&bench.in, rows[i].channel, rows[i].class_id, rows[i].method_id,
                       (struct sl_span){ rows[i].fields.data, cut });
            CU_ASSERT(is_refused(&bench));
        }
        put_method(&bench.in, !rows[i].channel, rows[i].class_id, rows[i].method_id,
                   rows[i].fields);
        CU_ASSERT(is_refused(&bench));
    }
    bench_done(&bench);
}

/* "invoice.paid" as type, "evt_1" as id, two headers we carry and two we do not. */
static void put_properties(struct sl_buf *out)
{
    static const char headers[] = "\7attemptl\0\0\0\0\0\0\0\3"
                                  "\5errorS\0\0\0\4nine"
                                  "\7x-deathA\0\0\0\0"
                                  "\4ratef\0\0\0\0";
    put_number(out, 0x8000 | 0x2000 | 0x0080 | 0x0040 | 0x0020 | 0x0008, 2);
    put_short(out, "application/msgpack");
    put_number(out, sizeof headers - 1, 4);
    sl_buf_append(out, headers, sizeof headers - 1);
    put_short(out, "evt_1");
    put_number(out, 1700000000, 8);
    put_short(out, "invoice.paid");
    put_short(out, "sluice");
}

static void put_delivery(struct sl_buf *out, struct sl_span body, size_t first_part)
{
    SL_DONE(sl_buf_done) struct sl_buf properties;
    sl_buf_init(&properties, 4096);
    put_properties(&properties);
    put_deliver(out, 42, "stripe.invoice.paid");
    put_header(out, body.bytes, sl_buf_span(&properties));
    put_frame(out, BODY, 1, (struct sl_span){ body.data, first_part });
    if (first_part < body.bytes) {
        put_frame(out, HEARTBEAT, 0, SL_SPAN_LITERAL(""));
        put_frame(out, BODY, 1,
                  (struct sl_span){ body.data + first_part, body.bytes - first_part });
    }
}

static void check_delivery(const struct sl_amqp_delivery *delivery, struct sl_span body)
{
    const struct sl_amqp_message *message = &delivery->message;
    CU_ASSERT(delivery->tag == 42);
    CU_ASSERT(delivery->redelivered);
    CU_ASSERT_STRING_EQUAL(message->exchange, "sluice.events");
    CU_ASSERT(sl_span_is(message->routing_key, "stripe.invoice.paid"));
    CU_ASSERT(sl_span_is(message->message_id, "evt_1"));
    CU_ASSERT(sl_span_is(message->type, "invoice.paid"));
    CU_ASSERT(sl_span_is(message->content_type, "application/msgpack"));
    CU_ASSERT(sl_span_is(message->app_id, "sluice"));
    CU_ASSERT(message->timestamp_s == 1700000000);
    CU_ASSERT_FATAL(message->header_count == 2);
    CU_ASSERT(delivery->headers_left_out == 2);
    CU_ASSERT_STRING_EQUAL(message->headers[0].name, "attempt");
    CU_ASSERT(message->headers[0].number == 3 && message->headers[0].text.data == NULL);
    CU_ASSERT_STRING_EQUAL(message->headers[1].name, "error");
    CU_ASSERT(sl_span_is(message->headers[1].text, "nine"));
    CU_ASSERT(body.bytes == message->body.bytes);
}

CLAIM(wire__a_delivery_is_put_together_wherever_the_stream_is_cut)
{
    struct sl_span body = SL_SPAN_LITERAL("the received bytes");
    SL_DONE(sl_buf_done) struct sl_buf stream;
    sl_buf_init(&stream, 8192);
    put_delivery(&stream, body, 5);
    for (size_t cut = 0; cut <= stream.used_bytes; cut++) {
        struct bench bench;
        size_t used = 0;
        size_t more = 0;
        bench_init(&bench);
        CU_ASSERT(feed(&bench, (struct sl_span){ stream.data, cut }, &used));
        CU_ASSERT(
            feed(&bench, (struct sl_span){ stream.data + used, stream.used_bytes - used }, &more));
        CU_ASSERT(used + more == stream.used_bytes);
        CU_ASSERT(bench.delivered == 1);
        CU_ASSERT(
            sl_span_eq(bench.content.delivery.message.body, body)); /* collected, not borrowed */
        check_delivery(&bench.content.delivery, body);
        bench_done(&bench);
    }
}

CLAIM(wire__a_body_in_one_frame_and_an_empty_body_are_deliveries_too)
{
    struct bench bench;
    bench_init(&bench);
    put_delivery(&bench.in, SL_SPAN_LITERAL("one"), 3);
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT(bench.delivered == 1);
    check_delivery(&bench.content.delivery, SL_SPAN_LITERAL("one"));
    put_deliver(&bench.in, 1, "k");
    put_header(&bench.in, 0, NO_PROPERTIES);
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT(bench.delivered == 2);
    CU_ASSERT(bench.content.delivery.message.body.bytes == 0);
    CU_ASSERT(bench.content.delivery.message.message_id.data == NULL);
    bench_done(&bench);
}

CLAIM(wire__a_returned_body_is_counted_and_not_kept)
{
    struct bench bench;
    static char body[60000];
    bench_init(&bench);
    put_return(&bench.in, "sluice.events", "k");
    put_header(&bench.in, 3 * sizeof body, SL_SPAN_LITERAL("\0\x80\5evt_7")); /* over the ceiling */
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(bench.returned == 0);
        put_frame(&bench.in, BODY, 1, sl_span_make(body, sizeof body));
        CU_ASSERT(feed_in(&bench));
    }
    CU_ASSERT(bench.returned == 1);
    CU_ASSERT(bench.content.body.room_bytes == 0);
    CU_ASSERT(sl_span_is(bench.content.delivery.message.message_id, "evt_7"));
    bench_done(&bench);
}

CLAIM(wire__a_body_over_the_limit_is_refused_before_it_is_kept)
{
    static const uint64_t sizes[] = { BODY_BYTES_MAX + 1, UINT64_C(1) << 32, UINT64_C(1) << 63,
                                      UINT64_MAX };
    for (size_t i = 0; i < SL_COUNT(sizes); i++) {
        struct bench bench;
        bench_init(&bench);
        put_deliver(&bench.in, 1, "k");
        put_header(&bench.in, sizes[i], NO_PROPERTIES);
        CU_ASSERT(is_refused(&bench));
        CU_ASSERT(bench.content.body.room_bytes == 0);
        bench_done(&bench);
    }
}

CLAIM(wire__content_out_of_order_is_refused)
{
    struct bench bench;
    for (int story = 0; story < 9; story++) {
        bench_init(&bench);
        switch (story) {
        case 0: /* a header from nowhere */
            put_header(&bench.in, 1, NO_PROPERTIES);
            break;
        case 1: /* a body from nowhere */
            put_frame(&bench.in, BODY, 1, SL_SPAN_LITERAL("x"));
            break;
        case 2: /* no header */
            put_deliver(&bench.in, 1, "k");
            put_frame(&bench.in, BODY, 1, SL_SPAN_LITERAL("x"));
            break;
        case 3: /* two methods */
            put_deliver(&bench.in, 1, "k");
            put_deliver(&bench.in, 2, "k");
            break;
        case 4: /* an ack in between */
            put_deliver(&bench.in, 1, "k");
            put_header(&bench.in, 1, NO_PROPERTIES);
            put_settle(&bench.in, true, 1, false);
            break;
        case 5: /* more than announced */
            put_deliver(&bench.in, 1, "k");
            put_header(&bench.in, 1, NO_PROPERTIES);
            put_frame(&bench.in, BODY, 1, SL_SPAN_LITERAL("xy"));
            break;
        case 6: /* more than announced, behind the whole */
            put_deliver(&bench.in, 1, "k");
            put_header(&bench.in, 1, NO_PROPERTIES);
            put_frame(&bench.in, BODY, 1, SL_SPAN_LITERAL("x"));
            put_frame(&bench.in, BODY, 1, SL_SPAN_LITERAL("x"));
            break;
        case 7: /* two headers */
            put_deliver(&bench.in, 1, "k");
            put_header(&bench.in, 1, NO_PROPERTIES);
            put_header(&bench.in, 1, NO_PROPERTIES);
            break;
        default: /* content of the connection */
            put_frame(&bench.in, BODY, 0, SL_SPAN_LITERAL("x"));
            break;
        }
        CU_ASSERT(is_refused(&bench));
        bench_done(&bench);
    }
}

CLAIM(wire__frames_of_wrong_size_type_channel_or_end_are_refused)
{
    struct bench bench;
    static char large[SL_WIRE_FRAME_BYTES_MAX];
    bench_init(&bench);
    put_frame(&bench.in, 4, 0, SL_SPAN_LITERAL("x"));
    CU_ASSERT(is_refused(&bench));
    put_frame(&bench.in, METHOD, 2, SL_SPAN_LITERAL("xxxx"));
    CU_ASSERT(is_refused(&bench));
    put_frame(&bench.in, METHOD, 65535, SL_SPAN_LITERAL("xxxx"));
    CU_ASSERT(is_refused(&bench));
    put_frame(&bench.in, METHOD, 1, SL_SPAN_LITERAL("\0\x3c\0"));
    CU_ASSERT(is_refused(&bench));
    put_frame(&bench.in, METHOD, 1, SL_SPAN_LITERAL(""));
    CU_ASSERT(is_refused(&bench));
    put_frame(&bench.in, HEADER, 1, SL_SPAN_LITERAL("\0\x3c\0\0\0\0\0\0\0\0\0\0\0"));
    CU_ASSERT(is_refused(&bench));
    put_frame(&bench.in, HEARTBEAT, 0, SL_SPAN_LITERAL("x"));
    CU_ASSERT(is_refused(&bench));
    put_frame(&bench.in, HEARTBEAT, 1, SL_SPAN_LITERAL(""));
    CU_ASSERT(is_refused(&bench));
    put_settle(&bench.in, true, 1, false);
    bench.in.data[bench.in.used_bytes - 1] = 0;
    CU_ASSERT(is_refused(&bench));
    put_frame(&bench.in, BODY, 1, sl_span_make(large, sizeof large - 7));
    CU_ASSERT(is_refused(&bench));
    put_frame(&bench.in, METHOD, 1, SL_SPAN_LITERAL(""));
    memset(bench.in.data + 3, 0xff, 4); /* size */
    CU_ASSERT(is_refused(&bench));
    sl_buf_append_text(&bench.in, "HTTP/1.1 400 Bad Request");
    CU_ASSERT(is_refused(&bench));
    sl_buf_append(&bench.in, "AMQP\0\1\0\0", 8); /* AMQP 1.0 */
    CU_ASSERT(is_refused(&bench));
    CU_ASSERT(strstr(bench.err.text, "0-9-1") != NULL);

    sl_wire_set_frame_bytes_max(bench.wire, SL_WIRE_FRAME_BYTES_MIN);
    put_deliver(&bench.in, 1, "k");
    put_header(&bench.in, 5000, NO_PROPERTIES);
    put_frame(&bench.in, BODY, 1, sl_span_make(large, 4089));
    CU_ASSERT(is_refused(&bench));
    sl_wire_reset(bench.wire);
    bench_done(&bench);
}

CLAIM(wire__headers_that_would_recurse_or_continue_for_ever_are_refused)
{
    struct bench bench;
    bench_init(&bench);
    put_deliver(&bench.in, 1, "k");
    put_header(&bench.in, 0, SL_SPAN_LITERAL("\377\377\377\377\377\377\377\377")); /* flag words */
    CU_ASSERT(is_refused(&bench));
    bench_done(&bench);

    enum { LEVELS = 20000 };
    SL_DONE(sl_buf_done) struct sl_buf properties;
    sl_buf_init(&properties, 1 << 20);
    put_number(&properties, 0x2000, 2);
    put_number(&properties, 2 + LEVELS * 5, 4);
    sl_buf_append(&properties, "\1a", 2);
    for (unsigned i = 0; i < LEVELS; i++) {
        sl_buf_append_char(&properties, 'A');
        put_number(&properties, (LEVELS - i - 1) * 5, 4);
    }
    bench_init(&bench);
    put_deliver(&bench.in, 1, "k");
    put_header(&bench.in, 0, sl_buf_span(&properties));
    CU_ASSERT(is_refused(&bench));
    bench_done(&bench);
}

CLAIM(wire__more_headers_than_we_carry_are_counted)
{
    struct bench bench;
    SL_DONE(sl_buf_done) struct sl_buf properties;
    sl_buf_init(&properties, 4096);
    put_number(&properties, 0x2000, 2);
    put_number(&properties, 3 * 100, 4);
    for (int i = 0; i < 100; i++) {
        sl_buf_append(&properties, "\1aV", 3);
        properties.data[properties.used_bytes - 1] = 'V';
    }
    bench_init(&bench);
    put_deliver(&bench.in, 1, "k");
    put_header(&bench.in, 0, sl_buf_span(&properties));
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT(bench.content.delivery.message.header_count == 0);
    CU_ASSERT(bench.content.delivery.headers_left_out == 100);
    bench_done(&bench);
}

CLAIM(wire__any_single_wrong_byte_of_a_delivery_is_taken_or_refused)
{
    SL_DONE(sl_buf_done) struct sl_buf stream;
    sl_buf_init(&stream, 8192);
    put_delivery(&stream, SL_SPAN_LITERAL("body"), 2);
    put_start(&stream, "PLAIN");
    struct bench bench;
    bench_init(&bench);
    for (size_t at = 0; at < stream.used_bytes; at++) {
        char right = stream.data[at];
        for (int byte = 0; byte < 256; byte++) {
            size_t used = 0;
            stream.data[at] = (char)byte;
            (void)feed(&bench, sl_buf_span(&stream), &used); /* the sanitizers watch */
            sl_wire_reset(bench.wire);
            sl_content_reset(&bench.content);
        }
        stream.data[at] = right;
    }
    bench_done(&bench);
}

/* ---- what we send ---- */

static uint64_t number_at(const char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value << 8 | (unsigned char)at[i];
    }
    return value;
}

/* Splits a frame off; checks its end octet. */
static struct sl_span next_frame(struct sl_span *rest, int type, int channel)
{
    CU_ASSERT_FATAL(rest->bytes >= 8);
    CU_ASSERT((int)number_at(rest->data, 1) == type);
    CU_ASSERT((int)number_at(rest->data + 1, 2) == channel);
    size_t bytes = number_at(rest->data + 3, 4);
    CU_ASSERT_FATAL(rest->bytes >= bytes + 8);
    CU_ASSERT((unsigned char)rest->data[7 + bytes] == 0xce);
    struct sl_span payload = { rest->data + 7, bytes };
    *rest = (struct sl_span){ rest->data + bytes + 8, rest->bytes - bytes - 8 };
    return payload;
}

static bool holds(struct sl_span bytes, const void *what, size_t count)
{
    return memmem(bytes.data, bytes.bytes, what, count) != NULL;
}

CLAIM(wire__a_publish_is_mandatory_persistent_and_split_at_the_agreed_size)
{
    static char body[3 * SL_WIRE_FRAME_BYTES_MIN];
    static const size_t sizes[] = { 0, 1, 4088, 4089, 2 * 4088, sizeof body };
    SL_DONE(sl_buf_done) struct sl_buf out;
    struct sl_err err = { 0 };
    SL_AUTO(sl_wire_free) struct sl_wire *wire = sl_wire_new(&err);
    sl_buf_init(&out, 1 << 20);
    sl_wire_set_frame_bytes_max(wire, SL_WIRE_FRAME_BYTES_MIN);
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (char)(i * 7);
    }
    for (size_t i = 0; i < SL_COUNT(sizes); i++) {
        const struct sl_amqp_message message = {
            .exchange = "sluice.events",
            .routing_key = SL_SPAN_LITERAL("stripe.x"),
            .message_id = SL_SPAN_LITERAL("evt_1"),
            .body = { body, sizes[i] },
        };
        sl_buf_reset(&out);
        CU_ASSERT_FATAL(sl_wire_put_publish(wire, &out, &message, &err));
        struct sl_span rest = sl_buf_span(&out);
        struct sl_span method = next_frame(&rest, METHOD, 1);
        CU_ASSERT(holds(method, "\0\x3c\0\x28\0\0\15sluice.events\10stripe.x\1", 29));
        struct sl_span header = next_frame(&rest, HEADER, 1);
        CU_ASSERT(number_at(header.data + 4, 8) == sizes[i]);
        CU_ASSERT(number_at(header.data + 12, 2) == (0x1000 | 0x0080)); /* delivery mode, id */
        CU_ASSERT(header.data[14] == 2);
        size_t seen = 0;
        while (rest.bytes > 0) {
            struct sl_span part = next_frame(&rest, BODY, 1);
            CU_ASSERT(part.bytes + 8 <= SL_WIRE_FRAME_BYTES_MIN);
            CU_ASSERT_FATAL(part.bytes > 0 && seen + part.bytes <= sizes[i]);
            CU_ASSERT(memcmp(part.data, body + seen, part.bytes) == 0);
            seen += part.bytes;
        }
        CU_ASSERT(seen == sizes[i]);
    }
}

CLAIM(wire__what_does_not_fit_is_refused_by_name)
{
    static char text[300];
    memset(text, 'k', sizeof text);
    SL_DONE(sl_buf_done) struct sl_buf out;
    struct sl_err err = { 0 };
    SL_AUTO(sl_wire_free) struct sl_wire *wire = sl_wire_new(&err);
    sl_buf_init(&out, 1 << 20);
    struct sl_amqp_message message = { .exchange = "", .routing_key = { text, 255 } };
    CU_ASSERT(sl_wire_put_publish(wire, &out, &message, &err));
    message.routing_key.bytes = 256;
    CU_ASSERT(!sl_wire_put_publish(wire, &out, &message, &err));
    CU_ASSERT(err.code == SL_E_LIMIT);
    message.routing_key.bytes = 1;
    message.message_id = (struct sl_span){ text, 256 };
    CU_ASSERT(!sl_wire_put_publish(wire, &out, &message, &err));
    message.message_id.bytes = 1;
    message.type = (struct sl_span){ text, 256 }; /* left out */
    sl_buf_reset(&out);
    CU_ASSERT(sl_wire_put_publish(wire, &out, &message, &err));
    CU_ASSERT(!holds(sl_buf_span(&out), text, 200));

    struct sl_amqp_header headers[SL_AMQP_HEADERS_MAX + 1];
    static char large[SL_WIRE_FRAME_BYTES_MAX];
    for (size_t i = 0; i < SL_COUNT(headers); i++) {
        headers[i] = (struct sl_amqp_header){ .name = "n", .number = 1 };
    }
    message.headers = headers;
    message.header_count = SL_COUNT(headers);
    CU_ASSERT(!sl_wire_put_publish(wire, &out, &message, &err));
    message.header_count = 1;
    headers[0].text = sl_span_make(large, sizeof large);
    CU_ASSERT(!sl_wire_put_publish(wire, &out, &message, &err));
    CU_ASSERT(err.code == SL_E_LIMIT);
    headers[0] = (struct sl_amqp_header){ .name = "", .number = 1 };
    CU_ASSERT(!sl_wire_put_publish(wire, &out, &message, &err));
    text[sizeof text - 1] = '\0';
    headers[0].name = text;
    CU_ASSERT(!sl_wire_put_publish(wire, &out, &message, &err));
    CU_ASSERT(!sl_wire_put_consume(wire, &out, text, text, 1, &err));
    CU_ASSERT(err.code == SL_E_LIMIT);
    CU_ASSERT(!sl_wire_put_no_credit(&out, text, &err));
    CU_ASSERT(err.code == SL_E_LIMIT);

    sl_buf_done(&out);
    sl_buf_init(&out, SL_WIRE_FRAME_BYTES_MAX + 20);
    message = (struct sl_amqp_message){ .exchange = "", .body = { large, sizeof large } };
    CU_ASSERT(!sl_wire_put_publish(wire, &out, &message, &err));
    CU_ASSERT(err.code == SL_E_LIMIT);
}

CLAIM(wire__credit_which_the_library_does_not_know)
{
    SL_DONE(sl_buf_done) struct sl_buf out;
    struct sl_err err = { 0 };
    sl_buf_init(&out, 1000);
    CU_ASSERT(sl_wire_put_no_credit(&out, "ab", &err));
    CU_ASSERT_EQUAL(out.used_bytes, 20);
    CU_ASSERT(memcmp(out.data, "\1\0\1\0\0\0\14\0\74\0\310\2ab\0\0\0\0\0\316", 20) == 0);

    struct bench bench;
    bench_init(&bench);
    put_method(&bench.in, 1, 60, 201, SL_SPAN_LITERAL("\0\0\0\7"));
    CU_ASSERT(feed_in(&bench));
    CU_ASSERT_EQUAL(bench.frame.kind, SL_WIRE_CREDIT_OK);
    put_method(&bench.in, 1, 60, 201, SL_SPAN_LITERAL("\0\0\7"));
    CU_ASSERT(is_refused(&bench));
    put_method(&bench.in, 0, 60, 201, SL_SPAN_LITERAL("\0\0\0\7"));
    CU_ASSERT(is_refused(&bench));
    bench_done(&bench);
}

CLAIM(wire__the_login_says_who_we_are_and_what_we_can)
{
    SL_DONE(sl_buf_done) struct sl_buf out;
    struct sl_err err = { 0 };
    SL_AUTO(sl_wire_free) struct sl_wire *wire = sl_wire_new(&err);
    sl_buf_init(&out, 1 << 20);
    const struct sl_wire_login login = { "user", "secret", "sluice-publisher/host/1" };
    CU_ASSERT(sl_wire_put_start_ok(wire, &out, &login, &err));
    struct sl_span rest = sl_buf_span(&out);
    struct sl_span payload = next_frame(&rest, METHOD, 0);
    CU_ASSERT(sl_amqp_table_is_sound((struct sl_span){ payload.data + 4, payload.bytes - 4 }));
    CU_ASSERT(holds(payload, "\0user\0secret", 12));
    static const char *const words[] = {
        "PLAIN",
        "en_US",
        "sluice",
        "sluice-publisher/host/1",
        "basic.nack",
        "publisher_confirms",
        "connection.blocked",
        "consumer_cancel_notify",
        "authentication_failure_close",
        "exchange_exchange_bindings",
    };
    for (size_t i = 0; i < SL_COUNT(words); i++) {
        CU_ASSERT(holds(payload, words[i], strlen(words[i])));
    }
}
