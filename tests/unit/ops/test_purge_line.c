#include "ops/queue/purge_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/queue/type_tally.h"
#include "shared/event/envelope.h"
#include "tests/support/claims.h"

#define ROOM ((size_t)1024 * 1024)

static const struct sl_amqp_header *header_of(const struct sl_amqp_message *message,
                                              const char *name);

CLAIM(purge_line__what_was_written_comes_back_with_its_bytes_ids_and_our_headers)
{
    static const char odd[] = "{\"a\":\"\\u0000\xff\"}\n\0end"; /* bytes are bytes */
    const struct sl_envelope event = { .id = SL_SPAN_LITERAL("evt_1"),
                                       .source = SL_SPAN_LITERAL("stripe"),
                                       .type = SL_SPAN_LITERAL("invoice.paid"),
                                       .account = SL_SPAN_LITERAL(""),
                                       .object = SL_SPAN_LITERAL("in_1"),
                                       .occurred_at_s = 1700000000,
                                       .received_at_us = INT64_C(1700000001000000),
                                       .body = sl_span_make(odd, sizeof odd - 1) };
    const struct sl_amqp_header headers[] = {
        { .name = "sluice-attempt", .number = 3 },
        { .name = "sluice-error", .text = SL_SPAN_LITERAL("it said \"no\"") },
        { .name = "x-delivery-count", .number = 2 },
        { .name = "traceparent", .text = SL_SPAN_LITERAL("00-1-2-01") },
    };
    struct sl_err err = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    char type[OPS_PURGE_TYPE_BYTES];
    sl_buf_init(&bytes, ROOM);
    sl_buf_init(&text, ROOM);
    sl_arena_init(&arena, ROOM);
    CU_ASSERT_TRUE_FATAL(sl_envelope_encode(&event, &bytes, &err));
    const struct sl_amqp_delivery delivery = {
        .tag = 1,
        .redelivered = true,
        .message = { .exchange = "sluice.events",
                     .routing_key = SL_SPAN_LITERAL("stripe.invoice.paid"),
                     .message_id = SL_SPAN_LITERAL("evt_1"),
                     .type = SL_SPAN_LITERAL("invoice.paid"),
                     .content_type = SL_SPAN_LITERAL("application/msgpack"),
                     .app_id = SL_SPAN_LITERAL("sluice"),
                     .timestamp_s = 1700000001,
                     .headers = headers,
                     .header_count = SL_COUNT(headers),
                     .body = sl_buf_span(&bytes) },
    };
    CU_ASSERT_TRUE_FATAL(
        ops_purge_line_write("sluice.billing", "billing", &delivery, &text, type, &err));
    CU_ASSERT_STRING_EQUAL(type, "invoice.paid");
    CU_ASSERT_EQUAL(memchr(text.data, '\n', text.used_bytes), text.data + text.used_bytes - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "\"occurred_at\":\"2023-11-14T22:13:20.000000Z\""));

    SL_AUTO(sl_json_parser_free) struct sl_json_parser *parser = sl_json_parser_new(ROOM);
    struct ops_purge_line line = { 0 };
    CU_ASSERT_TRUE_FATAL(ops_purge_line_read(parser, &arena, sl_buf_span(&text), &line, &err));
    CU_ASSERT_TRUE(sl_span_is(line.queue, "sluice.billing"));
    CU_ASSERT_TRUE(sl_span_is(line.subsystem, "billing"));
    CU_ASSERT_TRUE(sl_span_eq(line.message.body, sl_buf_span(&bytes)));
    CU_ASSERT_TRUE(sl_span_is(line.message.message_id, "evt_1"));
    CU_ASSERT_TRUE(sl_span_is(line.message.type, "invoice.paid"));
    CU_ASSERT_TRUE(sl_span_is(line.message.content_type, "application/msgpack"));
    CU_ASSERT_EQUAL(line.message.timestamp_s, 1700000001);
    CU_ASSERT_EQUAL(line.message.header_count, 4); /* the three of ours, and the key it had */
    CU_ASSERT_EQUAL(header_of(&line.message, "sluice-attempt")->number, 3);
    CU_ASSERT_TRUE(sl_span_is(header_of(&line.message, "sluice-error")->text, "it said \"no\""));
    CU_ASSERT_TRUE(
        sl_span_is(header_of(&line.message, "sluice-orig-key")->text, "stripe.invoice.paid"));
    CU_ASSERT_PTR_NULL(header_of(&line.message, "x-delivery-count"));
}

