/*
 * webhook - may this request come in? The receiver's gate as a plain function.
 *
 * Decides only: no HTTP library, no clock. The signature is checked over the raw bytes before anything parses them.
 * Law: 400 for everything that is not authentic, with one fixed body; 415 only for Content-Encoding; Content-Type is not checked.
 * Threads: no shared state beyond the source's keys.
 */
#ifndef PUBLISHER_WEBHOOK_H
#define PUBLISHER_WEBHOOK_H

#include "publisher/answer.h"
#include "shared/stripe_signature.h"

struct pub_source {
    const char *name; /* first word of the routing key, label of metrics */
    struct sl_hmac_key *const *keys;
    size_t key_count; /* 0: disabled */
    int64_t tolerance_s;
};

struct pub_webhook {
    struct sl_span signature;        /* Stripe-Signature; absent when missing */
    struct sl_span content_encoding; /* absent when missing */
    struct sl_span body;
    int64_t received_at_us; /* wall clock at the first byte */
};

/*
 * True: authentic, go on. False: *out_answer is the refusal. *out_verdict is set either way (for the log and the metric; VALID when
 * the signature was not the reason).
 */
bool pub_webhook_admit(const struct pub_source *source, const struct pub_webhook *webhook,
                       enum pub_answer *out_answer, enum sl_signature_verdict *out_verdict) SL_MUST;

#endif
