#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "ops/address.h"
#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/input.h"
#include "ops/sign.h"
#include "ops/verify_explain.h"
#include "shared/clock.h"
#include "shared/json_write.h"

#define BODY_BYTES_MAX       (16u * 1024u * 1024u)
#define TIME_MAX             999999999999 /* twelve digits, as the check takes them */
#define TOLERANCE_DEFAULT_MS 300000       /* STRIPE_WEBHOOK_TOLERANCE's default */
#define TOLERANCE_MAX_MS     (INT64_C(10) * 365 * 86400 * 1000)
#define OUT_BYTES_MAX        65536u
#define EX_PROBLEM           1

struct wish {
    const char *file;
    const char *header;
    const char *secret_file;
    int64_t now_s;
    int64_t tolerance_ms;
    bool explain;
    enum ops_output output;
};

struct finding {
    enum sl_signature_verdict verdict;
    size_t secret; /* VALID: which one */
    size_t secret_count;
    bool has_time;
    int64_t signed_s;
    int64_t now_s;
    int64_t tolerance_s;
    size_t body_bytes;
    const char *origin;
    struct ops_explanation why; /* MISMATCH only */
};

struct keys {
    struct sl_hmac_key *items[SL_STRIPE_SECRETS_MAX];
};

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err);
static bool judge(const struct wish *wish, struct sl_span body, const struct ops_secrets *secrets,
                  struct finding *out, struct sl_err *err);
static void keys_done(struct keys *keys);
static void tell_people(const struct finding *finding);
static void tell_why(const struct finding *finding);
static void tell_programs(const struct finding *finding);
static void tell_details(const struct finding *finding, const struct ops_secrets *secrets);
static void age_text(int64_t age_s, char *out, size_t room);

int ops_verify(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .now_s = sl_clock_wall_us() / 1000000,
                         .tolerance_ms = TOLERANCE_DEFAULT_MS };
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(ops_secrets_done) struct ops_secrets secrets = { 0 };
    if (!read_wish(argc, argv, &wish, &err) || !ops_address_open(&address, &err) ||
        !ops_secrets_open(&address, wish.secret_file, &secrets, &err)) {
        return ops_report("verify", &err);
    }
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, BODY_BYTES_MAX);
    if (!ops_input_read(wish.file, &body, &err)) {
        (void)ops_report("verify", &err);
        return EX_NOINPUT;
    }
    struct finding finding = { 0 };
    if (!judge(&wish, sl_buf_span(&body), &secrets, &finding, &err)) {
        return ops_report("verify", &err);
    }
    if (wish.output == OPS_OUTPUT_JSON) {
        tell_programs(&finding);
    } else {
        tell_people(&finding);
        if (wish.explain) {
            tell_details(&finding, &secrets);
        }
    }
    return finding.verdict == SL_SIGNATURE_VALID ? EX_OK : EX_PROBLEM;
}

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "header", .kind = OPS_FLAG_TEXT, .out = &wish->header },
        { .name = "secret-file", .kind = OPS_FLAG_TEXT, .out = &wish->secret_file },
        { .name = "now", .kind = OPS_FLAG_COUNT, .out = &wish->now_s, .max = TIME_MAX },
        { .name = "tolerance",
          .kind = OPS_FLAG_DURATION,
          .out = &wish->tolerance_ms,
          .min = 1000,
          .max = TOLERANCE_MAX_MS },
        { .name = "explain", .kind = OPS_FLAG_SWITCH, .out = &wish->explain },
        OPS_FLAGS_OUTPUT(wish->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err)) {
        return false;
    }
    if (wish->header == NULL) {
        return sl_fail(err, SL_E_USAGE, "--header is needed: the value of Stripe-Signature");
    }
    wish->file = first < argc ? argv[first] : "-";
    return true;
}

static bool judge(const struct wish *wish, struct sl_span body, const struct ops_secrets *secrets,
                  struct finding *out, struct sl_err *err)
{
    SL_DONE(keys_done) struct keys keys = { 0 };
    for (size_t i = 0; i < secrets->count; i++) {
        keys.items[i] = sl_hmac_key_new(secrets->items[i], err);
        if (keys.items[i] == NULL) {
            return false;
        }
    }
    struct sl_span header = sl_span_of(wish->header);
    struct sl_stripe_check check = { .keys = keys.items,
                                     .key_count = secrets->count,
                                     .now_s = wish->now_s,
                                     .tolerance_s = wish->tolerance_ms / 1000 };
    *out = (struct finding){ .secret_count = secrets->count,
                             .now_s = check.now_s,
                             .tolerance_s = check.tolerance_s,
                             .body_bytes = body.bytes,
                             .origin = secrets->origin };
    out->has_time = ops_verify_header_time(header, &out->signed_s);
    out->verdict = sl_stripe_verify(&check, header, body, &out->secret);
    if (out->verdict == SL_SIGNATURE_MALFORMED || out->verdict == SL_SIGNATURE_MISSING) {
        out->why.body_is = ops_verify_header_fault(header);
    }
    return out->verdict != SL_SIGNATURE_MISMATCH ||
           ops_verify_explain(secrets->items, secrets->count, header, body, &out->why, err);
}

static void keys_done(struct keys *keys)
{
    for (size_t i = 0; i < SL_STRIPE_SECRETS_MAX; i++) {
        sl_hmac_key_free(keys->items[i]);
    }
}

