/*
 * fuzz signature - header fields, body and secret of any bytes, under every scheme: never a crash, and never valid unless the sender's own signature is in
 * the header.
 *
 * The first byte picks the scheme; then, each on a line: signature, timestamp, id, secret; the rest is the body.
 */
#include <stdlib.h>

#include "shared/signature/scheme.h"

#define INPUT_MAX 40000u
#define NOW_S     INT64_C(1700000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
static struct sl_span take_line(struct sl_span *rest);
static void check_valid(const struct sl_scheme *scheme, struct sl_hmac_key *key,
                        const struct sl_signed *what);
static void check_round(const struct sl_scheme *scheme, struct sl_hmac_key *key,
                        const struct sl_signed *what);
static bool contains_nocase(struct sl_span text, struct sl_span part);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2 || bytes > INPUT_MAX) {
        return 0;
    }
    char *copy = malloc(bytes - 1); /* of exactly its size, so that a read behind it is seen */
    MUST(copy != NULL);
    memcpy(copy, data + 1, bytes - 1);
    struct sl_span rest = sl_span_make(copy, bytes - 1);
    struct sl_scheme scheme = { 0 };
    MUST(sl_scheme_preset(sl_span_of(sl_scheme_names[data[0] % 5]), &scheme));

    struct sl_signed what = { .signature = take_line(&rest) };
    what.time = take_line(&rest);
    what.id = take_line(&rest);
    struct sl_span secret = take_line(&rest);
    what.body = rest;
    if (strcmp(scheme.name, "hmac") == 0) {
        const char *why = sl_scheme_set_template(&scheme, secret);
        if (why != NULL) {
            MUST(sl_scheme_set_template(&scheme, SL_SPAN_LITERAL("{id}.{timestamp}.{body}")) ==
                 NULL);
        }
    }
    struct sl_err err = { 0 };
    struct sl_hmac_key *key = sl_scheme_key_new(&scheme, secret, &err);
    const char *objection = sl_scheme_secret_objection(&scheme, secret);
    MUST(key != NULL || objection != NULL);
    if (key != NULL) {
        check_valid(&scheme, key, &what);
        check_round(&scheme, key, &what);
    }
    sl_hmac_key_free(key);
    free(copy);
    return 0;
}

static struct sl_span take_line(struct sl_span *rest)
{
    struct sl_span line = { NULL, 0 };
    return sl_span_split(rest, '\n', &line) ? line : (struct sl_span){ NULL, 0 };
}

static void check_valid(const struct sl_scheme *scheme, struct sl_hmac_key *key,
                        const struct sl_signed *what)
{
    const struct sl_stripe_check check = {
        .keys = &key, .key_count = 1, .now_s = NOW_S, .tolerance_s = INT64_C(1) << 50
    };
    int64_t time_s = NOW_S;
    if (sl_scheme_verify(scheme, &check, what, NULL) != SL_SIGNATURE_VALID) {
        return;
    }
    MUST(!sl_scheme_has_time(scheme) || sl_scheme_claimed_time(scheme, what, &time_s));
    struct sl_scheme_field fields[SL_SCHEME_FIELDS_MAX];
    size_t count = 0;
    MUST(sl_scheme_sign(scheme, key, time_s, what->id, what->body, fields, &count));
    struct sl_span mine = sl_span_of(fields[0].value);
    size_t mac = scheme->encoding == SL_ENCODING_HEX ? 64 : 44;
    MUST(contains_nocase(what->signature, sl_span_make(mine.data + mine.bytes - mac, mac)));
}

/* What is signed verifies, whatever the body. */
static void check_round(const struct sl_scheme *scheme, struct sl_hmac_key *key,
                        const struct sl_signed *what)
{
    const struct sl_stripe_check check = {
        .keys = &key, .key_count = 1, .now_s = NOW_S, .tolerance_s = 1
    };
    struct sl_scheme_field fields[SL_SCHEME_FIELDS_MAX];
    size_t count = 0;
    if (!sl_scheme_sign(scheme, key, NOW_S, what->id, what->body, fields, &count)) {
        return;
    }
    struct sl_signed made = *what;
    made.signature = sl_span_of(fields[0].value);
    made.time = SL_SPAN_LITERAL("1700000000");
    MUST(sl_scheme_verify(scheme, &check, &made, NULL) == SL_SIGNATURE_VALID);
}

static bool contains_nocase(struct sl_span text, struct sl_span part)
{
    for (size_t i = 0; i + part.bytes <= text.bytes; i++) {
        if (strncasecmp(text.data + i, part.data, part.bytes) == 0) {
            return true;
        }
    }
    return false;
}
