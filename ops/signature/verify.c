#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/input.h"
#include "ops/secrets.h"
#include "ops/signature/sign.h"
#include "ops/signature/verify_explain.h"
#include "ops/signature/verify_header.h"
#include "shared/clock.h"
#include "shared/json/json.h"
#include "shared/json/json_write.h"

#define BODY_BYTES_MAX       (16u * 1024u * 1024u)
#define TIME_MAX             999999999999 /* twelve digits, as the check takes them */
#define TOLERANCE_DEFAULT_MS 300000       /* STRIPE_WEBHOOK_TOLERANCE's default */
#define TOLERANCE_MAX_MS     (INT64_C(10) * 365 * 86400 * 1000)
#define OUT_BYTES_MAX        65536u
#define JSON_NODES_MAX       65536u
#define EX_PROBLEM           1

struct wish {
    const char *file;
    const char *source;
    const char *header;
    const char *timestamp;
    const char *id;
    const char *secret_file;
    int64_t now_s;
    int64_t tolerance_ms;
    bool explain;
    enum ops_output output;
};

/* What the body says about itself. */
enum mode { MODE_UNSAID, MODE_TEST, MODE_LIVE };

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
    const struct sl_source *source;
    struct ops_explanation why;  /* MISMATCH only */
    char fault[OPS_FAULT_BYTES]; /* MISSING and MALFORMED only */
    enum mode mode;              /* MISMATCH only */
};

struct keys {
    struct sl_hmac_key *items[SL_STRIPE_SECRETS_MAX];
};

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err);
static bool judge(const struct wish *wish, const struct sl_source *source, struct sl_span body,
                  const struct ops_secrets *secrets, struct finding *out, struct sl_err *err);
static enum mode mode_of(struct sl_span body);
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
    struct sl_source source;
    if (!read_wish(argc, argv, &wish, &err) || !ops_address_open(&address, &err) ||
        !ops_source_find(&address, wish.source, &source, &err) ||
        !ops_secrets_open(&address, source.secret_name, wish.secret_file, &secrets, &err)) {
        return ops_report("verify", &err);
    }
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, BODY_BYTES_MAX);
    if (!ops_input_read(wish.file, &body, &err)) {
        (void)ops_report("verify", &err);
        return EX_NOINPUT;
    }
    struct finding finding = { 0 };
    if (!judge(&wish, &source, sl_buf_span(&body), &secrets, &finding, &err)) {
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
        { .name = "source", .kind = OPS_FLAG_TEXT, .out = &wish->source },
        { .name = "header", .kind = OPS_FLAG_TEXT, .out = &wish->header },
        { .name = "timestamp", .kind = OPS_FLAG_TEXT, .out = &wish->timestamp },
        { .name = "id", .kind = OPS_FLAG_TEXT, .out = &wish->id },
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
        return sl_fail(err, SL_E_USAGE,
                       "--header is needed: the value of the signature's header field");
    }
    wish->file = first < argc ? argv[first] : "-";
    return true;
}

static bool judge(const struct wish *wish, const struct sl_source *source, struct sl_span body,
                  const struct ops_secrets *secrets, struct finding *out, struct sl_err *err)
{
    SL_DONE(keys_done) struct keys keys = { 0 };
    for (size_t i = 0; i < secrets->count; i++) {
        struct sl_err why = { 0 };
        keys.items[i] = sl_scheme_key_new(&source->scheme, secrets->items[i], &why);
        if (keys.items[i] == NULL) { /* one that cannot be a key of this scheme matches nothing */
            keys.items[i] = sl_hmac_key_new(SL_SPAN_LITERAL(""), err);
        }
        if (keys.items[i] == NULL) {
            return false;
        }
    }
    const struct sl_signed what = { .signature = sl_span_of(wish->header),
                                    .time = sl_span_of(wish->timestamp),
                                    .id = sl_span_of(wish->id),
                                    .body = body };
    const struct sl_stripe_check check = { .keys = keys.items,
                                           .key_count = secrets->count,
                                           .now_s = wish->now_s,
                                           .tolerance_s = wish->tolerance_ms / 1000 };
    *out = (struct finding){ .secret_count = secrets->count,
                             .now_s = check.now_s,
                             .tolerance_s = check.tolerance_s,
                             .body_bytes = body.bytes,
                             .origin = secrets->origin,
                             .source = source };
    out->has_time = sl_scheme_claimed_time(&source->scheme, &what, &out->signed_s);
    out->verdict = sl_scheme_verify(&source->scheme, &check, &what, &out->secret);
    if (out->verdict == SL_SIGNATURE_MALFORMED || out->verdict == SL_SIGNATURE_MISSING) {
        ops_verify_header_fault(&source->scheme, &what, out->fault);
    }
    if (out->verdict != SL_SIGNATURE_MISMATCH) {
        return true;
    }
    out->mode = mode_of(body);
    return ops_verify_explain(&source->scheme, secrets->items, secrets->count, &what, &out->why,
                              err);
}

