/*
 * scheme - how a sender signs what it posts, as data; verify and sign with any of them.
 *
 * Decides only: the caller gives the header fields, the time and the keys. All schemes are HMAC-SHA256; they differ in the signed text (a template
 * of literal text, the message's id, its timestamp and the raw body), the header fields, the encoding and how the secret becomes a key.
 *
 *     stripe             Stripe-Signature: t=…,v1=<hex>       {timestamp}.{body}        secret taken literally (stripe_signature)
 *     standard-webhooks  webhook-signature: v1,<base64> …     {id}.{timestamp}.{body}   whsec_ + base64 of the key
 *     github             X-Hub-Signature-256: sha256=<hex>    {body}                    no timestamp: a replay is as good as the first
 *     shopify            X-Shopify-Hmac-Sha256: <base64>      {body}                    no timestamp
 *     hmac               whatever the configuration says
 *
 * Law: a timestamp is 1..12 canonical digits and its age counts in both directions; an id is [A-Za-z0-9_-]{1,255}, so that no byte can move from one part
 * of the signed text to another; a signature has exactly the length of its encoding; <= 16 candidates; every key is compared with every
 * candidate without early exit.
 * Source: https://github.com/standard-webhooks/standard-webhooks (spec); the senders' own pages.
 * Threads: no shared state beyond the keys.
 */
#ifndef SHARED_SCHEME_H
#define SHARED_SCHEME_H

#include "shared/signature/stripe_signature.h"

#define SL_SCHEME_WORD_BYTES 64u /* header names, prefixes, literals; with the NUL */
#define SL_SCHEME_PARTS_MAX  8u
#define SL_SIGNED_ID_MAX     255u

enum sl_scheme_form {
    SL_FORM_STRIPE, /* t=…,v1=… : timestamp and signatures in one field */
    SL_FORM_LIST,   /* v1,<base64> separated by spaces */
    SL_FORM_SINGLE, /* one signature behind a fixed prefix */
};

enum sl_signature_encoding { SL_ENCODING_HEX, SL_ENCODING_BASE64 };

enum sl_signed_kind { SL_SIGNED_LITERAL, SL_SIGNED_ID, SL_SIGNED_TIMESTAMP, SL_SIGNED_BODY };

struct sl_scheme {
    const char *name; /* static: "stripe", "standard-webhooks", "github", "shopify", "hmac" */
    enum sl_scheme_form form;
    enum sl_signature_encoding encoding;
    bool has_encoded_secret; /* the key is the base64-decoded secret, without its whsec_ */
    char header[SL_SCHEME_WORD_BYTES];
    char prefix[SL_SCHEME_WORD_BYTES]; /* in front of a single signature; "": none */
    char time_header
        [SL_SCHEME_WORD_BYTES]; /* "": the scheme has no timestamp, or keeps it in its header */
    char id_header[SL_SCHEME_WORD_BYTES]; /* "": the scheme signs no id */
    struct {
        enum sl_signed_kind kind;
        char literal[SL_SCHEME_WORD_BYTES];
    } parts[SL_SCHEME_PARTS_MAX]; /* the signed text */
    size_t part_count;
};

/* The names above, NULL-terminated. */
extern const char *const sl_scheme_names[];
/* False when there is no such scheme. "hmac" is hex of {body} in no header yet. */
bool sl_scheme_preset(struct sl_span name, struct sl_scheme *out) SL_MUST;
/* Sets parts from a template such as "{timestamp}.{body}". NULL, or what is wrong with it. */
const char *sl_scheme_set_template(struct sl_scheme *scheme, struct sl_span text) SL_MUST;
/* Whether the signed text has such a part. */
bool sl_scheme_signs(const struct sl_scheme *scheme, enum sl_signed_kind kind);
bool sl_scheme_equal(const struct sl_scheme *a, const struct sl_scheme *b);
bool sl_scheme_has_time(const struct sl_scheme *scheme);

/* What a request brought, by the scheme's field names; absent when missing. */
struct sl_signed {
    struct sl_span signature;
    struct sl_span time; /* of time_header */
    struct sl_span id;   /* of id_header */
    struct sl_span body;
};

/* out_key (may be NULL): index of the key that matched. check->tolerance_s does not matter to a scheme without a timestamp. */
enum sl_signature_verdict sl_scheme_verify(const struct sl_scheme *scheme,
                                           const struct sl_stripe_check *check,
                                           const struct sl_signed *what, size_t *out_key);

#define SL_SCHEME_FIELDS_MAX  3u
#define SL_SCHEME_VALUE_BYTES 320u
struct sl_scheme_field {
    const char *name; /* borrowed from the scheme */
    char value[SL_SCHEME_VALUE_BYTES];
};
/* The header fields of a signed body; id is used by schemes that sign one. *out_count of them, the signature first. */
bool sl_scheme_sign(const struct sl_scheme *scheme, struct sl_hmac_key *key, int64_t at_s,
                    struct sl_span id, struct sl_span body,
                    struct sl_scheme_field out_fields[SL_SCHEME_FIELDS_MAX],
                    size_t *out_count) SL_MUST;

/* Why a secret must not be used with this scheme: NULL when it is fine. The text never contains the secret. */
const char *sl_scheme_secret_objection(const struct sl_scheme *scheme, struct sl_span secret);
/* The key of a secret, decoded as the scheme says. NULL: SL_E_CONFIG when it cannot be decoded, SL_E_MEMORY, SL_E_BUG. */
struct sl_hmac_key *sl_scheme_key_new(const struct sl_scheme *scheme, struct sl_span secret,
                                      struct sl_err *err) SL_MUST;

/* The timestamp a request claims; false when there is none that can be read. */
bool sl_scheme_claimed_time(const struct sl_scheme *scheme, const struct sl_signed *what,
                            int64_t *out_s) SL_MUST;

#endif
