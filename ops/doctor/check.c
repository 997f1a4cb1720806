#include "ops/doctor/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/nearest.h"

#define NUMBER_BYTES 32u
#define NAME_BYTES   32u
#define KIB          1024

static const struct ops_check checks[OPS_CHECKS] = {
#define DOCTOR_CHECK(id, ...) [OPS_CHECK_##id] = { __VA_ARGS__ },
#include "ops/doctor/checks.def"
#undef DOCTOR_CHECK
};

static enum ops_verdict verdict_of(const struct ops_check *check, int64_t number);
static void write(const char *form, const struct ops_fact *fact, char *out, size_t out_bytes);
static size_t value_of(const char *form, const struct ops_fact *fact, char number[NUMBER_BYTES],
                       const char **out_value);
static void tell_seconds(int64_t seconds, char out[NUMBER_BYTES]);
static void tell_bytes(int64_t bytes, char out[NUMBER_BYTES]);
static void tame(char *text);
static bool is_named(const struct ops_check *check, struct sl_span word);

const struct ops_check *ops_check_at(enum ops_check_id id)
{
    SL_ASSERT(id < OPS_CHECKS);
    return &checks[id];
}

const char *ops_verdict_name(enum ops_verdict verdict)
{
    switch (verdict) {
    case OPS_VERDICT_OK:
        return "ok";
    case OPS_VERDICT_SKIP:
        return "skip";
    case OPS_VERDICT_WARN:
        return "warn";
    case OPS_VERDICT_FAIL:
        return "FAIL";
    }
    return "?";
}

void ops_check_judge(const struct ops_check *check, const struct ops_fact *fact,
                     struct ops_finding *out)
{
    *out = (struct ops_finding){ .verdict = OPS_VERDICT_SKIP };
    switch (fact->look) {
    case OPS_LOOK_NONE:
        snprintf(out->text, sizeof out->text, "not looked at");
        return;
    case OPS_LOOK_SKIPPED:
        snprintf(out->text, sizeof out->text, "%s", fact->what);
        return;
    case OPS_LOOK_BLIND:
        out->verdict = OPS_VERDICT_WARN;
        snprintf(out->text, sizeof out->text, "could not be looked at: %s", fact->what);
        snprintf(out->fix, sizeof out->fix, "%s", fact->fix);
        return;
    case OPS_LOOK_SEEN:
        break;
    }
    out->verdict = verdict_of(check, fact->number);
    bool is_well = out->verdict == OPS_VERDICT_OK;
    write(is_well ? check->well : check->ill, fact, out->text, sizeof out->text);
    if (!is_well) {
        write(fact->fix[0] != '\0' ? fact->fix : check->fix, fact, out->fix, sizeof out->fix);
    }
}

static enum ops_verdict verdict_of(const struct ops_check *check, int64_t number)
{
    bool fails = (check->fail_from != 0 && number >= check->fail_from) ||
                 (check->fail_below != 0 && number < check->fail_below);
    bool warns = (check->warn_from != 0 && number >= check->warn_from) ||
                 (check->warn_below != 0 && number < check->warn_below);
    return fails ? OPS_VERDICT_FAIL : warns ? OPS_VERDICT_WARN : OPS_VERDICT_OK;
}

/* Puts values in the place of {n}, {s}, {b}, {what} and {which}. */
static void write(const char *form, const struct ops_fact *fact, char *out, size_t out_bytes)
{
    char number[NUMBER_BYTES];
    size_t used = 0;
    out[0] = '\0';
    while (*form != '\0' && used + 1 < out_bytes) {
        const char *value = NULL;
        size_t taken = value_of(form, fact, number, &value);
        if (taken == 0) {
            out[used++] = *form++;
            out[used] = '\0';
            continue;
        }
        int bytes = snprintf(out + used, out_bytes - used, "%s", value);
        used += bytes < 0 ? 0 : (size_t)bytes;
        form += taken;
    }
}

/* How many bytes the placeholder at `form` has; 0: there is none. */
static size_t value_of(const char *form, const struct ops_fact *fact, char number[NUMBER_BYTES],
                       const char **out_value)
{
    struct sl_span rest = sl_span_of(form);
    *out_value = number;
    if (sl_span_starts_with(rest, "{what}")) {
        *out_value = fact->what;
        return strlen("{what}");
    }
    if (sl_span_starts_with(rest, "{which}")) {
        *out_value = fact->which;
        return strlen("{which}");
    }
    if (sl_span_starts_with(rest, "{n}")) {
        snprintf(number, NUMBER_BYTES, "%" PRId64, fact->number);
    } else if (sl_span_starts_with(rest, "{s}")) {
        tell_seconds(fact->number, number);
    } else if (sl_span_starts_with(rest, "{b}")) {
        tell_bytes(fact->number, number);
    } else {
        return 0;
    }
    return strlen("{n}");
}