static enum mode mode_of(struct sl_span body)
{
    SL_AUTO(sl_json_parser_free) struct sl_json_parser *parser = sl_json_parser_new(BODY_BYTES_MAX);
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    struct sl_err unread = { 0 };
    sl_arena_init(&arena, 4 * BODY_BYTES_MAX);
    const struct sl_json *root =
        parser == NULL ? NULL : sl_json_parse(parser, &arena, body, 1, JSON_NODES_MAX, &unread);
    const struct sl_json *livemode = sl_json_get(root, "livemode");
    return livemode == NULL || livemode->type != SL_JSON_BOOL ? MODE_UNSAID
           : sl_json_true(livemode)                           ? MODE_LIVE
                                                              : MODE_TEST;
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
    char example[OPS_FAULT_BYTES];
    age_text(finding->now_s - finding->signed_s, age, sizeof age);
    switch (finding->verdict) {
    case SL_SIGNATURE_VALID:
        printf("valid%s%s", finding->has_time ? ": signed " : "", finding->has_time ? age : "");
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
        printf("not valid (%s): %s\n", sl_signature_verdict_name(finding->verdict), finding->fault);
        ops_verify_header_example(&finding->source->scheme, example);
        printf("%s looks like this: %s\n", finding->source->scheme.header, example);
        return;
    case SL_SIGNATURE_UNCHECKED:
        printf("not known: there was no memory to compute the signature; try again.\n");
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
        if (finding->mode != MODE_UNSAID) {
            printf("The body says livemode %s: it was signed with the secret of the %s endpoint.\n",
                   finding->mode == MODE_LIVE ? "true" : "false",
                   finding->mode == MODE_LIVE ? "live" : "test");
        }
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
    printf("\nsource     %s, scheme %s\n", finding->source->name, finding->source->scheme.name);
    printf("body       %zu bytes\n", finding->body_bytes);
    if (finding->has_time) {
        sl_clock_rfc3339_s(finding->signed_s, time);
        printf("signed at  %.19sZ (t=%" PRId64 ")\n", time, finding->signed_s);
    }
    sl_clock_rfc3339_s(finding->now_s, time);
    if (sl_scheme_has_time(&finding->source->scheme)) {
        printf("now        %.19sZ, tolerance %" PRId64 " s either way\n", time,
               finding->tolerance_s);
    } else {
        printf("age        not known: this scheme signs no time\n");
    }
    for (size_t i = 0; i < secrets->count; i++) {
        const char *objection =
            sl_scheme_secret_objection(&finding->source->scheme, secrets->items[i]);
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
    sl_json_put_text(&json, "source", sl_span_of(finding->source->name));
    if (finding->has_time) {
        sl_json_put_int(&json, "signed_at", finding->signed_s);
        sl_json_put_int(&json, "age_s", finding->now_s - finding->signed_s);
    }
    sl_json_put_int(&json, "body_bytes", (int64_t)finding->body_bytes);
    if (is_valid) {
        sl_json_put_int(&json, "secret", (int64_t)finding->secret + 1);
    }
    if (finding->fault[0] != '\0') {
        sl_json_put_text(&json, "fault", sl_span_of(finding->fault));
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
