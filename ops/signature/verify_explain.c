#include "ops/signature/verify_explain.h"

#include "ops/json_shape.h"

#define TOLERANCE_S      (INT64_C(1) << 50) /* only the bytes are asked about here */
#define SECRET_BYTES_MAX 512u
#define SHAPES_ROOM      16u /* a body written with indentation can be this many times as long */

enum secret_form {
    SECRET_AS_GIVEN,
    SECRET_TRIMMED,
    SECRET_UNQUOTED,
    SECRET_LITERAL,
    SECRET_BARE,
    SECRET_DECODED,
    SECRET_HEX_DECODED,
    SECRET_FORMS
};

static const struct {
    const char *id;
    const char *is;
} secret_forms[SECRET_FORMS] = {
    [SECRET_AS_GIVEN] = { "as_given", NULL },
    [SECRET_TRIMMED] = { "trimmed",
                         "The secret has white space around it; without that it matches." },
    [SECRET_UNQUOTED] = { "unquoted",
                          "The secret has quotation marks around it; without them it matches." },
    [SECRET_LITERAL] = { "literal",
                         "The signature was made with the secret's text, whsec_ included, as Stripe does. This "
                         "source's scheme signs with the base64-decoded secret." },
    [SECRET_BARE] = { "without_prefix",
                      "The signature was made with the secret's text without its whsec_ prefix." },
    [SECRET_DECODED] = { "base64_decoded",
                         "The signature was made with the base64-decoded secret, as Standard Webhooks "
                         "does. This source's scheme signs with the text itself." },
    [SECRET_HEX_DECODED] = { "hex_decoded",
                             "The signature was made with the bytes that the secret spells in hex; this "
                             "source's scheme signs with the text itself." },
};

enum body_form {
    BODY_AS_GIVEN,
    BODY_NO_LINE_END,
    BODY_LINE_END,
    BODY_CRLF_END,
    BODY_NO_MARK,
    BODY_LF,
    BODY_CRLF,
    BODY_COMPACT,
    BODY_SPACED,
    BODY_TWO,
    BODY_FOUR,
    BODY_TAB,
    BODY_TWO_LOOSE,
    BODY_FORMS
};

#define REWRITTEN                                                                                  \
    "The body was parsed and written again on its way here; what was signed is the same JSON "

static const struct {
    const char *id;
    const char *is;
} body_forms[BODY_FORMS] = {
    [BODY_AS_GIVEN] = { "as_given", NULL },
    [BODY_NO_LINE_END] = { "without_line_end",
                           "The body has a line end at its end that was not signed." },
    [BODY_LINE_END] = { "with_line_end",
                        "The body has lost the line end it had when it was signed." },
    [BODY_CRLF_END] = { "with_crlf_end",
                        "The body has lost the CRLF it ended in when it was signed." },
    [BODY_NO_MARK] = { "without_bom",
                       "The body starts with a byte order mark that was not signed." },
    [BODY_LF] = { "lf", "The body's line ends are CRLF; they were LF when it was signed." },
    [BODY_CRLF] = { "crlf", "The body's line ends are LF; they were CRLF when it was signed." },
    [BODY_COMPACT] = { "compact", REWRITTEN "without white space." },
    [BODY_SPACED] = { "spaced", REWRITTEN "on one line, with a space after each comma and colon." },
    [BODY_TWO] = { "two_spaces", REWRITTEN "indented by two spaces." },
    [BODY_FOUR] = { "four_spaces", REWRITTEN "indented by four spaces." },
    [BODY_TAB] = { "tabs", REWRITTEN "indented by tabs." },
    [BODY_TWO_LOOSE] = { "two_spaces_loose",
                         REWRITTEN "indented by two spaces, with line ends in empty containers." },
};

static struct sl_hmac_key *make_key(const struct sl_scheme *scheme, struct sl_span secret,
                                    enum secret_form form);