/* In the two units a person would say: "95 s", "12 min", "3 h 5 min", "2 d 4 h". */
static void tell_seconds(int64_t seconds, char out[NUMBER_BYTES])
{
    int64_t minutes = seconds / 60;
    int64_t hours = minutes / 60;
    if (seconds < 120) {
        snprintf(out, NUMBER_BYTES, "%" PRId64 " s", seconds);
    } else if (minutes < 60) {
        snprintf(out, NUMBER_BYTES, "%" PRId64 " min", minutes);
    } else if (hours < 24) {
        snprintf(out, NUMBER_BYTES, "%" PRId64 " h %" PRId64 " min", hours, minutes % 60);
    } else {
        snprintf(out, NUMBER_BYTES, "%" PRId64 " d %" PRId64 " h", hours / 24, hours % 24);
    }
}

static void tell_bytes(int64_t bytes, char out[NUMBER_BYTES])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t unit = 0;
    int64_t rest = 0;
    while (bytes >= KIB && unit + 1 < SL_COUNT(units)) {
        rest = bytes % KIB;
        bytes /= KIB;
        unit++;
    }
    if (bytes < 10 && unit > 0) {
        snprintf(out, NUMBER_BYTES, "%" PRId64 ".%" PRId64 " %s", bytes, rest * 10 / KIB,
                 units[unit]);
    } else {
        snprintf(out, NUMBER_BYTES, "%" PRId64 " %s", bytes, units[unit]);
    }
}

bool ops_check_is_meant(const struct ops_check *check, const char *wanted)
{
    struct sl_span rest = sl_span_of(wanted);
    struct sl_span word = { 0 };
    while (sl_span_split(&rest, ',', &word)) {
        if (is_named(check, sl_span_trim(word))) {
            return true;
        }
    }
    return wanted == NULL;
}

/* The name, or the part before its point. */
static bool is_named(const struct ops_check *check, struct sl_span word)
{
    struct sl_span rest = sl_span_of(check->name);
    struct sl_span group = { 0 };
    return sl_span_is(word, check->name) ||
           (sl_span_split(&rest, '.', &group) && sl_span_eq(group, word));
}

bool ops_check_is_unknown(const char *wanted, char *out_word, size_t out_bytes)
{
    struct sl_span rest = sl_span_of(wanted);
    struct sl_span word = { 0 };
    while (sl_span_split(&rest, ',', &word)) {
        bool is_known = false;
        for (size_t i = 0; i < OPS_CHECKS && !is_known; i++) {
            is_known = is_named(&checks[i], sl_span_trim(word));
        }
        if (!is_known) {
            snprintf(out_word, out_bytes, "%.*s", SL_SPAN_ARGS(word));
            return true;
        }
    }
    return false;
}

void ops_check_nearest(const char *word, char *out_name, size_t out_bytes)
{
    const char *names[OPS_CHECKS];
    char groups[OPS_CHECKS][NAME_BYTES];
    const char *group_names[OPS_CHECKS];
    for (size_t i = 0; i < OPS_CHECKS; i++) {
        names[i] = checks[i].name;
        snprintf(groups[i], NAME_BYTES, "%.*s", (int)strcspn(checks[i].name, "."), checks[i].name);
        group_names[i] = groups[i];
    }
    const char *nearest = sl_nearest(sl_span_of(word), group_names, OPS_CHECKS);
    if (nearest == NULL) {
        nearest = sl_nearest(sl_span_of(word), names, OPS_CHECKS);
    }
    snprintf(out_name, out_bytes, "%s", nearest == NULL ? "" : nearest);
}

void ops_fact_see(struct ops_facts *facts, enum ops_check_id id, int64_t number, const char *which,
                  const char *what, ...)
{
    struct ops_fact *fact = &facts->items[id];
    *fact = (struct ops_fact){ .look = OPS_LOOK_SEEN, .number = number };
    snprintf(fact->which, sizeof fact->which, "%s", which == NULL ? "" : which);
    va_list args;
    va_start(args, what);
    vsnprintf(fact->what, sizeof fact->what, what, args);
    va_end(args);
    tame(fact->what);
    tame(fact->which);
}

/* A terminal is never driven by what a server says. */
static void tame(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        *text = byte < 0x20 || byte == 0x7F ? '?' : *text;
    }
}

void ops_fact_fix(struct ops_facts *facts, enum ops_check_id id, const char *fix)
{
    snprintf(facts->items[id].fix, sizeof facts->items[id].fix, "%s", fix);
}

void ops_fact_skip(struct ops_facts *facts, enum ops_check_id id, const char *why)
{
    struct ops_fact *fact = &facts->items[id];
    *fact = (struct ops_fact){ .look = OPS_LOOK_SKIPPED };
    snprintf(fact->what, sizeof fact->what, "%s", why);
    tame(fact->what);
}

void ops_fact_blind(struct ops_facts *facts, enum ops_check_id id, const char *why)
{
    ops_fact_skip(facts, id, why);
    facts->items[id].look = OPS_LOOK_BLIND;
}

void ops_facts_skip(struct ops_facts *facts, enum ops_check_id first, enum ops_check_id last,
                    const char *why)
{
    for (size_t id = first; id <= last; id++) {
        if (facts->items[id].look == OPS_LOOK_NONE) {
            ops_fact_skip(facts, (enum ops_check_id)id, why);
        }
    }
}
