/*
 * stripe_signature - Stripe's `Stripe-Signature: t=…,v1=…` scheme: parse, sign, verify.
 *
 * Decides only: the caller gives the time and the keyed secrets.
 * Law: signed text is t "." raw body, HMAC-SHA256 with the secret taken literally (prefix included). Exactly one t of 1..12 canonical
 * digits; v1 entries of exactly 64 hex digits, any case, any of which may match; other entries and unreadable v1 are ignored;
 * optional white space after a comma; header <= 4 KiB, <= 16 v1 entries; age checked in both directions.
 * Every secret is compared with every candidate, without early exit.
 * Threads: no shared state beyond the keys.
 */
#ifndef SHARED_STRIPE_SIGNATURE_H
#define SHARED_STRIPE_SIGNATURE_H

#include "shared/digest.h"

#define SL_STRIPE_SECRETS_MAX 8u

enum sl_signature_verdict {
    SL_SIGNATURE_VALID,
    SL_SIGNATURE_MISSING,   /* no header */
    SL_SIGNATURE_MALFORMED, /* header is not in the scheme's form */
    SL_SIGNATURE_MISMATCH,  /* no secret gives any of the signatures */
    SL_SIGNATURE_STALE,     /* authentic, but older than the tolerance */
    SL_SIGNATURE_FUTURE,    /* authentic, but from further ahead than the tolerance */
    SL_SIGNATURE_UNCHECKED, /* there was no memory to compute it: nothing is known about the request */
};

/* Stable word for logs and metrics: "valid", "missing", "malformed", "mismatch", "stale", "future", "unchecked". */
const char *sl_signature_verdict_name(enum sl_signature_verdict verdict);

struct sl_stripe_check {
    struct sl_hmac_key *const *keys; /* key_count of them, 1..SL_STRIPE_SECRETS_MAX */
    size_t key_count;
    int64_t now_s; /* wall clock when the request's first byte arrived */
    int64_t tolerance_s;
};

/* header may be absent. out_key (may be NULL) is the index of the secret that matched. */
enum sl_signature_verdict sl_stripe_verify(const struct sl_stripe_check *check,
                                           struct sl_span header, struct sl_span body,
                                           size_t *out_key);

#define SL_STRIPE_HEADER_BYTES 96u
/* "t=<at_s>,v1=<hex>" for a body. */
bool sl_stripe_sign(struct sl_hmac_key *key, int64_t at_s, struct sl_span body,
                    char out_header[SL_STRIPE_HEADER_BYTES]) SL_MUST;

/* Why a secret must not be used: NULL when it is fine. Under 24 bytes, white space inside, an API key, a placeholder (< 8 distinct bytes after
 * the prefix). The text never contains the secret. */
const char *sl_stripe_secret_objection(struct sl_span secret);

#endif
