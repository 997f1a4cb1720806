/*
 * dead - an event that was given up, as the message that carries it to the dead letters.
 *
 * Decides only: what the message and the log line hold. The body is the original message, byte for byte; the headers say why
 * (see schemas/envelope.md for the message itself): sluice-error-class, -code, sluice-error (at most CON_ERROR_BYTES_MAX), sluice-attempt,
 * sluice-first-failed-at (milliseconds), sluice-orig-key, and sluice-replay-run and traceparent when the original had them. The broker's own x- headers
 * are not repeated.
 * Threads: no shared state.
 */
#ifndef CONSUMER_DEAD_H
#define CONSUMER_DEAD_H

#include "consumer/batch.h"
#include "shared/amqp_link.h"
#include "shared/digest.h"
#include "shared/envelope.h"

#define CON_PARKED_EXCHANGE  "sluice.parked"
#define CON_ERROR_BYTES_MAX  512u
#define CON_DEAD_HEADERS_MAX 8u

struct con_dead {
    char error[CON_ERROR_BYTES_MAX + 1];
    char error_class[16];
    char error_code[48]; /* SQLSTATE, or a public error name */
    char body_sha256[SL_SHA256_HEX_BYTES];
    int64_t first_failed_ms;
    struct sl_span
        event_id; /* of the envelope; borrows from the delivery's bytes; absent when it cannot be read */
    struct sl_span type;
    uint64_t cookie; /* of the publish under way; 0: none */
};

/* sqlstate "" when the database was not asked. envelope NULL when it cannot be read. NULL without memory. */
struct con_dead *con_dead_new(const struct con_delivery *delivery,
                              const struct sl_envelope *envelope, const struct sl_err *why,
                              const char *sqlstate, int64_t now_ms) SL_MUST;
/* Accepts NULL. */
void con_dead_free(struct con_dead *dead);

/* The message for CON_PARKED_EXCHANGE; everything is borrowed from its arguments. */
struct con_dead_message {
    struct sl_amqp_message message;
    struct sl_amqp_header headers[CON_DEAD_HEADERS_MAX];
};
void con_dead_message(const struct con_delivery *delivery, const char *subsystem, int64_t now_s,
                      struct con_dead_message *out);

#endif
