#include "shared/subsystem/subsystem_values.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/nearest.h"
#include "shared/units.h"

#define SECONDS(n) (INT64_C(1000) * (n))
#define MINUTES(n) (SECONDS(60) * (n))
#define DAYS(n)    (MINUTES(60 * 24) * (n))

#define SQL          (1u << SL_HANDLER_SQL)
#define HTTP         (1u << SL_HANDLER_HTTP)
#define ANY          (1u << SL_HANDLER_BILLING | SQL | HTTP)
#define HTTP_OR_CALL ANY /* subsystem_rules.c asks for an on-dead or on-trip that uses it */

#define SL_SUBSYSTEM_KEY(name, field, KIND, handlers, fallback, least, most, help)                 \
    [SL_SUBSYSTEM_SAYS_##field] = { name,                                                          \
                                    offsetof(struct sl_subsystem, field),                          \
                                    SL_VALUE_##KIND,                                               \
                                    handlers,                                                      \
                                    fallback,                                                      \
                                    least,                                                         \
                                    most,                                                          \
                                    help },
const struct sl_value_key sl_value_keys[SL_SUBSYSTEM_KEYS] = {
#include "shared/subsystem/subsystem_keys.def"
};
#undef SL_SUBSYSTEM_KEY

#define NUMBER_DIGITS_MAX 9u

typedef bool read_fn(const struct sl_value_place *place, const struct sl_value_key *key,
                     struct sl_span value, struct sl_subsystem *subsystem);
typedef void tell_fn(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                     struct sl_buf *out);

static read_fn read_bool, read_number, read_duration, read_text, read_word, read_keep;
static tell_fn tell_bool, tell_number, tell_duration, tell_text, tell_word, tell_keep;

static const struct kind {
    read_fn *read;
    tell_fn *tell;
    const char *words[4]; /* of an enum, by its values */
} kinds[] = {
    [SL_VALUE_BOOL] = { read_bool, tell_bool, { NULL } },
    [SL_VALUE_SWITCH] = { sl_value_read_switch, sl_value_tell_switch, { NULL } },
    [SL_VALUE_NUMBER] = { read_number, tell_number, { NULL } },
    [SL_VALUE_PERCENT] = { read_number, tell_number, { NULL } },
    [SL_VALUE_DURATION] = { read_duration, tell_duration, { NULL } },
    [SL_VALUE_TEXT] = { read_text, tell_text, { NULL } },
    [SL_VALUE_HANDLER] = { read_word,
                           tell_word,
                           { [SL_HANDLER_BILLING] = "billing",
                             [SL_HANDLER_SQL] = "sql",
                             [SL_HANDLER_HTTP] = "http" } },
    [SL_VALUE_SEVERITY] = { read_word,
                            tell_word,
                            { [SL_SEVERITY_INFO] = "info",
                              [SL_SEVERITY_WARNING] = "warning",
                              [SL_SEVERITY_CRITICAL] = "critical" } },
    [SL_VALUE_CLASS] = { read_word,
                         tell_word,
                         { [SL_CLASS_REALTIME] = "realtime", [SL_CLASS_BACKFILL] = "backfill" } },
    [SL_VALUE_BINDINGS] = { sl_value_read_bindings, sl_value_tell_bindings, { NULL } },
    [SL_VALUE_DELAYS] = { sl_value_read_delays, sl_value_tell_delays, { NULL } },
    [SL_VALUE_KEEP] = { read_keep, tell_keep, { NULL } },
    [SL_VALUE_FUNCTION] = { sl_value_read_function, tell_text, { NULL } },
    [SL_VALUE_URL] = { sl_value_read_url, sl_value_tell_url, { NULL } },
    [SL_VALUE_VARIABLE] = { sl_value_read_variable, tell_text, { NULL } },
    [SL_VALUE_ON_TRIP] = { sl_value_read_call, sl_value_tell_call, { NULL } },
    [SL_VALUE_ON_DEAD] = { sl_value_read_call, sl_value_tell_call, { NULL } },
    [SL_VALUE_QUERY] = { sl_value_read_query, tell_text, { NULL } },
};

bool sl_value_read(const struct sl_value_place *place, const struct sl_value_key *key,
                   struct sl_span value, struct sl_subsystem *subsystem)
{
    return kinds[key->kind].read(place, key, value, subsystem);
}

void sl_value_tell(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                   struct sl_buf *out)
{
    kinds[key->kind].tell(key, subsystem, out);
}

bool sl_value_mistake(const struct sl_value_place *place, const char *what, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sl_buf_printf(place->mistakes, "%s:%zu: [%s] %s: %s\n", place->file, place->line,
                  place->section, what, text);
    return false;
}

const char *sl_handler_name(enum sl_handler handler)
{
    return kinds[SL_VALUE_HANDLER].words[handler];
}

/* One value -------------------------------------------------------------------------------------- */

static bool read_bool(const struct sl_value_place *place, const struct sl_value_key *key,
                      struct sl_span value, struct sl_subsystem *subsystem)
{
    if (!sl_span_is(value, "true") && !sl_span_is(value, "false")) {
        return sl_value_mistake(place, key->name, "true or false");
    }
    *(bool *)((char *)subsystem + key->offset) = sl_span_is(value, "true");
    return true;
}

static void tell_bool(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                      struct sl_buf *out)
{
    bool is_true = *(const bool *)((const char *)subsystem + key->offset);
    sl_buf_append_text(out, is_true ? "true" : "false");
}