/* ---- telling ---- */

static void tell_people(const struct finding *finding)
{
    char age[64];
    age_text(finding->now_s - finding->signed_s, age, sizeof age);
    switch (finding->verdict) {
    case SL_SIGNATURE_VALID:
        printf("valid: signed %s", age);
        if (finding->secret_count > 1) {
            printf(", with secret %zu of %zu", finding->secret + 1, finding->secret_count);
        }
        printf("\n");
        return;
    case SL_SIGNATURE_STALE:
        printf(
            "not valid (stale): the signature is right, but was made %s; up to %" PRId64
            " s are allowed.\n"
            "Either this request is old (a replay, a slow proxy, a file kept for testing), or this "
            "machine's clock is fast.\n"
            "To judge a kept request as of its own time: --now %" PRId64 "\n",
            age, finding->tolerance_s, finding->signed_s);
        return;
    case SL_SIGNATURE_FUTURE:
        printf("not valid (future): the signature is right, but its time is %s; up to %" PRId64
               " s are allowed.\n"
               "This machine's clock, or the signer's, is wrong: compare `date -u` with a time "
               "server.\n",
               age, finding->tolerance_s);
        return;
    case SL_SIGNATURE_MISSING:
    case SL_SIGNATURE_MALFORMED:
        printf("not valid (%s): %s\n", sl_signature_verdict_name(finding->verdict),
               finding->why.body_is);
        printf("It looks like this: t=1790000000,v1=<64 hex digits>\n");
        return;
    case SL_SIGNATURE_MISMATCH:
        printf("not valid (mismatch): %s of %s %s this signature over these %zu bytes.\n",
               finding->secret_count == 1 ? "the secret" : "none of the secrets", finding->origin,
               finding->secret_count == 1 ? "does not give" : "gives", finding->body_bytes);
        tell_why(finding);
        return;
    }
}

static void tell_why(const struct finding *finding)
{
    const struct ops_explanation *why = &finding->why;
    if (!why->is_found) {
        printf("None of the usual mistakes explains it: the secret is another endpoint's (test and "
               "live have different ones, and so does every `stripe listen`),\n"
               "or the body's contents were changed.\n");
        return;
    }
    if (why->secret_is != NULL) {
        printf("%s\n", why->secret_is);
    }
    if (why->body_is != NULL) {
        printf("%s\n", why->body_is);
        printf("The check needs the bytes as they were received, before anything parses them.\n");
    }
}

static void age_text(int64_t age_s, char *out, size_t room)
{
    int64_t size = age_s < 0 ? -age_s : age_s;
    const char *when = age_s < 0 ? "ahead of now" : "ago";
    if (size < 120) {
        snprintf(out, room, "%" PRId64 " s %s", size, when);
    } else if (size < 2 * 3600) {
        snprintf(out, room, "%" PRId64 " min %s", size / 60, when);
    } else if (size < 2 * 86400) {
        snprintf(out, room, "%" PRId64 " h %s", size / 3600, when);
    } else {
        snprintf(out, room, "%" PRId64 " days %s", size / 86400, when);
    }
}

static void tell_details(const struct finding *finding, const struct ops_secrets *secrets)
{
    char time[SL_RFC3339_BYTES];
    printf("\nbody       %zu bytes\n", finding->body_bytes);
    if (finding->has_time) {
        sl_clock_rfc3339(finding->signed_s * 1000000, time);
        printf("signed at  %.19sZ (t=%" PRId64 ")\n", time, finding->signed_s);
    }
    sl_clock_rfc3339(finding->now_s * 1000000, time);
    printf("now        %.19sZ, tolerance %" PRId64 " s either way\n", time, finding->tolerance_s);
    for (size_t i = 0; i < secrets->count; i++) {
        const char *objection = sl_stripe_secret_objection(secrets->items[i]);
        printf("secret %zu   %zu bytes from %s%s%s\n", i + 1, secrets->items[i].bytes,
               secrets->origin, objection == NULL ? "" : "; it ",
               objection == NULL ? "" : objection);
    }
}

static void tell_programs(const struct finding *finding)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OUT_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&out);
    bool is_valid = finding->verdict == SL_SIGNATURE_VALID;
    sl_json_object_begin(&json);
    sl_json_put_bool(&json, "valid", is_valid);
    sl_json_put_text(&json, "verdict", sl_span_of(sl_signature_verdict_name(finding->verdict)));
    if (finding->has_time) {
        sl_json_put_int(&json, "signed_at", finding->signed_s);
        sl_json_put_int(&json, "age_s", finding->now_s - finding->signed_s);
    }
    sl_json_put_int(&json, "body_bytes", (int64_t)finding->body_bytes);
    if (is_valid) {
        sl_json_put_int(&json, "secret", (int64_t)finding->secret + 1);
    }
    if (finding->why.is_found) {
        sl_json_put_object(&json, "matches_when");
        sl_json_put_int(&json, "secret", (int64_t)finding->why.secret + 1);
        sl_json_put_text(&json, "secret_is", sl_span_of(finding->why.secret_id));
        sl_json_put_text(&json, "body_is", sl_span_of(finding->why.body_id));
        sl_json_object_end(&json);
    }
    sl_json_object_end(&json);
    printf("%.*s\n", SL_SPAN_ARGS(sl_buf_span(&out)));
}
