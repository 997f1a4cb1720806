/*
 * fuzz facts - a body of any bytes, as every kind of source and our own programs send it: never a crash, never refused where it must not be, and what is
 * read of it fits an envelope, a routing key and a log.
 *
 * The first byte picks the kind of source; the rest is the body.
 */
#include <stdlib.h>

#include "publisher/facts/body_shape.h"
#include "publisher/facts/event_facts.h"
#include "publisher/facts/produced.h"
#include "shared/event/event_message.h"

#define INPUT_MAX   40000u
#define ARENA_BYTES (16u * 1024u * 1024u)
#define KINDS       5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
static void check_received(struct sl_json_parser *parser, struct sl_arena *arena,
                           const struct sl_source *source, struct sl_span body);
static void check_produced(struct sl_json_parser *parser, struct sl_arena *arena,
                           struct sl_span body);
static void check_envelope(struct sl_arena *arena, const struct sl_envelope *envelope);
static void check_name(struct sl_span name);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct sl_json_parser *parser;
    static struct sl_arena arena;
    if (parser == NULL) {
        parser = sl_json_parser_new(SL_EVENT_BODY_BYTES_MAX);
        sl_arena_init(&arena, ARENA_BYTES);
    }
    if (bytes < 1 || bytes > INPUT_MAX) {
        return 0;
    }
    char *copy = malloc(bytes); /* of exactly its size */
    MUST(copy != NULL);
    memcpy(copy, data, bytes);
    struct sl_span body = sl_span_make(copy + 1, bytes - 1);
    struct sl_source source;
    sl_source_init(&source, sl_span_of(sl_scheme_names[data[0] % KINDS]), 0);
    source.facts.depth = sl_fact_rules_depth(&source.facts);
    sl_arena_reset(&arena);
    check_received(parser, &arena, &source, body);
    sl_arena_reset(&arena);
    check_produced(parser, &arena, body);
    free(copy);
    return 0;
}

/* An authentic body is never refused for being odd. */
static void check_received(struct sl_json_parser *parser, struct sl_arena *arena,
                           const struct sl_source *source, struct sl_span body)
{
    struct sl_err err = { 0 };
    const struct pub_received received = { .body = body };
    struct sl_envelope envelope = { .source = sl_span_of(source->name) };
    MUST(pub_event_facts(parser, arena, &source->facts, &received, &envelope, &err));
    MUST(sl_span_eq(envelope.body, body));
    check_envelope(arena, &envelope);
    if (source->facts.claim_header != NULL) {
        (void)pub_claim_fits(source->facts.shape, body, envelope.type);
    }
}

static void check_produced(struct sl_json_parser *parser, struct sl_arena *arena,
                           struct sl_span body)
{
    struct sl_sources sources;
    struct pub_production made = { 0 };
    sl_sources_default(&sources);
    const struct pub_production_opts opts = { .parser = parser,
                                              .arena = arena,
                                              .sources = &sources,
                                              .received_at_us = INT64_C(1700000000000000) };
    if (pub_production_read(&opts, body, &made) != NULL) {
        return;
    }
    MUST(made.count >= 1 && made.count <= PUB_PRODUCED_MAX);
    for (size_t i = 0; i < made.count; i++) {
        if (made.items[i].fault == NULL) {
            MUST(!sl_span_is(made.items[i].envelope.source, SL_SOURCE_STRIPE));
            MUST(made.items[i].envelope.body.bytes <= body.bytes);
            check_envelope(arena, &made.items[i].envelope);
        }
    }
}

static void check_envelope(struct sl_arena *arena, const struct sl_envelope *envelope)
{
    struct sl_err err = { 0 };
    check_name(envelope->id);
    check_name(envelope->type);
    MUST(envelope->account.data != NULL);
    MUST(envelope->occurred_at_s >= 0 && envelope->occurred_at_s <= SL_EVENT_TIME_S_MAX);
    struct sl_span key = sl_event_routing_key(arena, envelope->source, envelope->type);
    MUST(key.data != NULL && key.bytes <= 255 - 48); /* room for the digits of a delay */
    struct sl_buf out;
    sl_buf_init(&out, SL_ENVELOPE_BYTES_MAX);
    MUST(sl_envelope_encode(envelope, &out, &err));
    struct sl_envelope again = { 0 };
    MUST(sl_envelope_decode(sl_buf_span(&out), &again, &err));
    MUST(sl_span_eq(again.id, envelope->id) && sl_span_eq(again.type, envelope->type));
    MUST(sl_span_eq(again.body, envelope->body) && again.livemode == envelope->livemode);
    sl_buf_done(&out);
}

static void check_name(struct sl_span name)
{
    MUST(name.data != NULL && name.bytes >= 1 && name.bytes <= SL_EVENT_ID_BYTES_MAX);
    for (size_t i = 0; i < name.bytes; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        MUST(byte > 0x20 && byte < 0x7F);
    }
}
