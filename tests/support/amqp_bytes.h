/*
 * amqp_bytes - frames as a broker would send them, well-formed or not, written byte by byte and without the codec under test.
 */
#ifndef TESTS_SUPPORT_AMQP_BYTES_H
#define TESTS_SUPPORT_AMQP_BYTES_H

#include "shared/buf.h"

enum { METHOD = 1, HEADER = 2, BODY = 3, HEARTBEAT = 8 };

static inline void put_number(struct sl_buf *buf, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        sl_buf_append_char(buf, (char)(value >> (8 * i)));
    }
}

static inline void put_short(struct sl_buf *buf, const char *text)
{
    put_number(buf, strlen(text), 1);
    sl_buf_append_text(buf, text);
}

static inline void put_long(struct sl_buf *buf, const char *text)
{
    put_number(buf, strlen(text), 4);
    sl_buf_append_text(buf, text);
}

static inline void put_frame(struct sl_buf *buf, int type, int channel, struct sl_span payload)
{
    put_number(buf, (uint64_t)type, 1);
    put_number(buf, (uint64_t)channel, 2);
    put_number(buf, payload.bytes, 4);
    sl_buf_append_span(buf, payload);
    put_number(buf, 0xce, 1);
}

/* A method frame: `fields` is what stands behind class and method. */
static inline void put_method(struct sl_buf *buf, int channel, unsigned class_id,
                              unsigned method_id, struct sl_span fields)
{
    struct sl_buf payload;
    sl_buf_init(&payload, 1 << 20);
    put_number(&payload, class_id, 2);
    put_number(&payload, method_id, 2);
    sl_buf_append_span(&payload, fields);
    put_frame(buf, METHOD, channel, sl_buf_span(&payload));
    sl_buf_done(&payload);
}

/* version: of the server's software; NULL: it does not say. */
static inline void put_start_of(struct sl_buf *buf, const char *mechanisms, const char *version)
{
    struct sl_buf fields;
    struct sl_buf about;
    sl_buf_init(&fields, 4096);
    sl_buf_init(&about, 1024);
    sl_buf_append(&about, "\1at\1", 4);
    if (version != NULL) {
        put_short(&about, "version");
        sl_buf_append_char(&about, 'S');
        put_long(&about, version);
    }
    put_number(&fields, 9, 2);                /* version 0-9 */
    put_number(&fields, about.used_bytes, 4); /* server properties */
    sl_buf_append_span(&fields, sl_buf_span(&about));
    put_long(&fields, mechanisms);
    put_long(&fields, "en_US");
    put_method(buf, 0, 10, 10, sl_buf_span(&fields));
    sl_buf_done(&about);
    sl_buf_done(&fields);
}

static inline void put_start(struct sl_buf *buf, const char *mechanisms)
{
    put_start_of(buf, mechanisms, NULL);
}

static inline void put_tune(struct sl_buf *buf, unsigned frame_bytes_max, unsigned heartbeat_s)
{
    struct sl_buf fields;
    sl_buf_init(&fields, 64);
    put_number(&fields, 2047, 2);
    put_number(&fields, frame_bytes_max, 4);
    put_number(&fields, heartbeat_s, 2);
    put_method(buf, 0, 10, 30, sl_buf_span(&fields));
    sl_buf_done(&fields);
}

static inline void put_close(struct sl_buf *buf, bool is_channel, unsigned code, const char *text)
{
    struct sl_buf fields;
    sl_buf_init(&fields, 512);
    put_number(&fields, code, 2);
    put_short(&fields, text);
    put_number(&fields, 0, 4);
    put_method(buf, is_channel ? 1 : 0, is_channel ? 20 : 10, is_channel ? 40 : 50,
               sl_buf_span(&fields));
    sl_buf_done(&fields);
}

static inline void put_settle(struct sl_buf *buf, bool is_ack, uint64_t tag, bool multiple)
{
    struct sl_buf fields;
    sl_buf_init(&fields, 64);
    put_number(&fields, tag, 8);
    put_number(&fields, multiple, 1);
    put_method(buf, 1, 60, is_ack ? 80 : 120, sl_buf_span(&fields));
    sl_buf_done(&fields);
}

static inline void put_deliver(struct sl_buf *buf, uint64_t tag, const char *routing_key)
{
    struct sl_buf fields;
    sl_buf_init(&fields, 1024);
    put_short(&fields, "queue");
    put_number(&fields, tag, 8);
    put_number(&fields, 1, 1);
    put_short(&fields, "sluice.events");
    put_short(&fields, routing_key);
    put_method(buf, 1, 60, 60, sl_buf_span(&fields));
    sl_buf_done(&fields);
}

static inline void put_return(struct sl_buf *buf, const char *exchange, const char *routing_key)
{
    struct sl_buf fields;
    sl_buf_init(&fields, 1024);
    put_number(&fields, 312, 2);
    put_short(&fields, "NO_ROUTE");
    put_short(&fields, exchange);
    put_short(&fields, routing_key);
    put_method(buf, 1, 60, 50, sl_buf_span(&fields));
    sl_buf_done(&fields);
}

/* properties: flags and what they announce. */
static inline void put_header(struct sl_buf *buf, uint64_t body_bytes, struct sl_span properties)
{
    struct sl_buf payload;
    sl_buf_init(&payload, 1 << 20);
    put_number(&payload, 60, 2);
    put_number(&payload, 0, 2);
    put_number(&payload, body_bytes, 8);
    sl_buf_append_span(&payload, properties);
    put_frame(buf, HEADER, 1, sl_buf_span(&payload));
    sl_buf_done(&payload);
}

#endif
