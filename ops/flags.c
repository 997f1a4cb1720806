#include "ops/flags.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "shared/nearest.h"
#include "shared/span.h"
#include "shared/units.h"

#define LETTERS_MAX      (2 * OPS_FLAGS_MAX + 2)
#define LONG_BASE        256 /* getopt's value for row i: above every letter */
#define COUNT_DIGITS_MAX 15u
#define NAME_BYTES       64u
#define SPAN_TEXT_BYTES  32u

struct names {
    const struct ops_flag *flags;
    size_t count;
};

static bool names_are_whole(const struct ops_flag *flags, size_t count, int argc, char **argv,
                            struct sl_err *err);
static const char *flag_name(const void *arg, size_t i);
static bool store(const struct ops_flag *flag, const char *value, struct sl_err *err);
static bool store_count(const struct ops_flag *flag, const char *value, struct sl_err *err);
static bool store_duration(const struct ops_flag *flag, const char *value, struct sl_err *err);
static void put_duration(int64_t ms, char out_text[SPAN_TEXT_BYTES]);
static bool store_output(const struct ops_flag *flag, const char *value, struct sl_err *err);
static bool takes_value(const struct ops_flag *flag);
static bool refuse_letter(int letter, struct sl_err *err);

bool ops_flags_read(const struct ops_flag *flags, size_t count, int argc, char **argv,
                    int words_min, int words_max, int *out_first, struct sl_err *err)
{
    SL_ASSERT(count <= OPS_FLAGS_MAX);
    struct option options[OPS_FLAGS_MAX + 1] = { 0 };
    char letters[LETTERS_MAX] = ":";
    size_t used = 1;
    for (size_t i = 0; i < count; i++) {
        bool valued = takes_value(&flags[i]);
        options[i] = (struct option){ .name = flags[i].name,
                                      .has_arg = valued ? required_argument : no_argument,
                                      .val = LONG_BASE + (int)i };
        if (flags[i].letter != '\0') {
            letters[used++] = flags[i].letter;
            if (valued) {
                letters[used++] = ':';
            }
        }
    }
    letters[used] = '\0';
    if (!names_are_whole(flags, count, argc, argv, err)) {
        return false;
    }
    const struct ops_flag *undo = NULL;
    optind = 0; /* glibc: start afresh */
    opterr = 0;
    for (int got = 0; (got = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
        if (got == ':') {
            return sl_fail(err, SL_E_USAGE, "%s needs a value", argv[optind - 1]);
        }
        if (got == '?') {
            if (optopt >= LONG_BASE) {
                return sl_fail(err, SL_E_USAGE, "--%s takes no value",
                               flags[optopt - LONG_BASE].name);
            }
            return refuse_letter(optopt, err);
        }
        const struct ops_flag *flag = NULL;
        for (size_t i = 0; i < count; i++) {
            if (got == LONG_BASE + (int)i || (got < LONG_BASE && got == flags[i].letter)) {
                flag = &flags[i];
            }
        }
        SL_ASSERT(flag != NULL);
        undo = flag->kind == OPS_FLAG_UNDO ? flag : undo;
        if (!store(flag, optarg, err)) {
            return false;
        }
    }
    int words = argc - optind;
    if (words < words_min) {
        return sl_fail(err, SL_E_USAGE, "an argument is missing");
    }
    if (words > words_max) {
        return sl_fail(err, SL_E_USAGE, "'%.80s' is one argument too many",
                       argv[optind + words_max]);
    }
    if (undo != NULL) {
        *(bool *)undo->out = false;
    }
    *out_first = optind;
    return true;
}

/* getopt_long accepts any unambiguous beginning of a name; we do not. */
static bool names_are_whole(const struct ops_flag *flags, size_t count, int argc, char **argv,
                            struct sl_err *err)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            continue;
        }
        struct sl_span rest = sl_span_of(argv[i] + 2);
        struct sl_span name = { 0 };
        (void)sl_span_split(&rest, '=', &name);
        bool known = false;
        for (size_t j = 0; j < count && !known; j++) {
            known = sl_span_is(name, flags[j].name);
        }
        if (known) {
            continue;
        }
        char word[NAME_BYTES];
        snprintf(word, sizeof word, "%.*s", SL_SPAN_ARGS(name));
        struct names names = { flags, count };
        const char *nearest = sl_nearest_of(sl_span_of(word), flag_name, &names);
        return sl_fail(err, SL_E_USAGE, "there is no flag --%s%s%s%s", word,
                       nearest == NULL ? "" : "; did you mean --", nearest == NULL ? "" : nearest,
                       nearest == NULL ? "" : "?");
    }
    return true;
}

