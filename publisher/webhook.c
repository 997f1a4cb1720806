#include "publisher/webhook.h"

static bool refuse(enum pub_answer answer, struct pub_judgement *out_judgement);

bool pub_webhook_admit(const struct pub_source *source, const struct pub_webhook *webhook,
                       struct pub_judgement *out_judgement)
{
    *out_judgement = (struct pub_judgement){ .verdict = SL_SIGNATURE_VALID };
    if (source->is_closed || source->keyring->count == 0) {
        return refuse(PUB_DISABLED, out_judgement);
    }
    if (webhook->content_encoding.data != NULL &&
        !sl_span_is_nocase(webhook->content_encoding, "identity")) {
        return refuse(PUB_ENCODED, out_judgement);
    }
    const struct sl_stripe_check check = {
        .keys = source->keyring->keys,
        .key_count = source->keyring->count,
        .now_s = webhook->received_at_us / 1000000,
        .tolerance_s = source->tolerance_s,
    };
    out_judgement->verdict =
        webhook->is_doubled
            ? SL_SIGNATURE_MALFORMED
            : sl_scheme_verify(&source->rules->scheme, &check, &webhook->what, &out_judgement->key);
    if (out_judgement->verdict == SL_SIGNATURE_UNCHECKED) {
        return refuse(PUB_UNAVAILABLE, out_judgement); /* it may be authentic: never a 4xx */
    }
    if (out_judgement->verdict != SL_SIGNATURE_VALID) {
        return refuse(PUB_NOT_AUTHENTIC, out_judgement);
    }
    if (webhook->what.body.bytes == 0) {
        return refuse(PUB_EMPTY, out_judgement);
    }
    return true;
}

static bool refuse(enum pub_answer answer, struct pub_judgement *out_judgement)
{
    out_judgement->refusal = answer;
    return false;
}
