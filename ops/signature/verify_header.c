#include "ops/signature/verify_header.h"

#include <stdio.h>

#include "shared/units.h"

#define HEADER_ENTRIES  64u
#define TIME_DIGITS_MAX 12u
#define MILLIS_DIGITS   13u

static const char *mangled(const struct sl_scheme *scheme, struct sl_span value);
static const char *another_scheme(const struct sl_scheme *scheme, struct sl_span value);
static const char *time_fault(struct sl_span time);
static const char *stripe_fault(struct sl_span value);
static const char *single_fault(const struct sl_scheme *scheme, struct sl_span value);

void ops_verify_header_fault(const struct sl_scheme *scheme, const struct sl_signed *what,
                             char out_text[OPS_FAULT_BYTES])
{
    SL_ASSERT(scheme != NULL);
    struct sl_span value = sl_span_trim(what->signature);
    const char *missing = value.bytes == 0 ? scheme->header
                          : scheme->time_header[0] != '\0' && what->time.bytes == 0
                              ? scheme->time_header
                          : scheme->id_header[0] != '\0' && what->id.bytes == 0 ? scheme->id_header
                                                                                : NULL;
    if (missing != NULL) {
        snprintf(out_text, OPS_FAULT_BYTES, "There is no %s header.", missing);
        return;
    }
    const char *fault = mangled(scheme, value);
    if (fault == NULL) {
        fault = another_scheme(scheme, value);
    }
    if (fault == NULL && scheme->time_header[0] != '\0') {
        fault = time_fault(what->time);
    }
    if (fault == NULL && scheme->form == SL_FORM_STRIPE) {
        fault = stripe_fault(value);
    } else if (fault == NULL && scheme->form == SL_FORM_LIST) {
        fault =
            strstr(value.data, "v1,") == NULL
                ? "The header has no v1 signature; other versions prove nothing here."
                : "The message's id has characters other than letters, digits, _ and -, or there are too "
                  "many signatures.";
    } else if (fault == NULL) {
        fault = single_fault(scheme, value);
    }
    snprintf(out_text, OPS_FAULT_BYTES, "%s", fault);
}

/* NULL: nothing of that kind. */
static const char *mangled(const struct sl_scheme *scheme, struct sl_span value)
{
    size_t name_bytes = strlen(scheme->header);
    if (value.bytes > name_bytes && strncasecmp(value.data, scheme->header, name_bytes) == 0) {
        return "The header's name is part of what was given; give only what follows the colon.";
    }
    if (value.data[0] == '"' || value.data[0] == '\'') {
        return "There are quotation marks around the header's value that were not sent.";
    }
    for (size_t i = 0; i + 2 < value.bytes; i++) {
        if (value.data[i] == '%' && (strncasecmp(value.data + i, "%3D", 3) == 0 ||
                                     strncasecmp(value.data + i, "%2C", 3) == 0)) {
            return "The header was URL-encoded on its way (%3D for =, %2C for a comma).";
        }
    }
    return memchr(value.data, '\n', value.bytes) == NULL
               ? NULL
               : "The header was broken into lines on its way.";
}

static const char *another_scheme(const struct sl_scheme *scheme, struct sl_span value)
{
    if (scheme->form != SL_FORM_LIST &&
        (sl_span_starts_with(value, "v1,") || sl_span_starts_with(value, "v1a,"))) {
        return "This is a Standard Webhooks signature (webhook-signature), which this source does not use.";
    }
    if (strcmp(scheme->prefix, "sha256=") != 0 && sl_span_starts_with(value, "sha256=")) {
        return "This is a signature of GitHub's form (X-Hub-Signature-256), which this source does not use.";
    }
    if (strcmp(scheme->prefix, "sha1=") != 0 && sl_span_starts_with(value, "sha1=")) {
        return "This is GitHub's old SHA-1 signature (X-Hub-Signature); the one that counts is "
               "X-Hub-Signature-256.";
    }
    if (scheme->form != SL_FORM_STRIPE && sl_span_starts_with(value, "t=") &&
        memchr(value.data, ',', value.bytes) != NULL) {
        return "This is a signature of Stripe's form (Stripe-Signature), which this source does not use.";
    }
    return NULL;
}

static const char *time_fault(struct sl_span time)
{
    int64_t ignored = 0;
    if (time.bytes == MILLIS_DIGITS && sl_units_decimal(time, MILLIS_DIGITS, &ignored)) {
        return "The header's time is in milliseconds; seconds are signed.";
    }
    return sl_units_decimal(time, TIME_DIGITS_MAX, &ignored)
               ? NULL
               : "The header's time is not a number of seconds.";
}

static const char *stripe_fault(struct sl_span value)
{
    size_t times = 0;
    size_t signatures = 0;
    struct sl_span time = { 0 };
    struct sl_span entry = { 0 };
    for (size_t i = 0; i < HEADER_ENTRIES && sl_span_split(&value, ',', &entry); i++) {
        entry = sl_span_trim(entry);
        if (sl_span_starts_with(entry, "t=")) {
            times++;
            time = sl_span_make(entry.data + 2, entry.bytes - 2);
        }
        signatures += sl_span_starts_with(entry, "v1=") ? 1 : 0;
    }
    if (times == 0) {
        return "The header has no time (t=…).";
    }
    if (times > 1) {
        return "The header has more than one time (t=…): two headers were joined.";
    }
    const char *fault = time_fault(time);
    if (fault == NULL && signatures == 0) {
        fault = "The header has no v1 signature; other schemes prove nothing.";
    }
    return fault != NULL ? fault : "The header has too many signatures, or is too long.";
}

static const char *single_fault(const struct sl_scheme *scheme, struct sl_span value)
{
    if (!sl_span_starts_with(value, scheme->prefix)) {
        return "The signature does not begin as this source's signatures do.";
    }
    return scheme->encoding == SL_ENCODING_HEX
               ? "The signature is not 64 hex digits behind its prefix; it was cut, or two were joined."
               : "The signature is not the base64 text of 32 bytes; it was cut, or two were joined.";
}

void ops_verify_header_example(const struct sl_scheme *scheme, char out_text[OPS_FAULT_BYTES])
{
    if (scheme->form == SL_FORM_STRIPE) {
        snprintf(out_text, OPS_FAULT_BYTES, "t=1790000000,v1=<64 hex digits>");
    } else {
        snprintf(out_text, OPS_FAULT_BYTES, "%s%s",
                 scheme->form == SL_FORM_LIST ? "v1," : scheme->prefix,
                 scheme->encoding == SL_ENCODING_HEX ? "<64 hex digits>"
                                                     : "<44 characters of base64>");
    }
}