static bool read_number(const struct sl_value_place *place, const struct sl_value_key *key,
                        struct sl_span value, struct sl_subsystem *subsystem)
{
    bool is_percent = key->kind == SL_VALUE_PERCENT;
    struct sl_span digits = value;
    bool has_sign = value.bytes > 0 && value.data[value.bytes - 1] == '%';
    digits.bytes -= is_percent && has_sign ? 1 : 0;
    int64_t number = 0;
    if (!sl_units_decimal(digits, NUMBER_DIGITS_MAX, &number) || number < key->least ||
        number > key->most || is_percent != has_sign) {
        return sl_value_mistake(place, key->name, "%s from %lld%s to %lld%s",
                                is_percent ? "a share" : "a number", (long long)key->least,
                                is_percent ? "%" : "", (long long)key->most, is_percent ? "%" : "");
    }
    *(uint16_t *)((char *)subsystem + key->offset) = (uint16_t)number;
    return true;
}

static void tell_number(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                        struct sl_buf *out)
{
    sl_buf_printf(out, "%u%s", *(const uint16_t *)((const char *)subsystem + key->offset),
                  key->kind == SL_VALUE_PERCENT ? "%" : "");
}

static bool read_duration(const struct sl_value_place *place, const struct sl_value_key *key,
                          struct sl_span value, struct sl_subsystem *subsystem)
{
    int64_t ms = 0;
    if (!sl_units_duration_ms(value, &ms) || ms < key->least || ms > key->most) {
        char least[SL_UNITS_TEXT_BYTES];
        char most[SL_UNITS_TEXT_BYTES];
        return sl_value_mistake(
            place, key->name, "a time with its unit (ms, s, m, h, d), from %s to %s",
            sl_units_duration_tell(key->least, least), sl_units_duration_tell(key->most, most));
    }
    *(int64_t *)((char *)subsystem + key->offset) = ms;
    return true;
}

static void tell_duration(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                          struct sl_buf *out)
{
    char text[SL_UNITS_TEXT_BYTES];
    sl_buf_append_text(out, sl_units_duration_tell(
                                *(const int64_t *)((const char *)subsystem + key->offset), text));
}

static bool read_text(const struct sl_value_place *place, const struct sl_value_key *key,
                      struct sl_span value, struct sl_subsystem *subsystem)
{
    if (value.bytes > SL_SUBSYSTEM_TEXT_BYTES_MAX) {
        return sl_value_mistake(place, key->name, "at most %u bytes", SL_SUBSYSTEM_TEXT_BYTES_MAX);
    }
    struct sl_span copy = sl_arena_copy(place->texts, value);
    if (copy.data == NULL) {
        return sl_value_mistake(place, key->name, "no memory");
    }
    *(const char **)((char *)subsystem + key->offset) = copy.data;
    return true;
}

static void tell_text(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                      struct sl_buf *out)
{
    const char *text = *(const char *const *)((const char *)subsystem + key->offset);
    sl_buf_append_text(out, text == NULL ? "" : text);
}

/* Enums are ints here: read_word and tell_word see the field as one. */
_Static_assert(sizeof(enum sl_handler) == sizeof(unsigned), "an enum is an unsigned");

static bool read_word(const struct sl_value_place *place, const struct sl_value_key *key,
                      struct sl_span value, struct sl_subsystem *subsystem)
{
    const struct kind *kind = &kinds[key->kind];
    size_t count = 0;
    while (count < SL_COUNT(kind->words) && kind->words[count] != NULL) {
        if (sl_span_is(value, kind->words[count])) {
            *(unsigned *)(void *)((char *)subsystem + key->offset) = (unsigned)count;
            return true;
        }
        count++;
    }
    const char *nearest = sl_nearest(value, kind->words, count);
    return sl_value_mistake(place, key->name, "there is no such word; there is: %s, %s%s%s%s%s%s",
                            kind->words[0], kind->words[1], count > 2 ? ", " : "",
                            count > 2 ? kind->words[2] : "",
                            nearest == NULL ? "" : "; did you mean ",
                            nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

static void tell_word(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                      struct sl_buf *out)
{
    unsigned word = *(const unsigned *)(const void *)((const char *)subsystem + key->offset);
    sl_buf_append_text(out, kinds[key->kind].words[word]);
}

/* "500 90d", either alone, in any order; what is not said is 0: that rule keeps nothing. */
static bool read_keep(const struct sl_value_place *place, const struct sl_value_key *key,
                      struct sl_span value, struct sl_subsystem *subsystem)
{
    struct sl_subsystem_keep keep = { 0 };
    struct sl_span rest = value;
    struct sl_span word = { 0 };
    bool has_count = false;
    bool has_age = false;
    while (sl_span_split(&rest, ' ', &word)) {
        bool is_count = !has_count && sl_units_decimal(word, NUMBER_DIGITS_MAX, &keep.count);
        bool is_age = !is_count && !has_age && sl_units_duration_ms(word, &keep.age_ms);
        if (word.bytes > 0 && !is_count && !is_age) {
            return sl_value_mistake(place, key->name,
                                    "a number of events, an age with its unit, or both: 500 90d");
        }
        has_count = has_count || is_count;
        has_age = has_age || is_age;
    }
    if (!has_count && !has_age) {
        return sl_value_mistake(place, key->name,
                                "a number of events, an age with its unit, or both: 500 90d");
    }
    subsystem->keep_failed = keep;
    return true;
}

static void tell_keep(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                      struct sl_buf *out)
{
    (void)key;
    char age[SL_UNITS_TEXT_BYTES];
    sl_buf_printf(out, "%lld %s", (long long)subsystem->keep_failed.count,
                  sl_units_duration_tell(subsystem->keep_failed.age_ms, age));
}

const char *sl_subsystem_severity_name(enum sl_severity severity)
{
    return kinds[SL_VALUE_SEVERITY].words[severity];
}
