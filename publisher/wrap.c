#include "publisher/wrap.h"

#include "publisher/event_facts.h"

/* Ids, type, routing key, the parse tree of the first levels, and the parser's copy of the body. */
#define FACTS_BYTES_ROOM (1024u * 1024u)

bool pub_wrap_init(struct pub_wrap *wrap, size_t body_bytes_max, struct sl_err *err)
{
    *wrap = (struct pub_wrap){ .parser = sl_json_parser_new(body_bytes_max) };
    sl_arena_init(&wrap->arena, body_bytes_max + FACTS_BYTES_ROOM);
    sl_buf_init(&wrap->bytes, SL_ENVELOPE_BYTES_MAX);
    return wrap->parser != NULL || sl_fail(err, SL_E_MEMORY, "no memory for the JSON parser");
}

void pub_wrap_done(struct pub_wrap *wrap)
{
    sl_json_parser_free(wrap->parser);
    sl_arena_done(&wrap->arena);
    sl_buf_done(&wrap->bytes);
    *wrap = (struct pub_wrap){ 0 };
}

bool pub_wrap_request(struct pub_wrap *wrap, const char *source,
                      const struct sl_http_request *request, struct sl_err *err)
{
    sl_arena_reset(&wrap->arena);
    sl_buf_reset(&wrap->bytes);
    wrap->envelope = (struct sl_envelope){
        .source = sl_span_of(source),
        .received_at_us = sl_http_request_received_us(request),
        .content_type = sl_http_field(sl_http_request_head(request), "Content-Type"),
    };
    if (!pub_event_facts(wrap->parser, &wrap->arena, sl_http_request_body(request), &wrap->envelope,
                         err)) {
        return false;
    }
    wrap->routing_key = pub_routing_key(&wrap->arena, wrap->envelope.source, wrap->envelope.type);
    if (wrap->routing_key.data == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the routing key");
    }
    return sl_envelope_encode(&wrap->envelope, &wrap->bytes, err);
}

bool pub_wrap_encoded(struct pub_wrap *wrap, struct sl_span bytes, struct sl_err *err)
{
    sl_arena_reset(&wrap->arena);
    sl_buf_reset(&wrap->bytes);
    if (!sl_buf_append_span(&wrap->bytes, bytes)) {
        return sl_fail(err, SL_E_LIMIT, "an envelope of %zu bytes is longer than any we write",
                       bytes.bytes);
    }
    if (!sl_envelope_decode(sl_buf_span(&wrap->bytes), &wrap->envelope, err)) {
        return false;
    }
    wrap->routing_key = pub_routing_key(&wrap->arena, wrap->envelope.source, wrap->envelope.type);
    return wrap->routing_key.data != NULL ||
           sl_fail(err, SL_E_MEMORY, "no memory for the routing key");
}

struct sl_amqp_message pub_wrap_message(const struct pub_wrap *wrap)
{
    return (struct sl_amqp_message){
        .exchange = "sluice.events",
        .routing_key = wrap->routing_key,
        .message_id = wrap->envelope.id,
        .type = wrap->envelope.type,
        .content_type = SL_SPAN_LITERAL("application/msgpack"),
        .app_id = SL_SPAN_LITERAL("sluice"),
        .timestamp_s = wrap->envelope.received_at_us / 1000000,
        .body = sl_buf_span(&wrap->bytes),
    };
}