CLAIM(purge_line__what_is_no_envelope_goes_and_comes_back_as_it_is)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    struct sl_err err = { 0 };
    char type[OPS_PURGE_TYPE_BYTES];
    const struct sl_amqp_delivery delivery = {
        .message = { .exchange = "",
                     .routing_key =
                         SL_SPAN_LITERAL("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.1.billing"),
                     .body = SL_SPAN_LITERAL("not msgpack") },
    };
    sl_buf_init(&text, ROOM);
    sl_arena_init(&arena, ROOM);
    CU_ASSERT_TRUE_FATAL(ops_purge_line_write("sluice.b", "b", &delivery, &text, type, &err));
    CU_ASSERT_STRING_EQUAL(type, "undecodable");
    SL_AUTO(sl_json_parser_free) struct sl_json_parser *parser = sl_json_parser_new(ROOM);
    struct ops_purge_line line = { 0 };
    CU_ASSERT_TRUE_FATAL(ops_purge_line_read(parser, &arena, sl_buf_span(&text), &line, &err));
    CU_ASSERT_TRUE(sl_span_is(line.message.body, "not msgpack"));
    CU_ASSERT_PTR_NULL(line.message.message_id.data);
    CU_ASSERT_EQUAL(line.message.header_count,
                    0); /* a delay's key is not what it was published with */
}

CLAIM(purge_line__a_line_of_another_kind_is_refused_and_says_why)
{
    static const struct {
        const char *line;
        const char *says;
    } rows[] = {
        { "", "" },
        { "[1]", "names no queue" },
        { "{\"subsystem\":\"billing\",\"status\":\"open\",\"envelope_base64\":\"AAAA\"}",
          "sluice dead restore" },
        { "{\"queue\":\"q\",\"subsystem\":\"s\"}", "cannot be read" },
        { "{\"queue\":\"q\",\"subsystem\":\"s\",\"envelope_base64\":\"AAA\"}", "cannot be read" },
        { "{\"queue\":\"q\",\"subsystem\":\"s\",\"envelope_base64\":\"AAAA\",\"headers\":{\"sluice-"
          "x\":1.5}}",
          "headers" },
        { "{\"queue\":\"q\",\"subsystem\":\"s\",\"envelope_base64\":\"AAAA\"", "" },
    };
    SL_AUTO(sl_json_parser_free) struct sl_json_parser *parser = sl_json_parser_new(ROOM);
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
        struct ops_purge_line line = { 0 };
        struct sl_err err = { 0 };
        sl_arena_init(&arena, ROOM);
        CU_ASSERT_FALSE(ops_purge_line_read(parser, &arena, sl_span_of(rows[i].line), &line, &err));
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rows[i].says));
    }
}

CLAIM(type_tally__the_most_frequent_come_first_and_too_many_are_counted_together)
{
    static struct ops_tally tally;
    char *text = NULL;
    size_t bytes = 0;
    for (int i = 0; i < 3; i++) {
        ops_tally_add(&tally, SL_SPAN_LITERAL("b\033[2J"));
    }
    ops_tally_add(&tally, (struct sl_span){ 0 });
    for (unsigned i = 0; i < OPS_TALLY_TYPES_MAX; i++) {
        char type[16];
        snprintf(type, sizeof type, "t%u", i);
        ops_tally_add(&tally, sl_span_of(type));
    }
    FILE *out = open_memstream(&text, &bytes);
    ops_tally_print(&tally, out);
    fclose(out);
    CU_ASSERT_EQUAL(strncmp(text, "       3 b?[2J\n", 15), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "       1 unknown\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "       2 of other types\n"));
    free(text);
}

static const struct sl_amqp_header *header_of(const struct sl_amqp_message *message,
                                              const char *name)
{
    for (size_t i = 0; i < message->header_count; i++) {
        if (strcmp(message->headers[i].name, name) == 0) {
            return &message->headers[i];
        }
    }
    return NULL;
}
