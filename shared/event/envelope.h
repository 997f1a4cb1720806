/*
 * envelope - one event as it travels through the broker: a MessagePack map around the received bytes.
 *
 * Law: schemas/envelope.md. Unknown keys are skipped; an unknown version is SL_E_EVENT_VERSION; the body is never re-serialised.
 * Sizes are checked before the MessagePack library sees a byte (a five-byte header can ask it for gigabytes).
 * Refuses: texts that are not UTF-8 or hold U+0000, so that what was decoded fits a text column.
 * The only file that includes msgpack.
 * Threads: no shared state.
 */
#ifndef SHARED_ENVELOPE_H
#define SHARED_ENVELOPE_H

#include <stdint.h>

#include "shared/buf.h"

#define SL_ENVELOPE_VERSION             1
#define SL_EVENT_ID_BYTES_MAX           255u /* account and object too */
#define SL_EVENT_SOURCE_BYTES_MAX       64u
#define SL_EVENT_TYPE_BYTES_MAX         255u
#define SL_EVENT_CONTENT_TYPE_BYTES_MAX 255u
/* 9999-12-31T23:59:59Z: a later time is no time of an event. */
#define SL_EVENT_TIME_S_MAX     INT64_C(253402300799)
#define SL_EVENT_BODY_BYTES_MAX (1024u * 1024u)
/* Body plus all other fields at their limits. */
#define SL_ENVELOPE_BYTES_MAX (SL_EVENT_BODY_BYTES_MAX + 8192u)

struct sl_envelope {
    struct sl_span id;      /* never empty */
    struct sl_span source;  /* "stripe" */
    struct sl_span type;    /* "invoice.paid", "unparsed" */
    struct sl_span account; /* "" for the own account */
    bool livemode;
    struct sl_span object; /* id of the object it is about; absent when unknown */
    int64_t occurred_at_s; /* the provider's created; 0 when unknown */
    int64_t received_at_us;
    int64_t deliver_at_s;        /* not before then; 0: at once */
    struct sl_span content_type; /* of the body, as received; absent when it was */
    struct sl_span body;         /* the received bytes */
};

/*
 * Appends to out. Never fails over what an authentic event may leave odd: an optional text that breaks its rule is left out, a time
 * outside 0..SL_EVENT_TIME_S_MAX is written as 0. False: SL_E_LIMIT when a required text or the body breaks its rule or out is full,
 * and then out may hold a part.
 */
bool sl_envelope_encode(const struct sl_envelope *envelope, struct sl_buf *out,
                        struct sl_err *err) SL_MUST;
/* out_envelope borrows from bytes. SL_E_EVENT_MALFORMED, SL_E_EVENT_VERSION, or SL_E_MEMORY. */
bool sl_envelope_decode(struct sl_span bytes, struct sl_envelope *out_envelope,
                        struct sl_err *err) SL_MUST;

#endif
