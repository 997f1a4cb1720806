#include "publisher/webhook.h"

static bool refuse(enum pub_answer answer, enum pub_answer *out_answer);

bool pub_webhook_admit(const struct pub_source *source, const struct pub_webhook *webhook,
                       enum pub_answer *out_answer, enum sl_signature_verdict *out_verdict)
{
    *out_verdict = SL_SIGNATURE_VALID;
    if (source->key_count == 0) {
        return refuse(PUB_DISABLED, out_answer);
    }
    if (webhook->content_encoding.data != NULL &&
        !sl_span_is_nocase(webhook->content_encoding, "identity")) {
        return refuse(PUB_ENCODED, out_answer);
    }
    const struct sl_stripe_check check = {
        .keys = source->keys,
        .key_count = source->key_count,
        .now_s = webhook->received_at_us / 1000000,
        .tolerance_s = source->tolerance_s,
    };
    *out_verdict = sl_stripe_verify(&check, webhook->signature, webhook->body, NULL);
    if (*out_verdict == SL_SIGNATURE_UNCHECKED) {
        return refuse(PUB_UNAVAILABLE, out_answer); /* it may be authentic: never a 4xx */
    }
    if (*out_verdict != SL_SIGNATURE_VALID) {
        return refuse(PUB_NOT_AUTHENTIC, out_answer);
    }
    if (webhook->body.bytes == 0) {
        return refuse(PUB_EMPTY, out_answer);
    }
    return true;
}

static bool refuse(enum pub_answer answer, enum pub_answer *out_answer)
{
    *out_answer = answer;
    return false;
}
