#include "shared/signature/stripe_signature.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "shared/units.h"

#define HEADER_BYTES_MAX   4096u
#define CANDIDATES_MAX     16u
#define TIME_DIGITS_MAX    12u
#define SECRET_PREFIX      "whsec_"
#define SECRET_BYTES_MIN   24u
#define DISTINCT_BYTES_MIN 8u

/* A header taken apart. */
struct parsed {
    struct sl_span time;
    int64_t time_s;
    size_t entry_count; /* v1 entries, readable or not */
    size_t candidate_count;
    uint8_t candidates[CANDIDATES_MAX][SL_SHA256_BYTES];
};

static bool parse_header(struct sl_span header, struct parsed *parsed);
static bool parse_entry(struct sl_span entry, struct parsed *parsed);
static enum sl_signature_verdict match_any(const struct sl_stripe_check *check,
                                           const struct parsed *parsed, struct sl_span body,
                                           size_t *out_key);
static size_t count_distinct(struct sl_span bytes);

const char *sl_signature_verdict_name(enum sl_signature_verdict verdict)
{
    switch (verdict) {
    case SL_SIGNATURE_VALID:
        return "valid";
    case SL_SIGNATURE_MISSING:
        return "missing";
    case SL_SIGNATURE_MALFORMED:
        return "malformed";
    case SL_SIGNATURE_MISMATCH:
        return "mismatch";
    case SL_SIGNATURE_STALE:
        return "stale";
    case SL_SIGNATURE_FUTURE:
        return "future";
    case SL_SIGNATURE_UNCHECKED:
        return "unchecked";
    }
    return "malformed";
}

enum sl_signature_verdict sl_stripe_verify(const struct sl_stripe_check *check,
                                           struct sl_span header, struct sl_span body,
                                           size_t *out_key)
{
    SL_ASSERT(check->key_count >= 1 && check->key_count <= SL_STRIPE_SECRETS_MAX);
    if (sl_span_trim(header).bytes == 0) {
        return SL_SIGNATURE_MISSING;
    }
    struct parsed parsed = { .time = { NULL, 0 } };
    if (!parse_header(header, &parsed)) {
        return SL_SIGNATURE_MALFORMED;
    }
    size_t key = 0;
    enum sl_signature_verdict verdict = match_any(check, &parsed, body, &key);
    if (verdict != SL_SIGNATURE_VALID) {
        return verdict;
    }
    if (check->now_s - parsed.time_s > check->tolerance_s) {
        return SL_SIGNATURE_STALE;
    }
    if (parsed.time_s - check->now_s > check->tolerance_s) {
        return SL_SIGNATURE_FUTURE;
    }
    if (out_key != NULL) {
        *out_key = key;
    }
    return SL_SIGNATURE_VALID;
}

static bool parse_header(struct sl_span header, struct parsed *parsed)
{
    if (header.bytes > HEADER_BYTES_MAX) {
        return false;
    }
    struct sl_span entry = { 0 };
    while (sl_span_split(&header, ',', &entry)) {
        while (entry.bytes > 0 && (entry.data[0] == ' ' || entry.data[0] == '\t')) {
            entry = sl_span_make(entry.data + 1, entry.bytes - 1);
        }
        if (!parse_entry(entry, parsed)) {
            return false;
        }
    }
    return parsed->time.data != NULL && parsed->entry_count > 0;
}

/* False only for what makes the whole header malformed. */
static bool parse_entry(struct sl_span entry, struct parsed *parsed)
{
    struct sl_span value = entry;
    struct sl_span name = { 0 };
    if (!sl_span_split(&value, '=', &name) || value.data == NULL) {
        return true;
    }
    if (sl_span_is(name, "t")) {
        bool is_first = parsed->time.data == NULL;
        parsed->time = value;
        return is_first && sl_units_decimal(value, TIME_DIGITS_MAX, &parsed->time_s);
    }
    if (!sl_span_is(name, "v1")) {
        return true;
    }
    parsed->entry_count++;
    if (parsed->entry_count > CANDIDATES_MAX) {
        return false;
    }
    if (sl_hex_decode(value, parsed->candidates[parsed->candidate_count], SL_SHA256_BYTES)) {
        parsed->candidate_count++;
    }
    return true;
}

/* Every secret against every candidate: how long it takes says nothing about which one was right. */
static enum sl_signature_verdict match_any(const struct sl_stripe_check *check,
                                           const struct parsed *parsed, struct sl_span body,
                                           size_t *out_key)
{
    const struct sl_span parts[] = { parsed->time, SL_SPAN_LITERAL("."), body };
    bool is_found = false;
    bool is_checked = true;
    for (size_t i = 0; i < check->key_count; i++) {
        uint8_t mac[SL_SHA256_BYTES];
        if (!sl_hmac_sha256(check->keys[i], parts, SL_COUNT(parts), mac)) {
            is_checked = false;
            continue;
        }
        for (size_t j = 0; j < parsed->candidate_count; j++) {
            if (sl_equal_constant_time(mac, parsed->candidates[j], sizeof mac)) {
                *out_key = is_found ? *out_key : i;
                is_found = true;
            }
        }
    }
    return is_found     ? SL_SIGNATURE_VALID
           : is_checked ? SL_SIGNATURE_MISMATCH
                        : SL_SIGNATURE_UNCHECKED;
}

bool sl_stripe_sign(struct sl_hmac_key *key, int64_t at_s, struct sl_span body,
                    char out_header[SL_STRIPE_HEADER_BYTES])
{
    char time[24];
    int time_bytes = snprintf(time, sizeof time, "%" PRId64, at_s);
    const struct sl_span parts[] = { sl_span_make(time, (size_t)time_bytes), SL_SPAN_LITERAL("."),
                                     body };
    uint8_t mac[SL_SHA256_BYTES];
    if (!sl_hmac_sha256(key, parts, SL_COUNT(parts), mac)) {
        return false;
    }
    char hex[SL_SHA256_HEX_BYTES];
    sl_hex_encode(mac, sizeof mac, hex);
    snprintf(out_header, SL_STRIPE_HEADER_BYTES, "t=%s,v1=%s", time, hex);
    return true;
}

const char *sl_stripe_secret_objection(struct sl_span secret)
{
    if (secret.bytes == 0) {
        return "is empty";
    }
    for (size_t i = 0; i < secret.bytes; i++) {
        if (isspace((unsigned char)secret.data[i]) != 0) {
            return "holds white space; a line end or a space was pasted with it";
        }
    }
    if (secret.bytes < SECRET_BYTES_MIN) {
        return "is shorter than 24 bytes; a signing secret looks like whsec_ and 32 more";
    }
    static const char *const api_keys[] = { "sk_", "rk_", "pk_" };
    for (size_t i = 0; i < SL_COUNT(api_keys); i++) {
        if (sl_span_starts_with(secret, api_keys[i])) {
            return "is an API key; the endpoint's signing secret begins with whsec_";
        }
    }
    struct sl_span rest = secret;
    if (sl_span_starts_with(secret, SECRET_PREFIX)) {
        size_t prefix_bytes = sizeof SECRET_PREFIX - 1;
        rest = sl_span_make(secret.data + prefix_bytes, secret.bytes - prefix_bytes);
    }
    if (count_distinct(rest) < DISTINCT_BYTES_MIN) {
        return "is a placeholder: fewer than 8 different characters";
    }
    return NULL;
}

static size_t count_distinct(struct sl_span bytes)
{
    bool seen[256] = { false };
    size_t count = 0;
    for (size_t i = 0; i < bytes.bytes; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        count += seen[byte] ? 0 : 1;
        seen[byte] = true;
    }
    return count;
}
