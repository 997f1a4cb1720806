#include "ops/signature/sign.h"

#include <stdio.h>
#include <sysexits.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/input.h"
#include "ops/secrets.h"
#include "shared/clock.h"
#include "shared/json/json_write.h"

#define BODY_BYTES_MAX (16u * 1024u * 1024u)
#define TIME_MAX       999999999999 /* twelve digits, as the check takes them */
#define OUT_BYTES_MAX  4096u
#define ID_DEFAULT     "msg_sample"

struct wish {
    const char *file;
    const char *source;
    const char *secret_file;
    const char *id;
    int64_t at_s;
    enum ops_output output;
};

static bool read_wish(int argc, char **argv, struct wish *wish, struct sl_err *err);
static bool sign(const struct wish *wish, const struct sl_buf *body, struct sl_err *err);
static void tell(const struct wish *wish, const struct sl_scheme_field *fields, size_t count,
                 size_t body_bytes);

int ops_sign(int argc, char **argv)
{
    struct sl_err err = { 0 };
    struct wish wish = { .file = "-", .id = ID_DEFAULT, .at_s = sl_clock_wall_us() / 1000000 };
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
        { .name = "source", .kind = OPS_FLAG_TEXT, .out = &wish->source },
        { .name = "id", .kind = OPS_FLAG_TEXT, .out = &wish->id },
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
    struct sl_source source;
    if (!ops_address_open(&address, err) ||
        !ops_source_find(&address, wish->source, &source, err) ||
        !ops_secrets_open(&address, source.secret_name, wish->secret_file, &secrets, err)) {
        return false;
    }
    if (body->used_bytes == 0) {
        return sl_fail(err, SL_E_ABSENT, "the body is empty: no sender signs nothing");
    }
    const char *objection = sl_scheme_secret_objection(&source.scheme, secrets.items[0]);
    if (objection != NULL) {
        fprintf(stderr, "sluice sign: the secret of %s %s; signing with it all the same\n",
                secrets.origin, objection);
    }
    SL_AUTO(sl_hmac_key_free)
    struct sl_hmac_key *key = sl_scheme_key_new(&source.scheme, secrets.items[0], err);
    struct sl_scheme_field fields[SL_SCHEME_FIELDS_MAX];
    size_t count = 0;
    if (key == NULL) {
        return false;
    }
    if (!sl_scheme_sign(&source.scheme, key, wish->at_s, sl_span_of(wish->id), sl_buf_span(body),
                        fields, &count)) {
        return sl_fail(err, SL_E_USAGE, "--id: an id is 1 to 255 letters, digits, _ and -");
    }
    tell(wish, fields, count, body->used_bytes);
    return true;
}

/* The value alone where the scheme has one field, so that it can stand in another command; else each field as a header line. */
static void tell(const struct wish *wish, const struct sl_scheme_field *fields, size_t count,
                 size_t body_bytes)
{
    if (wish->output == OPS_OUTPUT_TABLE) {
        for (size_t i = 0; i < count; i++) {
            printf("%s%s%s\n", count == 1 ? "" : fields[i].name, count == 1 ? "" : ": ",
                   fields[i].value);
        }
        return;
    }
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, OUT_BYTES_MAX);
    struct sl_json_writer json = sl_json_writer_make(&out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "header", sl_span_of(fields[0].name));
    sl_json_put_text(&json, "value", sl_span_of(fields[0].value));
    sl_json_put_object(&json, "headers");
    for (size_t i = 0; i < count; i++) {
        sl_json_put_text(&json, fields[i].name, sl_span_of(fields[i].value));
    }
    sl_json_object_end(&json);
    sl_json_put_int(&json, "signed_at", wish->at_s);
    sl_json_put_int(&json, "body_bytes", (int64_t)body_bytes);
    sl_json_object_end(&json);
    printf("%.*s\n", SL_SPAN_ARGS(sl_buf_span(&out)));
}
