#include "shared/signature/scheme.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/base64.h"
#include "shared/units.h"

#define FIELD_BYTES_MAX  4096u
#define CANDIDATES_MAX   16u
#define TIME_DIGITS_MAX  12u
#define STANDARD_PREFIX  "whsec_"
#define STANDARD_VERSION "v1"
#define KEY_BYTES_MAX    512u
#define NEEDS_BODY       "needs {body}: what is not signed could be anything"
#define KEY_BYTES_MIN    24u

/* The signatures of a request that can be read. */
struct candidates {
    uint8_t macs[CANDIDATES_MAX][SL_SHA256_BYTES];
    size_t count;
};

const char *const sl_scheme_names[] = { "stripe", "standard-webhooks", "github", "shopify", "hmac",
                                        NULL };

static const struct {
    struct sl_scheme scheme;
    const char *signed_text;
} presets[] = {
    { { .name = "stripe", .form = SL_FORM_STRIPE, .header = "Stripe-Signature" },
      "{timestamp}.{body}" },
    { { .name = "standard-webhooks",
        .form = SL_FORM_LIST,
        .encoding = SL_ENCODING_BASE64,
        .has_encoded_secret = true,
        .header = "webhook-signature",
        .time_header = "webhook-timestamp",
        .id_header = "webhook-id" },
      "{id}.{timestamp}.{body}" },
    { { .name = "github",
        .form = SL_FORM_SINGLE,
        .header = "X-Hub-Signature-256",
        .prefix = "sha256=" },
      "{body}" },
    { { .name = "shopify",
        .form = SL_FORM_SINGLE,
        .encoding = SL_ENCODING_BASE64,
        .header = "X-Shopify-Hmac-Sha256" },
      "{body}" },
    { { .name = "hmac", .form = SL_FORM_SINGLE }, "{body}" },
};

static const struct {
    const char *word;
    enum sl_signed_kind kind;
} placeholders[] = {
    { "{id}", SL_SIGNED_ID },
    { "{timestamp}", SL_SIGNED_TIMESTAMP },
    { "{body}", SL_SIGNED_BODY },
};

static const char *add_part(struct sl_scheme *scheme, enum sl_signed_kind kind,
                            struct sl_span literal);
static bool read_candidates(const struct sl_scheme *scheme, struct sl_span value,
                            struct candidates *out);
static bool read_list(struct sl_span value, struct candidates *out);
static bool read_single(const struct sl_scheme *scheme, struct sl_span value,
                        struct candidates *out);
static bool decode(enum sl_signature_encoding encoding, struct sl_span text,
                   uint8_t out_mac[SL_SHA256_BYTES]);
static bool is_id(struct sl_span id);
static size_t gather(const struct sl_scheme *scheme, const struct sl_signed *what,
                     struct sl_span out_parts[SL_SCHEME_PARTS_MAX]);
static enum sl_signature_verdict match_any(const struct sl_stripe_check *check,
                                           const struct sl_span *parts, size_t part_count,
                                           const struct candidates *candidates, size_t *out_key);
static bool decode_secret(struct sl_span secret, uint8_t out_key[KEY_BYTES_MAX], size_t *out_bytes);

bool sl_scheme_preset(struct sl_span name, struct sl_scheme *out)
{
    for (size_t i = 0; i < SL_COUNT(presets); i++) {
        if (sl_span_is(name, presets[i].scheme.name)) {
            *out = presets[i].scheme;
            const char *why = sl_scheme_set_template(out, sl_span_of(presets[i].signed_text));
            SL_ASSERT(why == NULL);
            return true;
        }
    }
    return false;
}

const char *sl_scheme_set_template(struct sl_scheme *scheme, struct sl_span text)
{
    const char *why = NULL;
    size_t literal_at = 0;
    size_t at = 0;
    scheme->part_count = 0;
    if (text.bytes == 0) {
        return NEEDS_BODY;
    }
    while (at < text.bytes && why == NULL) {
        struct sl_span rest = sl_span_make(text.data + at, text.bytes - at);
        size_t which = 0;
        while (which < SL_COUNT(placeholders) &&
               !sl_span_starts_with(rest, placeholders[which].word)) {
            which++;
        }
        if (which == SL_COUNT(placeholders)) {
            why = text.data[at] == '{' || text.data[at] == '}'
                      ? "knows only {id}, {timestamp} and {body}"
                      : NULL;
            at++;
            continue;
        }
        struct sl_span literal = sl_span_make(text.data + literal_at, at - literal_at);
        why = literal.bytes == 0 ? NULL : add_part(scheme, SL_SIGNED_LITERAL, literal);
        why = why != NULL ? why : add_part(scheme, placeholders[which].kind, SL_SPAN_LITERAL(""));
        at += strlen(placeholders[which].word);
        literal_at = at;
    }
    struct sl_span last = sl_span_make(text.data + literal_at, text.bytes - literal_at);
    if (why == NULL && last.bytes > 0) {
        why = add_part(scheme, SL_SIGNED_LITERAL, last);
    }
    if (why == NULL && !sl_scheme_signs(scheme, SL_SIGNED_BODY)) {
        why = NEEDS_BODY;
    }
    return why;
}

