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
#include "publisher/source.h"

struct pub_webhook {
    struct sl_signed what;
    bool is_doubled;                 /* one of the fields that count was sent twice */
    struct sl_span content_encoding; /* absent when missing */
    int64_t received_at_us;          /* wall clock at the first byte */
};

struct pub_judgement {
    enum pub_answer refusal; /* of a request that is not admitted */
    enum sl_signature_verdict
        verdict; /* for the log and the metric; VALID when the signature was not the reason */
    size_t key;  /* of an admitted one: place of the secret that matched */
};

/* True: authentic, go on. *out_judgement is set either way. */
bool pub_webhook_admit(const struct pub_source *source, const struct pub_webhook *webhook,
                       struct pub_judgement *out_judgement) SL_MUST;

#endif