static const char *flag_name(const void *arg, size_t i)
{
    const struct names *names = arg;
    return i < names->count ? names->flags[i].name : NULL;
}

static bool takes_value(const struct ops_flag *flag)
{
    return flag->kind != OPS_FLAG_SWITCH && flag->kind != OPS_FLAG_UNDO &&
           !(flag->kind == OPS_FLAG_OUTPUT && strcmp(flag->name, "json") == 0);
}

static bool refuse_letter(int letter, struct sl_err *err)
{
    return sl_fail(err, SL_E_USAGE, "there is no flag -%c here", letter);
}

static bool store(const struct ops_flag *flag, const char *value, struct sl_err *err)
{
    switch (flag->kind) {
    case OPS_FLAG_SWITCH:
        *(bool *)flag->out = true;
        return true;
    case OPS_FLAG_UNDO: /* when all are read */
        return true;
    case OPS_FLAG_TEXT:
        if (*value == '\0') {
            return sl_fail(err, SL_E_USAGE, "--%s needs a value that is not empty", flag->name);
        }
        *(const char **)flag->out = value;
        return true;
    case OPS_FLAG_COUNT:
        return store_count(flag, value, err);
    case OPS_FLAG_DURATION:
        return store_duration(flag, value, err);
    case OPS_FLAG_OUTPUT:
        return store_output(flag, value, err);
    }
    return sl_fail(err, SL_E_BUG, "flag --%s has no kind", flag->name);
}

static bool store_count(const struct ops_flag *flag, const char *value, struct sl_err *err)
{
    int64_t number = 0;
    if (!sl_units_decimal(sl_span_of(value), COUNT_DIGITS_MAX, &number) || number < flag->min ||
        number > flag->max) {
        return sl_fail(err, SL_E_USAGE, "--%s takes a whole number from %lld to %lld, not '%.40s'",
                       flag->name, (long long)flag->min, (long long)flag->max, value);
    }
    *(int64_t *)flag->out = number;
    return true;
}

static bool store_duration(const struct ops_flag *flag, const char *value, struct sl_err *err)
{
    int64_t ms = 0;
    if (!sl_units_duration_ms(sl_span_of(value), &ms)) {
        return sl_fail(err, SL_E_USAGE,
                       "--%s takes a duration with its unit, such as 500ms, 30s or 5m, not '%.40s'",
                       flag->name, value);
    }
    if (ms < flag->min || ms > flag->max) {
        char least[SPAN_TEXT_BYTES];
        char most[SPAN_TEXT_BYTES];
        put_duration(flag->min, least);
        put_duration(flag->max, most);
        return sl_fail(err, SL_E_USAGE, "--%s must be between %s and %s, not %.40s", flag->name,
                       least, most, value);
    }
    *(int64_t *)flag->out = ms;
    return true;
}

/* In the largest unit that says it whole, as a person would type it. */
static void put_duration(int64_t ms, char out_text[SPAN_TEXT_BYTES])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } };
    size_t i = ms == 0 ? 3 : 0;
    while (ms % units[i].ms != 0) {
        i++;
    }
    snprintf(out_text, SPAN_TEXT_BYTES, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
}

static bool store_output(const struct ops_flag *flag, const char *value, struct sl_err *err)
{
    static const char *const names[] = { [OPS_OUTPUT_TABLE] = "table",
                                         [OPS_OUTPUT_JSON] = "json",
                                         [OPS_OUTPUT_NDJSON] = "ndjson",
                                         [OPS_OUTPUT_CSV] = "csv" };
    size_t known = flag->max == OPS_OUTPUT_CSV ? SL_COUNT(names) : OPS_OUTPUT_JSON + 1;
    const char *asked = takes_value(flag) ? value : "json";
    for (size_t i = 0; i < known; i++) {
        if (strcmp(asked, names[i]) == 0) {
            *(enum ops_output *)flag->out = (enum ops_output)i;
            return true;
        }
    }
    const char *nearest = sl_nearest(sl_span_of(asked), names, known);
    if (nearest != NULL) {
        return sl_fail(err, SL_E_USAGE, "--output is not '%.40s'; did you mean %s?", value,
                       nearest);
    }
    return sl_fail(err, SL_E_USAGE,
                   known == SL_COUNT(names) ? "--output is table, json, ndjson or csv, not '%.40s'"
                                            : "--output is table or json, not '%.40s'",
                   value);
}
