#include "publisher/wrap.h"

#include "publisher/facts/event_facts.h"
#include "shared/clock.h"
#include "shared/event/event_message.h"

/* Ids, type, routing key, the parse tree of the first levels, and the parser's copy of the body. */
#define FACTS_BYTES_ROOM (1024u * 1024u)

static bool wrap_produced(struct pub_wrap *wrap, const struct sl_envelope *envelope,
                          struct sl_err *err);
static bool wrap_request(struct pub_wrap *wrap, const struct pub_source *source,
                         const struct sl_http_request *request, struct sl_err *err);
static bool route(struct pub_wrap *wrap, struct sl_err *err);

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

bool pub_wrap_event(struct pub_wrap *wrap, const struct pub_event *event, struct sl_err *err)
{
    const struct pub_waiter *waiter = &event->waiter;
    return waiter->batch == NULL
               ? wrap_request(wrap, event->source, waiter->request, err)
               : wrap_produced(wrap, &waiter->batch->production.items[waiter->place].envelope, err);
}

static bool wrap_request(struct pub_wrap *wrap, const struct pub_source *source,
                         const struct sl_http_request *request, struct sl_err *err)
{
    sl_arena_reset(&wrap->arena);
    sl_buf_reset(&wrap->bytes);
    const struct sl_http_head *head = sl_http_request_head(request);
    const char *id_header = source->rules->scheme.id_header;
    const struct pub_received received = {
        .body = sl_http_request_body(request),
        .signed_id = sl_http_field(head, id_header),
    };
    wrap->envelope = (struct sl_envelope){
        .source = sl_span_of(source->name),
        .received_at_us = sl_http_request_received_us(request),
        .content_type = sl_http_field(head, "Content-Type"),
    };
    if (!pub_event_facts(wrap->parser, &wrap->arena, &source->rules->facts, &received,
                         &wrap->envelope, err)) {
        return false;
    }
    return route(wrap, err) && sl_envelope_encode(&wrap->envelope, &wrap->bytes, err);
}

/* Straight to those who are bound, or to the delay levels while its time has not come. */
static bool route(struct pub_wrap *wrap, struct sl_err *err)
{
    struct sl_span key =
        sl_event_routing_key(&wrap->arena, wrap->envelope.source, wrap->envelope.type);
    if (key.data == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the routing key");
    }
    int64_t wait_s = wrap->envelope.deliver_at_s == 0
                         ? 0
                         : wrap->envelope.deliver_at_s - sl_clock_wall_us() / 1000000;
    if (wait_s <= 0) {
        wrap->exchange = NULL;
        wrap->routing_key = key;
        return true;
    }
    sl_delay_event_route(wait_s < SL_DELAY_S_MAX ? wait_s : SL_DELAY_S_MAX, key, &wrap->delay);
    wrap->exchange = wrap->delay.exchange;
    wrap->routing_key = sl_span_of(wrap->delay.key);
    return true;
}

static bool wrap_produced(struct pub_wrap *wrap, const struct sl_envelope *envelope,
                          struct sl_err *err)
{
    sl_arena_reset(&wrap->arena);
    sl_buf_reset(&wrap->bytes);
    wrap->envelope = *envelope;
    return route(wrap, err) && sl_envelope_encode(&wrap->envelope, &wrap->bytes, err);
}

bool pub_wrap_encoded(struct pub_wrap *wrap, struct sl_span bytes, struct sl_err *err)
{
    sl_arena_reset(&wrap->arena);
    sl_buf_reset(&wrap->bytes);
    if (!sl_buf_append_span(&wrap->bytes, bytes)) {
        return sl_fail(err, SL_E_LIMIT, "an envelope of %zu bytes is longer than any we write",
                       bytes.bytes);
    }
    return sl_envelope_decode(sl_buf_span(&wrap->bytes), &wrap->envelope, err) && route(wrap, err);
}

struct sl_amqp_message pub_wrap_message(const struct pub_wrap *wrap)
{
    struct sl_amqp_message message =
        sl_event_message(&wrap->envelope, wrap->routing_key, sl_buf_span(&wrap->bytes));
    if (wrap->exchange != NULL) {
        message.exchange = wrap->exchange;
    }
    return message;
}
