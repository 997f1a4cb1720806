/*
 * wrap - a received request as what travels: facts, envelope bytes and routing key.
 *
 * Owns the parser and the memory of one event at a time: what it returns is borrowed until the next wrap. An event that has to take a second
 * way is wrapped again from its request, so that only the received bytes are kept while it waits.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_WRAP_H
#define PUBLISHER_WRAP_H

#include "publisher/pending.h"
#include "publisher/source.h"
#include "shared/amqp/amqp_link.h"
#include "shared/event/delay_route.h"
#include "shared/event/envelope.h"
#include "shared/http/http_server.h"
#include "shared/json/json.h"

struct pub_wrap {
    struct sl_json_parser *parser;
    struct sl_arena arena;
    struct sl_buf bytes; /* the encoded envelope */
    struct sl_envelope envelope;
    struct sl_delay_route delay; /* of an event that is to wait */
    const char *exchange;        /* of an event that is to wait; NULL: that of every event */
    struct sl_span routing_key;
};

bool pub_wrap_init(struct pub_wrap *wrap, size_t body_bytes_max, struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void pub_wrap_done(struct pub_wrap *wrap);

/* Fills envelope, bytes and routing_key from what somebody waits for: a webhook's request, or an event of our own programs. False without memory (SL_E_MEMORY, SL_E_LIMIT). */
bool pub_wrap_event(struct pub_wrap *wrap, const struct pub_event *event,
                    struct sl_err *err) SL_MUST;
/* The same from an envelope that was encoded before: copied, so that one call serves both. */
bool pub_wrap_encoded(struct pub_wrap *wrap, struct sl_span bytes, struct sl_err *err) SL_MUST;

/* What is published: borrowed like everything here. */
struct sl_amqp_message pub_wrap_message(const struct pub_wrap *wrap);

#endif
