/*
 * departure - a delivery that leaves the worker for another queue, as the message that carries it there.
 *
 * Decides only: what the message and the log line hold. The body is the original message, byte for byte, and its message id and time stay what they
 * were: copies of one event are known by them. The headers say why it leaves: sluice-attempt (on the way to another try the number of that try, on
 * the way to the dead letters how many were made), sluice-first-failed-at (milliseconds), sluice-error-class, sluice-error-code, sluice-error (at most
 * CON_ERROR_BYTES_MAX), sluice-orig-key, and sluice-replay-run and traceparent when the original had them. Nothing else is repeated (see headers).
 * Law: schemas/asyncapi.yaml for the headers, schemas/topology.md for the way.
 * Threads: no shared state.
 */
#ifndef CONSUMER_DEPARTURE_H
#define CONSUMER_DEPARTURE_H

#include "consumer/batch.h"
#include "consumer/fate.h"
#include "consumer/headers.h"
#include "shared/digest.h"
#include "shared/event/delay_route.h"
#include "shared/event/envelope.h"
#include "shared/event/routing_key.h"

#define CON_PARKED_EXCHANGE "sluice.parked"
#define CON_ERROR_BYTES_MAX 512u

struct con_departure {
    int64_t wait_s;  /* until the next try; 0: to the dead letters */
    int64_t attempt; /* sluice-attempt of the copy */
    const char
        *error_class;    /* NULL: no try is behind it, it only came before its time or is held */
    bool is_held;        /* by the breaker of its type */
    char error_code[48]; /* SQLSTATE, or a public error name */
    char error[CON_ERROR_BYTES_MAX + 1];
    char orig_key[SL_EVENT_SOURCE_BYTES_MAX + 1 + SL_ROUTING_KEY_TYPE_BYTES_MAX +
                  1]; /* when the delivery has lost it */
    char body_sha256[SL_SHA256_HEX_BYTES];
    int64_t first_failed_ms;
    struct sl_span
        event_id; /* of the envelope; borrows from the delivery's bytes; absent when it cannot be read */
    struct sl_span type;
    uint64_t cookie; /* of the publish under way; 0: none */
};

/* sqlstate "" when the database was not asked. envelope NULL when it cannot be read. NULL without memory. */
struct con_departure *con_departure_new(const struct con_delivery *delivery,
                                        const struct sl_envelope *envelope,
                                        const struct sl_err *why, const char *sqlstate,
                                        struct con_fate fate, int64_t now_ms) SL_MUST;
/* For a delivery that is not to be tried before wait_s have passed, and has spent no attempt: its headers stay what they were. NULL without memory. */
struct con_departure *con_departure_early(const struct con_delivery *delivery,
                                          int64_t wait_s) SL_MUST;
/* For one that ends the process that looks into it: parked unseen. NULL without memory. */
struct con_departure *con_departure_deadly(const struct con_delivery *delivery,
                                           int64_t now_ms) SL_MUST;
/* Accepts NULL. */
void con_departure_free(struct con_departure *departure);

/* The message; everything is borrowed from the delivery, the subsystem's name, and out itself. */
struct con_departure_message {
    struct sl_amqp_message message;
    struct con_headers headers;
    struct sl_delay_route route;
};
void con_departure_message(const struct con_delivery *delivery, const char *subsystem,
                           struct con_departure_message *out);

#endif