static struct sl_span unquoted(struct sl_span text);
static bool decode_base64(struct sl_span text, char *out, size_t *out_bytes);
static bool make_body(struct sl_span body, enum body_form form, struct sl_buf *out);
static bool replace_line_ends(struct sl_span body, const char *line_end, struct sl_buf *out);
static struct sl_span without_line_ends(struct sl_span body);

bool ops_verify_explain(const struct sl_scheme *scheme, const struct sl_span *secrets,
                        size_t secret_count, const struct sl_signed *what,
                        struct ops_explanation *out, struct sl_err *err)
{
    *out = (struct ops_explanation){ 0 };
    SL_DONE(sl_buf_done) struct sl_buf changed = { 0 };
    sl_buf_init(&changed, (what->body.bytes + 1024u) * SHAPES_ROOM);
    for (size_t form = 0; form < BODY_FORMS; form++) {
        sl_buf_reset(&changed);
        if (!make_body(what->body, (enum body_form)form, &changed)) {
            continue;
        }
        struct sl_signed tried = *what;
        tried.body = sl_buf_span(&changed);
        for (size_t i = 0; i < secret_count * SECRET_FORMS; i++) {
            enum secret_form how = (enum secret_form)(i % SECRET_FORMS);
            SL_AUTO(sl_hmac_key_free)
            struct sl_hmac_key *key = make_key(scheme, secrets[i / SECRET_FORMS], how);
            const struct sl_stripe_check check = { .keys = &key,
                                                   .key_count = 1,
                                                   .tolerance_s = TOLERANCE_S };
            if (key == NULL ||
                sl_scheme_verify(scheme, &check, &tried, NULL) != SL_SIGNATURE_VALID) {
                continue;
            }
            *out = (struct ops_explanation){ .is_found = true,
                                             .secret = i / SECRET_FORMS,
                                             .secret_id = secret_forms[how].id,
                                             .secret_is = secret_forms[how].is,
                                             .body_id = body_forms[form].id,
                                             .body_is = body_forms[form].is };
            return true;
        }
    }
    return sl_buf_ok(&changed) || sl_fail(err, SL_E_MEMORY, "no memory for a changed body");
}

/* NULL when the secret has no such form, or the form is no different from the secret as it was given. */
static struct sl_hmac_key *make_key(const struct sl_scheme *scheme, struct sl_span secret,
                                    enum secret_form form)
{
    struct sl_err err = { 0 };
    struct sl_span trimmed = sl_span_trim(secret);
    struct sl_span bare = sl_span_starts_with(trimmed, "whsec_")
                              ? sl_span_make(trimmed.data + 6, trimmed.bytes - 6)
                              : trimmed;
    char bytes[SECRET_BYTES_MAX];
    size_t count = sizeof bytes;
    bool is_made = false;
    switch (form) {
    case SECRET_AS_GIVEN:
        return sl_scheme_key_new(scheme, secret, &err);
    case SECRET_TRIMMED:
        return sl_span_eq(trimmed, secret) ? NULL : sl_scheme_key_new(scheme, trimmed, &err);
    case SECRET_UNQUOTED:
        trimmed = unquoted(trimmed);
        return trimmed.data == NULL ? NULL : sl_scheme_key_new(scheme, trimmed, &err);
    case SECRET_LITERAL:
        return scheme->has_encoded_secret ? sl_hmac_key_new(trimmed, &err) : NULL;
    case SECRET_BARE:
        return bare.bytes == trimmed.bytes || bare.bytes == 0 ? NULL : sl_hmac_key_new(bare, &err);
    case SECRET_DECODED:
        is_made = !scheme->has_encoded_secret && decode_base64(bare, bytes, &count);
        break;
    case SECRET_HEX_DECODED:
        count = bare.bytes / 2;
        is_made =
            count > 0 && count <= sizeof bytes && sl_hex_decode(bare, (uint8_t *)bytes, count);
        break;
    case SECRET_FORMS:
        break;
    }
    struct sl_hmac_key *key = is_made ? sl_hmac_key_new(sl_span_make(bytes, count), &err) : NULL;
    explicit_bzero(bytes, sizeof bytes);
    return key;
}