static const char *add_part(struct sl_scheme *scheme, enum sl_signed_kind kind,
                            struct sl_span literal)
{
    if (scheme->part_count == SL_SCHEME_PARTS_MAX || literal.bytes >= SL_SCHEME_WORD_BYTES) {
        return "has too many parts, or too long a text between them";
    }
    if (kind != SL_SIGNED_LITERAL && sl_scheme_signs(scheme, kind)) {
        return "names a part twice";
    }
    scheme->parts[scheme->part_count].kind = kind;
    snprintf(scheme->parts[scheme->part_count].literal, SL_SCHEME_WORD_BYTES, "%.*s",
             SL_SPAN_ARGS(literal));
    scheme->part_count++;
    return NULL;
}

bool sl_scheme_signs(const struct sl_scheme *scheme, enum sl_signed_kind kind)
{
    for (size_t i = 0; i < scheme->part_count; i++) {
        if (scheme->parts[i].kind == kind) {
            return true;
        }
    }
    return false;
}

bool sl_scheme_equal(const struct sl_scheme *a, const struct sl_scheme *b)
{
    bool is_equal = strcmp(a->name, b->name) == 0 && a->form == b->form &&
                    a->encoding == b->encoding && a->has_encoded_secret == b->has_encoded_secret &&
                    strcmp(a->header, b->header) == 0 && strcmp(a->prefix, b->prefix) == 0 &&
                    strcmp(a->time_header, b->time_header) == 0 &&
                    strcmp(a->id_header, b->id_header) == 0 && a->part_count == b->part_count;
    for (size_t i = 0; is_equal && i < a->part_count; i++) {
        is_equal = a->parts[i].kind == b->parts[i].kind &&
                   strcmp(a->parts[i].literal, b->parts[i].literal) == 0;
    }
    return is_equal;
}

bool sl_scheme_has_time(const struct sl_scheme *scheme)
{
    return sl_scheme_signs(scheme, SL_SIGNED_TIMESTAMP);
}

enum sl_signature_verdict sl_scheme_verify(const struct sl_scheme *scheme,
                                           const struct sl_stripe_check *check,
                                           const struct sl_signed *what, size_t *out_key)
{
    if (scheme->form == SL_FORM_STRIPE) {
        return sl_stripe_verify(check, what->signature, what->body, out_key);
    }
    SL_ASSERT(check->key_count >= 1 && check->key_count <= SL_STRIPE_SECRETS_MAX);
    bool has_time = sl_scheme_signs(scheme, SL_SIGNED_TIMESTAMP);
    bool has_id = sl_scheme_signs(scheme, SL_SIGNED_ID);
    if (sl_span_trim(what->signature).bytes == 0 || (has_time && what->time.bytes == 0) ||
        (has_id && what->id.bytes == 0)) {
        return SL_SIGNATURE_MISSING;
    }
    int64_t time_s = check->now_s;
    struct candidates candidates = { .count = 0 };
    if ((has_time && !sl_units_decimal(what->time, TIME_DIGITS_MAX, &time_s)) ||
        (has_id && !is_id(what->id)) || !read_candidates(scheme, what->signature, &candidates)) {
        return SL_SIGNATURE_MALFORMED;
    }
    struct sl_span parts[SL_SCHEME_PARTS_MAX];
    size_t key = 0;
    size_t part_count = gather(scheme, what, parts);
    enum sl_signature_verdict verdict = match_any(check, parts, part_count, &candidates, &key);
    if (verdict != SL_SIGNATURE_VALID) {
        return verdict;
    }
    if (check->now_s - time_s > check->tolerance_s) {
        return SL_SIGNATURE_STALE;
    }
    if (time_s - check->now_s > check->tolerance_s) {
        return SL_SIGNATURE_FUTURE;
    }
    if (out_key != NULL) {
        *out_key = key;
    }
    return SL_SIGNATURE_VALID;
}

