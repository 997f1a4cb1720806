#include "shared/signature/sources_read.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "shared/config/ini.h"
#include "shared/file.h"
#include "shared/nearest.h"
#include "shared/units.h"

#define FILE_BYTES_MAX   (64u * 1024u)
#define RATE_MAX         1000000
#define DIGITS_MAX       9u
#define TOLERANCE_MS_MIN 1000
#define TOLERANCE_MS_MAX (INT64_C(3600) * 1000)
#define SHOWN_BYTES_MAX  80

struct reading {
    const char *file;
    struct sl_sources *out;
    struct sl_buf *mistakes;
    struct sl_source *current; /* NULL while a refused section is skipped */
    bool has_scheme;
    bool has_own_signing; /* a key that only scheme hmac takes */
    size_t own_signing_line;
    bool is_signing_wrong; /* said already */
};

static void on_section(void *arg, struct sl_span name, size_t line);
static void on_pair(void *arg, struct sl_span key, struct sl_span value, size_t line);
static bool has_scheme(struct reading *reading, size_t line);
static void end_section(struct reading *reading);
static void check_hmac(struct reading *reading, const struct sl_source *source);
static void mistake(struct reading *reading, size_t line, const char *key, const char *what);
static void put_scheme(struct reading *reading, struct sl_span value, size_t line);
static void put_enabled(struct reading *reading, struct sl_span value, size_t line);
static void put_secret(struct reading *reading, struct sl_span value, size_t line);
static void put_tolerance(struct reading *reading, struct sl_span value, size_t line);
static void put_rate(struct reading *reading, struct sl_span value, size_t line);
static void put_burst(struct reading *reading, struct sl_span value, size_t line);
static void put_encoding(struct reading *reading, struct sl_span value, size_t line);
static void put_signed(struct reading *reading, struct sl_span value, size_t line);
static void put_word(struct reading *reading, struct sl_span value, const char *key, size_t line,
                     bool is_field_name, char *out);
static bool is_path_list(struct sl_span value);
static int64_t read_number(struct reading *reading, const char *key, struct sl_span value,
                           size_t line);

/* Keys with a reader of their own. */
static const struct {
    const char *key;
    void (*put)(struct reading *, struct sl_span, size_t);
    bool is_own_signing; /* only with scheme hmac */
} special_keys[] = {
    { "scheme", put_scheme, false },    { "enabled", put_enabled, false },
    { "secret", put_secret, false },    { "tolerance", put_tolerance, false },
    { "rate", put_rate, false },        { "burst", put_burst, false },
    { "encoding", put_encoding, true }, { "signed", put_signed, true },
};
/* Words of a header. */
static const struct {
    const char *key;
    size_t offset;
    bool is_field_name;
} word_keys[] = {
    { "header", offsetof(struct sl_scheme, header), true },
    { "prefix", offsetof(struct sl_scheme, prefix), false },
    { "timestamp_header", offsetof(struct sl_scheme, time_header), true },
    { "id_header", offsetof(struct sl_scheme, id_header), true },
};
/* Places in the body. */
static const struct {
    const char *key;
    size_t offset;
} path_keys[] = {
    { "id", offsetof(struct sl_fact_rules, id) },
    { "type", offsetof(struct sl_fact_rules, type) },
    { "type_default", offsetof(struct sl_fact_rules, type_rest) },
    { "account", offsetof(struct sl_fact_rules, account) },
    { "object", offsetof(struct sl_fact_rules, object) },
    { "occurred_at", offsetof(struct sl_fact_rules, occurred_at) },
    { "livemode", offsetof(struct sl_fact_rules, livemode) },
};
static const char *const all_keys[] = {
    "scheme",       "enabled", "secret", "tolerance",        "rate",      "burst", "encoding",
    "signed",       "header",  "prefix", "timestamp_header", "id_header", "id",    "type",
    "type_default", "account", "object", "occurred_at",      "livemode",
};
_Static_assert(SL_COUNT(all_keys) ==
                   SL_COUNT(special_keys) + SL_COUNT(word_keys) + SL_COUNT(path_keys),
               "every key can be suggested");