/* Absent when there are no quotation marks around it. */
static struct sl_span unquoted(struct sl_span text)
{
    bool is_quoted = text.bytes > 2 && (text.data[0] == '"' || text.data[0] == '\'') &&
                     text.data[text.bytes - 1] == text.data[0];
    return is_quoted ? sl_span_trim(sl_span_make(text.data + 1, text.bytes - 2))
                     : (struct sl_span){ NULL, 0 };
}

/* Both alphabets, with or without padding. */
static bool decode_base64(struct sl_span text, char *out, size_t *out_bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t used = 0;
    while (text.bytes > 0 && text.data[text.bytes - 1] == '=') {
        text.bytes--;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        char letter = text.data[i] == '-' ? '+' : text.data[i] == '_' ? '/' : text.data[i];
        const char *found = letter == '\0' ? NULL : strchr(alphabet, letter);
        if (found == NULL || used == *out_bytes) {
            return false;
        }
        bits = (bits << 6 | (uint32_t)(found - alphabet)) & 0xffffu;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out[used++] = (char)(bits >> bit_count & 0xffu);
        }
    }
    *out_bytes = used;
    return used > 0;
}

/* False when the form is no different from the body as it was given, or does not fit. */
static bool make_body(struct sl_span body, enum body_form form, struct sl_buf *out)
{
    struct sl_span bare = without_line_ends(body);
    bool is_made = false;
    switch (form) {
    case BODY_AS_GIVEN:
        sl_buf_append_span(out, body);
        return sl_buf_ok(out);
    case BODY_NO_LINE_END:
        is_made = sl_buf_append_span(out, bare);
        break;
    case BODY_LINE_END:
        is_made = sl_buf_append_span(out, bare) && sl_buf_append_text(out, "\n");
        break;
    case BODY_CRLF_END:
        is_made = sl_buf_append_span(out, bare) && sl_buf_append_text(out, "\r\n");
        break;
    case BODY_NO_MARK:
        is_made = sl_span_starts_with(body, "\xef\xbb\xbf") &&
                  sl_buf_append(out, body.data + 3, body.bytes - 3);
        break;
    case BODY_LF:
        is_made = replace_line_ends(body, "\n", out);
        break;
    case BODY_CRLF:
        is_made = replace_line_ends(body, "\r\n", out);
        break;
    case BODY_COMPACT:
        is_made = ops_json_reshape(body, OPS_JSON_COMPACT, out);
        break;
    case BODY_SPACED:
        is_made = ops_json_reshape(body, OPS_JSON_SPACED, out);
        break;
    case BODY_TWO:
        is_made = ops_json_reshape(body, OPS_JSON_TWO, out);
        break;
    case BODY_FOUR:
        is_made = ops_json_reshape(body, OPS_JSON_FOUR, out);
        break;
    case BODY_TAB:
        is_made = ops_json_reshape(body, OPS_JSON_TAB, out);
        break;
    case BODY_TWO_LOOSE:
        is_made = ops_json_reshape(body, OPS_JSON_TWO_LOOSE, out);
        break;
    case BODY_FORMS:
        break;
    }
    return is_made && !sl_span_eq(sl_buf_span(out), body);
}

static bool replace_line_ends(struct sl_span body, const char *line_end, struct sl_buf *out)
{
    for (size_t i = 0; i < body.bytes; i++) {
        if (body.data[i] == '\r' && i + 1 < body.bytes && body.data[i + 1] == '\n') {
            continue;
        }
        if (body.data[i] == '\n') {
            sl_buf_append_text(out, line_end);
        } else {
            sl_buf_append_char(out, body.data[i]);
        }
    }
    return sl_buf_ok(out);
}

static struct sl_span without_line_ends(struct sl_span body)
{
    while (body.bytes > 0 && strchr("\r\n", body.data[body.bytes - 1]) != NULL &&
           body.data[body.bytes - 1] != '\0') {
        body.bytes--;
    }
    return body;
}
