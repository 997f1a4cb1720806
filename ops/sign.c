#include "ops/sign.h"

#include <stdio.h>
#include <sysexits.h>

#include "ops/address.h"
#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/input.h"
#include "shared/clock.h"
#include "shared/json_write.h"

#define BODY_BYTES_MAX (16u * 1024u * 1024u)
#define TIME_MAX       999999999999 /* twelve digits, as the check takes them */
#define OUT_BYTES_MAX  4096u

struct wish {
    const char *file;
    const char *secret_file;
    int64_t at_s;
    enum ops_output output;
};

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err);
static bool sign(const struct wish *wish, const struct sl_buf *body, struct sl_err *err);

int ops_sign(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .file = "-", .at_s = sl_clock_wall_us() / 1000000 };
    if (!read_wish(argc, argv, &wish, &err)) {
        return ops_report("sign", &err);
    }
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, BODY_BYTES_MAX);
    if (!ops_input_read(wish.file, &body, &err)) {
        (void)ops_report("sign", &err);
        return EX_NOINPUT;
    }
    return sign(&wish, &body, &err) ? EX_OK : ops_report("sign", &err);
}

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "secret-file", .kind = OPS_FLAG_TEXT, .out = &wish->secret_file },
        { .name = "at", .kind = OPS_FLAG_COUNT, .out = &wish->at_s, .max = TIME_MAX },
        OPS_FLAGS_OUTPUT(wish->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 1, &first, err)) {
        return false;
    }
    wish->file = first < argc ? argv[first] : "-";
    return true;
}

static bool sign(const struct wish *wish, const struct sl_buf *body, struct sl_err *err)
{
    SL_DONE(ops_address_done) struct ops_address address = { 0 };
    SL_DONE(ops_secrets_done) struct ops_secrets secrets = { 0 };
    if (!ops_address_open(&address, err) ||
        !ops_secrets_open(&address, wish->secret_file, &secrets, err)) {
        return false;
    }
    const char *objection = sl_stripe_secret_objection(secrets.items[0]);
    if (objection != NULL) {
        fprintf(stderr, "sluice sign: the secret of %s %s; signing with it all the same\n",
                secrets.origin, objection);
    }
    SL_AUTO(sl_hmac_key_free) struct sl_hmac_key *key = sl_hmac_key_new(secrets.items[0], err);
    char header[SL_STRIPE_HEADER_BYTES];
    if (key == NULL) {
        return false;
    }
    if (!sl_stripe_sign(key, wish->at_s, sl_buf_span(body), header)) {
        return sl_fail(err, SL_E_BUG, "the signature could not be computed");
    }
    if (wish->output == OPS_OUTPUT_TABLE) {
        printf("%s\n", header);
        return true;
    }
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OUT_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "header", SL_SPAN_LITERAL("Stripe-Signature"));
    sl_json_put_text(&json, "value", sl_span_of(header));
    sl_json_put_int(&json, "signed_at", wish->at_s);
    sl_json_put_int(&json, "body_bytes", (int64_t)body->used_bytes);
    sl_json_object_end(&json);
    printf("%.*s\n", SL_SPAN_ARGS(sl_buf_span(&out)));
    return true;
}