static bool read_candidates(const struct sl_scheme *scheme, struct sl_span value,
                            struct candidates *out)
{
    return value.bytes <= FIELD_BYTES_MAX &&
           (scheme->form == SL_FORM_LIST ? read_list(value, out) : read_single(scheme, value, out));
}

/* Entries of other versions, and those that cannot be read, prove nothing and are passed over; one of version 1 there has to be. */
static bool read_list(struct sl_span value, struct candidates *out)
{
    size_t entries = 0;
    struct sl_span entry = { 0 };
    while (sl_span_split(&value, ' ', &entry)) {
        struct sl_span version = { 0 };
        if (!sl_span_split(&entry, ',', &version) || !sl_span_is(version, STANDARD_VERSION)) {
            continue;
        }
        entries++;
        if (entries > CANDIDATES_MAX) {
            return false;
        }
        if (entry.data != NULL && decode(SL_ENCODING_BASE64, entry, out->macs[out->count])) {
            out->count++;
        }
    }
    return entries > 0;
}

static bool read_single(const struct sl_scheme *scheme, struct sl_span value,
                        struct candidates *out)
{
    size_t prefix_bytes = strlen(scheme->prefix);
    if (!sl_span_starts_with(value, scheme->prefix)) {
        return false;
    }
    value = sl_span_make(value.data + prefix_bytes, value.bytes - prefix_bytes);
    out->count = decode(scheme->encoding, value, out->macs[0]) ? 1 : 0;
    return out->count == 1;
}

static bool decode(enum sl_signature_encoding encoding, struct sl_span text,
                   uint8_t out_mac[SL_SHA256_BYTES])
{
    size_t bytes = 0;
    if (encoding == SL_ENCODING_HEX) {
        return sl_hex_decode(text, out_mac, SL_SHA256_BYTES);
    }
    return sl_base64_decode(text, out_mac, SL_SHA256_BYTES, &bytes) && bytes == SL_SHA256_BYTES;
}

static bool is_id(struct sl_span id)
{
    for (size_t i = 0; i < id.bytes; i++) {
        char c = id.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-')) {
            return false;
        }
    }
    return id.bytes >= 1 && id.bytes <= SL_SIGNED_ID_MAX;
}

static size_t gather(const struct sl_scheme *scheme, const struct sl_signed *what,
                     struct sl_span out_parts[SL_SCHEME_PARTS_MAX])
{
    for (size_t i = 0; i < scheme->part_count; i++) {
        switch (scheme->parts[i].kind) {
        case SL_SIGNED_LITERAL:
            out_parts[i] = sl_span_of(scheme->parts[i].literal);
            break;
        case SL_SIGNED_ID:
            out_parts[i] = what->id;
            break;
        case SL_SIGNED_TIMESTAMP:
            out_parts[i] = what->time;
            break;
        case SL_SIGNED_BODY:
            out_parts[i] = what->body;
            break;
        }
    }
    return scheme->part_count;
}

/* Every key against every candidate: how long it takes says nothing about which one was right. */
static enum sl_signature_verdict match_any(const struct sl_stripe_check *check,
                                           const struct sl_span *parts, size_t part_count,
                                           const struct candidates *candidates, size_t *out_key)
{
    bool is_found = false;
    bool is_checked = true;
    for (size_t i = 0; i < check->key_count; i++) {
        uint8_t mac[SL_SHA256_BYTES];
        if (!sl_hmac_sha256(check->keys[i], parts, part_count, mac)) {
            is_checked = false;
            continue;
        }
        for (size_t j = 0; j < candidates->count; j++) {
            if (sl_equal_constant_time(mac, candidates->macs[j], sizeof mac)) {
                *out_key = is_found ? *out_key : i;
                is_found = true;
            }
        }
    }
    return is_found     ? SL_SIGNATURE_VALID
           : is_checked ? SL_SIGNATURE_MISMATCH
                        : SL_SIGNATURE_UNCHECKED;
}