void sl_sources_parse(struct sl_span text, const char *file, struct sl_sources *out,
                      struct sl_buf *mistakes)
{
    *out = (struct sl_sources){ 0 };
    struct reading reading = { .file = file, .out = out, .mistakes = mistakes };
    struct sl_ini_visitor visitor = { &reading, on_section, on_pair };
    sl_ini_read(text, file, &visitor, mistakes);
    end_section(&reading);
    if (sl_sources_find(out, SL_SPAN_LITERAL(SL_SOURCE_STRIPE)) != NULL) {
        return;
    }
    if (out->count == SL_SOURCES_MAX) {
        sl_buf_printf(mistakes,
                      "%s: more than %u sources (stripe, which needs no section, counts)\n", file,
                      SL_SOURCES_MAX);
        return;
    }
    struct sl_sources with_stripe;
    sl_sources_default(&with_stripe);
    memcpy(&with_stripe.items[1], out->items, out->count * sizeof out->items[0]);
    with_stripe.count += out->count;
    *out = with_stripe;
}

static void on_section(void *arg, struct sl_span name, size_t line)
{
    struct reading *reading = arg;
    end_section(reading);
    struct sl_span shown =
        sl_span_make(name.data, name.bytes > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : name.bytes);
    const char *why = NULL;
    if (!sl_source_is_name(name)) {
        why = "cannot be a source: lower-case letters, digits, - and _, a letter first, at most 31";
    } else if (sl_span_is(name, SL_SOURCE_INTERNAL)) {
        why = "cannot be a source: that name is for the events of our own programs";
    } else if (sl_sources_find(reading->out, name) != NULL) {
        why = "is described twice";
    } else if (reading->out->count == SL_SOURCES_MAX) {
        why = "is one source too many";
    }
    if (why != NULL) {
        sl_buf_printf(reading->mistakes, "%s:%zu: [%.*s] %s\n", reading->file, line,
                      SL_SPAN_ARGS(shown), why);
        return;
    }
    reading->current = &reading->out->items[reading->out->count++];
    sl_source_init(reading->current, name, line);
    reading->has_scheme = reading->current->scheme.name != NULL;
    reading->has_own_signing = false;
    reading->is_signing_wrong = false;
}

static void on_pair(void *arg, struct sl_span key, struct sl_span value, size_t line)
{
    struct reading *reading = arg;
    struct sl_source *source = reading->current;
    if (source == NULL) {
        return;
    }
    for (size_t i = 0; i < SL_COUNT(special_keys); i++) {
        if (!sl_span_is(key, special_keys[i].key)) {
            continue;
        }
        if (special_keys[i].is_own_signing && !has_scheme(reading, line)) {
            return;
        }
        special_keys[i].put(reading, value, line);
        if (special_keys[i].is_own_signing) {
            reading->has_own_signing = true;
            reading->own_signing_line = line;
        }
        return;
    }
    if (!has_scheme(reading, line)) {
        return;
    }
    for (size_t i = 0; i < SL_COUNT(word_keys); i++) {
        if (sl_span_is(key, word_keys[i].key)) {
            reading->has_own_signing = true;
            reading->own_signing_line = line;
            put_word(reading, value, word_keys[i].key, line, word_keys[i].is_field_name,
                     (char *)&source->scheme + word_keys[i].offset);
            return;
        }
    }
    for (size_t i = 0; i < SL_COUNT(path_keys); i++) {
        if (!sl_span_is(key, path_keys[i].key)) {
            continue;
        }
        char *out = (char *)&source->facts + path_keys[i].offset;
        if (!is_path_list(value)) {
            mistake(reading, line, path_keys[i].key,
                    "a place in the body, such as data.object.id; several separated by commas");
            return;
        }
        snprintf(out, SL_SOURCE_PATH_BYTES, "%.*s", SL_SPAN_ARGS(value));
        return;
    }
    const char *nearest = sl_nearest(key, all_keys, SL_COUNT(all_keys));
    sl_buf_printf(reading->mistakes, "%s:%zu: [%s] has no key \"%.*s\"%s%s%s\n", reading->file,
                  line, source->name,
                  (int)(key.bytes > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : key.bytes), key.data,
                  nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                  nearest == NULL ? "" : "?");
}

/* What a scheme brings with it, a later key may change. */
static bool has_scheme(struct reading *reading, size_t line)
{
    if (!reading->has_scheme) {
        mistake(reading, line, "scheme",
                "must come before this key: stripe, standard-webhooks, github, shopify or hmac");
        reading->current = NULL; /* one mistake, not one for each key */
        return false;
    }
    return true;
}

