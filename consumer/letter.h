/*
 * letter - a message from a parking queue or the unrouted queue, as a row of sluice_dead_letter.
 *
 * Decides only. Where it came from says what it is: the exchange sluice.parked names the subsystem in its routing key, with our headers when a
 * consumer gave the event up, with the broker's when the delivery limit did; anything else was bound to no queue.
 * Nothing is refused: a message that cannot be read becomes a row with its bytes and no event.
 * Threads: no state.
 */
#ifndef CONSUMER_LETTER_H
#define CONSUMER_LETTER_H

#include "consumer/fingerprint.h"
#include "shared/amqp/amqp_link.h"
#include "shared/arena.h"
#include "shared/digest.h"
#include "shared/event/envelope.h"
#include "shared/pg/pg_link.h"

#define CON_LETTER_PARAMS  21u
#define CON_UNROUTED_QUEUE "sluice.unrouted"
#define CON_UNROUTED_NAME  "unrouted" /* in place of a subsystem */

struct con_letter {
    struct con_letter *next;
    uint64_t tag; /* 0: nobody is told when it is written */
    struct sl_span subsystem;
    bool has_event; /* envelope could be read */
    struct sl_envelope event;
    struct sl_span reason; /* exhausted, permanent, undecodable, version, unrouted */
    struct sl_span error_class;
    struct sl_span error_code;
    struct sl_span error;
    char fingerprint[CON_FINGERPRINT_BYTES];
    int64_t attempts;
    struct sl_span routing_key; /* the original one; absent when unknown */
    struct sl_span replay_run;
    struct sl_span bytes; /* the message as received */
    uint8_t sha256[SL_SHA256_BYTES];
    int64_t first_failed_ms; /* 0: now */
};

/* Everything is copied into the arena. NULL without memory. */
struct con_letter *con_letter_read(const struct sl_amqp_delivery *delivery,
                                   struct sl_arena *arena) SL_MUST;

/* The same row of sluice_dead_letter: a statement may not be given both. */
bool con_letter_same(const struct con_letter *a, const struct con_letter *b);

/*
 * The first `count` letters of the list as parameters of dead_letter.sql; their bytes are written into `bytes`, which is emptied first. bare
 * leaves out all that comes from the event, for a letter that Postgres would not take otherwise. SL_E_LIMIT at the ceiling of bytes.
 */
bool con_letter_params(const struct con_letter *letters, size_t count, bool bare,
                       struct sl_buf *bytes, struct sl_pg_param out_params[CON_LETTER_PARAMS],
                       struct sl_err *err) SL_MUST;

#endif