bool sl_scheme_sign(const struct sl_scheme *scheme, struct sl_hmac_key *key, int64_t at_s,
                    struct sl_span id, struct sl_span body,
                    struct sl_scheme_field out_fields[SL_SCHEME_FIELDS_MAX], size_t *out_count)
{
    struct sl_scheme_field *first = &out_fields[0];
    char time[24];
    snprintf(time, sizeof time, "%" PRId64, at_s);
    first->name = scheme->header;
    *out_count = 1;
    if (scheme->form == SL_FORM_STRIPE) {
        return sl_stripe_sign(key, at_s, body, first->value);
    }
    const struct sl_signed what = { .time = sl_span_of(time), .id = id, .body = body };
    struct sl_span parts[SL_SCHEME_PARTS_MAX];
    uint8_t mac[SL_SHA256_BYTES];
    char text[SL_BASE64_ROOM(SL_SHA256_BYTES) + SL_SHA256_HEX_BYTES];
    if ((sl_scheme_signs(scheme, SL_SIGNED_ID) && !is_id(id)) ||
        !sl_hmac_sha256(key, parts, gather(scheme, &what, parts), mac)) {
        return false;
    }
    if (scheme->encoding == SL_ENCODING_HEX) {
        sl_hex_encode(mac, sizeof mac, text);
    } else {
        sl_base64_encode(mac, sizeof mac, text);
    }
    snprintf(first->value, sizeof first->value, "%s%s",
             scheme->form == SL_FORM_LIST ? STANDARD_VERSION "," : scheme->prefix, text);
    if (scheme->time_header[0] != '\0') {
        out_fields[*out_count].name = scheme->time_header;
        snprintf(out_fields[(*out_count)++].value, SL_SCHEME_VALUE_BYTES, "%s", time);
    }
    if (scheme->id_header[0] != '\0') {
        out_fields[*out_count].name = scheme->id_header;
        snprintf(out_fields[(*out_count)++].value, SL_SCHEME_VALUE_BYTES, "%.*s", SL_SPAN_ARGS(id));
    }
    return true;
}

const char *sl_scheme_secret_objection(const struct sl_scheme *scheme, struct sl_span secret)
{
    if (!scheme->has_encoded_secret) {
        return sl_stripe_secret_objection(secret);
    }
    uint8_t key[KEY_BYTES_MAX];
    size_t bytes = 0;
    bool is_encoded = decode_secret(secret, key, &bytes);
    explicit_bzero(key, sizeof key);
    const char *why = secret.bytes == 0 ? "is empty" : NULL;
    if (why == NULL && sl_span_trim(secret).bytes != secret.bytes) {
        why = "holds white space; a line end or a space was pasted with it";
    }
    if (why == NULL && !is_encoded) {
        why = "is not base64 behind its whsec_";
    }
    if (why == NULL && bytes < KEY_BYTES_MIN) {
        why = "is shorter than 24 bytes once decoded";
    }
    return why != NULL ? why : sl_stripe_secret_objection(secret);
}

static bool decode_secret(struct sl_span secret, uint8_t out_key[KEY_BYTES_MAX], size_t *out_bytes)
{
    size_t prefix_bytes =
        sl_span_starts_with(secret, STANDARD_PREFIX) ? strlen(STANDARD_PREFIX) : 0;
    if (secret.bytes == 0) {
        return false;
    }
    return sl_base64_decode(sl_span_make(secret.data + prefix_bytes, secret.bytes - prefix_bytes),
                            out_key, KEY_BYTES_MAX, out_bytes);
}

struct sl_hmac_key *sl_scheme_key_new(const struct sl_scheme *scheme, struct sl_span secret,
                                      struct sl_err *err)
{
    if (!scheme->has_encoded_secret) {
        return sl_hmac_key_new(secret, err);
    }
    uint8_t bytes[KEY_BYTES_MAX];
    size_t count = 0;
    struct sl_hmac_key *key = NULL;
    if (decode_secret(secret, bytes, &count) && count > 0) {
        key = sl_hmac_key_new(sl_span_make(bytes, count), err);
    } else {
        sl_fail(err, SL_E_CONFIG, "the secret is not base64 behind its whsec_");
    }
    explicit_bzero(bytes, sizeof bytes);
    return key;
}

bool sl_scheme_claimed_time(const struct sl_scheme *scheme, const struct sl_signed *what,
                            int64_t *out_s)
{
    if (scheme->form != SL_FORM_STRIPE) {
        return sl_scheme_has_time(scheme) && sl_units_decimal(what->time, TIME_DIGITS_MAX, out_s);
    }
    struct sl_span rest = what->signature;
    struct sl_span entry = { 0 };
    while (sl_span_split(&rest, ',', &entry)) {
        entry = sl_span_trim(entry);
        if (sl_span_starts_with(entry, "t=")) {
            return sl_units_decimal(sl_span_make(entry.data + 2, entry.bytes - 2), TIME_DIGITS_MAX,
                                    out_s);
        }
    }
    return false;
}