/* Fills in what a section did not say, and says what it had to. */
static void end_section(struct reading *reading)
{
    struct sl_source *source = reading->current;
    reading->current = NULL;
    if (source == NULL) {
        return;
    }
    if (!reading->has_scheme) {
        sl_buf_printf(
            reading->mistakes,
            "%s:%zu: [%s] needs a scheme: stripe, standard-webhooks, github, shopify or hmac\n",
            reading->file, source->line, source->name);
        return;
    }
    if (strcmp(source->scheme.name, "hmac") == 0 && !reading->is_signing_wrong) {
        check_hmac(reading, source);
    } else if (strcmp(source->scheme.name, "hmac") != 0 && reading->has_own_signing) {
        sl_buf_printf(
            reading->mistakes,
            "%s:%zu: [%s] header, prefix, encoding, signed, timestamp_header and id_header are for "
            "scheme hmac; scheme %s has its own\n",
            reading->file, reading->own_signing_line, source->name, source->scheme.name);
    }
    if (source->tolerance_ms != 0 && !sl_scheme_has_time(&source->scheme)) {
        sl_buf_printf(
            reading->mistakes,
            "%s:%zu: [%s] tolerance: this scheme signs no timestamp, so nothing has an age\n",
            reading->file, source->line, source->name);
    }
    if (source->burst != 0 && source->rate == 0) {
        sl_buf_printf(reading->mistakes, "%s:%zu: [%s] burst needs a rate\n", reading->file,
                      source->line, source->name);
    }
    source->burst = source->rate > 0 && source->burst == 0 ? source->rate : source->burst;
    source->facts.depth = sl_fact_rules_depth(&source->facts);
    if (source->facts.depth > SL_SOURCE_PATH_DEPTH) {
        sl_buf_printf(reading->mistakes, "%s:%zu: [%s] paths go at most %u levels deep\n",
                      reading->file, source->line, source->name, SL_SOURCE_PATH_DEPTH);
    }
}

static void check_hmac(struct reading *reading, const struct sl_source *source)
{
    const struct sl_scheme *scheme = &source->scheme;
    const char *why = NULL;
    if (scheme->header[0] == '\0') {
        why = "needs a header: the name of the field that holds the signature";
    } else if (sl_scheme_has_time(scheme) != (scheme->time_header[0] != '\0')) {
        why =
            "timestamp_header and {timestamp} in signed go together: an unsigned timestamp proves nothing";
    } else if (sl_scheme_signs(scheme, SL_SIGNED_ID) != (scheme->id_header[0] != '\0')) {
        why = "id_header and {id} in signed go together: an unsigned id proves nothing";
    }
    if (why != NULL) {
        sl_buf_printf(reading->mistakes, "%s:%zu: [%s] %s\n", reading->file, source->line,
                      source->name, why);
    }
}

static void mistake(struct reading *reading, size_t line, const char *key, const char *what)
{
    sl_buf_printf(reading->mistakes, "%s:%zu: [%s] %s: %s\n", reading->file, line,
                  reading->current->name, key, what);
}

static void put_scheme(struct reading *reading, struct sl_span value, size_t line)
{
    struct sl_source *source = reading->current;
    if (reading->has_own_signing || !sl_scheme_preset(value, &source->scheme)) {
        mistake(reading, line, "scheme",
                reading->has_own_signing
                    ? "must come before the keys that describe signing"
                    : "there is stripe, standard-webhooks, github, shopify and hmac");
        reading->current = NULL;
        return;
    }
    reading->has_scheme = true;
    sl_source_take_preset(source);
}

static void put_enabled(struct reading *reading, struct sl_span value, size_t line)
{
    reading->current->enabled = sl_span_is(value, "true");
    if (!sl_span_is(value, "true") && !sl_span_is(value, "false")) {
        mistake(reading, line, "enabled", "true or false");
    }
}

static void put_secret(struct reading *reading, struct sl_span value, size_t line)
{
    bool is_name = value.bytes > 0 && value.bytes < sizeof reading->current->secret_name;
    for (size_t i = 0; i < value.bytes && is_name; i++) {
        char c = value.data[i];
        is_name = (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9');
    }
    if (!is_name || sl_span_starts_with(value, "SLUICE_")) {
        mistake(
            reading, line, "secret",
            "the name of the variable that holds the secret, such as GITHUB_WEBHOOK_SECRET (not "
            "SLUICE_…); the secret itself has no place in this file");
        return;
    }
    snprintf(reading->current->secret_name, sizeof reading->current->secret_name, "%.*s",
             SL_SPAN_ARGS(value));
}

static void put_tolerance(struct reading *reading, struct sl_span value, size_t line)
{
    int64_t tolerance_ms = 0;
    if (!sl_units_duration_ms(value, &tolerance_ms) || tolerance_ms < TOLERANCE_MS_MIN ||
        tolerance_ms > TOLERANCE_MS_MAX) {
        mistake(reading, line, "tolerance", "from 1s to 1h, with a unit");
        return;
    }
    reading->current->tolerance_ms = tolerance_ms;
}

static void put_rate(struct reading *reading, struct sl_span value, size_t line)
{
    reading->current->rate = read_number(reading, "rate", value, line);
}

static void put_burst(struct reading *reading, struct sl_span value, size_t line)
{
    reading->current->burst = read_number(reading, "burst", value, line);
}

static int64_t read_number(struct reading *reading, const char *key, struct sl_span value,
                           size_t line)
{
    int64_t number = 0;
    if (!sl_units_decimal(value, DIGITS_MAX, &number) || number < 1 || number > RATE_MAX) {
        mistake(reading, line, key, "a number of events, from 1 to 1000000");
        return 0;
    }
    return number;
}

static void put_encoding(struct reading *reading, struct sl_span value, size_t line)
{
    bool is_hex = sl_span_is(value, "hex");
    reading->current->scheme.encoding = is_hex ? SL_ENCODING_HEX : SL_ENCODING_BASE64;
    if (!is_hex && !sl_span_is(value, "base64")) {
        mistake(reading, line, "encoding", "hex or base64");
    }
}

static void put_signed(struct reading *reading, struct sl_span value, size_t line)
{
    const char *why = sl_scheme_set_template(&reading->current->scheme, value);
    if (why != NULL) {
        mistake(reading, line, "signed", why);
        reading->is_signing_wrong = true;
    }
}

static void put_word(struct reading *reading, struct sl_span value, const char *key, size_t line,
                     bool is_field_name, char *out)
{
    bool is_fine = value.bytes > 0 && value.bytes < SL_SCHEME_WORD_BYTES;
    for (size_t i = 0; i < value.bytes && is_fine; i++) {
        unsigned char c = (unsigned char)value.data[i];
        is_fine = is_field_name ? isalnum(c) != 0 || c == '-' || c == '_' : c > 0x20 && c < 0x7F;
    }
    if (!is_fine) {
        mistake(reading, line, key,
                is_field_name ? "the name of a header field, at most 63 bytes"
                              : "visible characters, at most 63 bytes");
        reading->is_signing_wrong = true;
        return;
    }
    snprintf(out, SL_SCHEME_WORD_BYTES, "%.*s", SL_SPAN_ARGS(value));
}

static bool is_path_list(struct sl_span value)
{
    if (value.bytes >= SL_SOURCE_PATH_BYTES) {
        return false;
    }
    bool was_word = false;
    for (size_t i = 0; i < value.bytes; i++) {
        char c = value.data[i];
        bool is_separator = c == '.' || c == ',';
        if ((is_separator && !was_word) ||
            (!is_separator && isalnum((unsigned char)c) == 0 && c != '_' && c != '-')) {
            return false;
        }
        was_word = !is_separator;
    }
    return was_word;
}

void sl_sources_load(const char *path, struct sl_sources *out, struct sl_buf *mistakes)
{
    sl_sources_default(out);
    if (path == NULL) {
        return;
    }
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, FILE_BYTES_MAX);
    if (!sl_file_read(path, &text)) {
        sl_buf_printf(mistakes, "SLUICE_SOURCES: cannot read %s: %s\n", path,
                      sl_buf_ok(&text) ? strerror(errno) : "larger than 64 KiB");
        return;
    }
    sl_sources_parse(sl_buf_span(&text), path, out, mistakes);
}
