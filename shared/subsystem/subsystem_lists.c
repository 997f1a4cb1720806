/* The values that are lists: bindings, delays and errors.CODE. */
#include <stdio.h>
#include <string.h>

#include "shared/event/routing_key.h"
#include "shared/nearest.h"
#include "shared/subsystem/subsystem_values.h"
#include "shared/subsystem/topic.h"
#include "shared/units.h"

#define CODE_BYTES_MAX     64u
#define KEY_BYTES          256u /* a routing key has at most 255: AMQP 0-9-1, 4.2.5.3 */
#define SQLSTATE_BYTES     5u
#define SEPARATORS         " \t,"
#define EVENT_TYPE_EXAMPLE "networkTypeChange:30m"

static const char *const verdicts[] = {
    [SL_RULE_DONE] = "done",         [SL_RULE_RETRY] = "retry", [SL_RULE_PERMANENT] = "permanent",
    [SL_RULE_SYSTEMIC] = "systemic", [SL_RULE_HALT] = "halt",
};

static bool next_word(struct sl_span value, size_t *at, struct sl_span *out_word);
static bool is_topic_pattern(struct sl_span pattern);
static bool is_word(struct sl_span text, const char *also);
static bool add_delay(const struct sl_value_place *place, const struct sl_value_key *key,
                      struct sl_span type, struct sl_span wait, struct sl_subsystem_delays *delays);

/* Bindings --------------------------------------------------------------------------------------- */

bool sl_value_read_bindings(const struct sl_value_place *place, const struct sl_value_key *key,
                            struct sl_span value, struct sl_subsystem *subsystem)
{
    struct sl_span pattern = { 0 };
    size_t at = 0;
    while (next_word(value, &at, &pattern)) {
        if (!is_topic_pattern(pattern)) {
            return sl_value_mistake(
                place, key->name,
                "a pattern is words, * or # separated by dots, at most %u bytes, such as "
                "stripe.invoice.#",
                SL_SUBSYSTEM_BINDING_BYTES - 1);
        }
        if (subsystem->binding_count == SL_SUBSYSTEM_BINDINGS_MAX) {
            return sl_value_mistake(place, key->name, "at most %u", SL_SUBSYSTEM_BINDINGS_MAX);
        }
        memcpy(subsystem->bindings[subsystem->binding_count++], pattern.data, pattern.bytes);
    }
    return true;
}

void sl_value_tell_bindings(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                            struct sl_buf *out)
{
    (void)key;
    for (size_t i = 0; i < subsystem->binding_count; i++) {
        sl_buf_printf(out, "%s%s", i == 0 ? "" : " ", subsystem->bindings[i]);
    }
}

/* Words are separated by spaces or commas. */
static bool next_word(struct sl_span value, size_t *at, struct sl_span *out_word)
{
    while (*at < value.bytes && strchr(SEPARATORS, value.data[*at]) != NULL) {
        (*at)++;
    }
    size_t start = *at;
    while (*at < value.bytes && strchr(SEPARATORS, value.data[*at]) == NULL) {
        (*at)++;
    }
    *out_word = sl_span_make(value.data + start, *at - start);
    return *at > start;
}

static bool is_topic_pattern(struct sl_span pattern)
{
    if (pattern.bytes >= SL_SUBSYSTEM_BINDING_BYTES) {
        return false;
    }
    struct sl_span rest = pattern;
    struct sl_span word = { 0 };
    while (sl_span_split(&rest, '.', &word)) {
        if (!sl_span_is(word, "*") && !sl_span_is(word, "#") && !is_word(word, "_-")) {
            return false;
        }
    }
    return true;
}

static bool is_word(struct sl_span text, const char *also)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(also, c) != NULL))) {
            return false;
        }
    }
    return text.bytes > 0;
}

/* Delays ----------------------------------------------------------------------------------------- */

bool sl_value_read_delays(const struct sl_value_place *place, const struct sl_value_key *key,
                          struct sl_span value, struct sl_subsystem *subsystem)
{
    struct sl_subsystem_delays delays = { 0 };
    struct sl_span word = { 0 };
    size_t at = 0;
    while (next_word(value, &at, &word)) {
        struct sl_span wait = word;
        struct sl_span type = { 0 };
        if (memchr(word.data, ':', word.bytes) != NULL) {
            (void)sl_span_split(&wait, ':', &type);
        }
        if (!add_delay(place, key, type, wait, &delays)) {
            return false;
        }
    }
    if (delays.count == 0) {
        return sl_value_mistake(place, key->name,
                                "a time with its unit, such as 5m, or per type, "
                                "such as " EVENT_TYPE_EXAMPLE);
    }
    subsystem->delays = delays;
    return true;
}

static bool add_delay(const struct sl_value_place *place, const struct sl_value_key *key,
                      struct sl_span type, struct sl_span wait, struct sl_subsystem_delays *delays)
{
    int64_t ms = 0;
    if (!sl_units_duration_ms(wait, &ms) || ms < key->least || ms > key->most || ms % 1000 != 0) {
        char most[SL_UNITS_TEXT_BYTES];
        return sl_value_mistake(
            place, key->name,
            "whole seconds with a unit (s, m, h, d), at most %s, such as 5m, or "
            "per type, such as " EVENT_TYPE_EXAMPLE,
            sl_units_duration_tell(key->most, most));
    }
    if (type.data != NULL && !is_word(type, "._-")) {
        return sl_value_mistake(place, key->name,
                                "an event type is letters, digits and dots, such "
                                "as " EVENT_TYPE_EXAMPLE);
    }
    for (size_t i = 0; i < delays->count; i++) {
        if (sl_span_eq(type, sl_span_of(delays->items[i].type))) {
            return sl_value_mistake(place, key->name, "%s%.*s has two delays",
                                    type.data == NULL ? "every other type" : "the type ",
                                    SL_SPAN_ARGS(type));
        }
    }
    if (delays->count == SL_SUBSYSTEM_DELAYS_MAX) {
        return sl_value_mistake(place, key->name, "at most %u", SL_SUBSYSTEM_DELAYS_MAX);
    }
    if (type.data != NULL) {
        type = sl_arena_copy(place->texts, type);
        if (type.data == NULL) {
            return sl_value_mistake(place, key->name, "no memory");
        }
    }
    delays->items[delays->count].type = type.data;
    delays->items[delays->count++].wait_ms = ms;
    return true;
}

void sl_value_tell_delays(const struct sl_value_key *key, const struct sl_subsystem *subsystem,
                          struct sl_buf *out)
{
    (void)key;
    if (subsystem->delays.count == 0) {
        sl_buf_append_text(out, "0s");
    }
    for (size_t i = 0; i < subsystem->delays.count; i++) {
        const char *type = subsystem->delays.items[i].type;
        char wait[SL_UNITS_TEXT_BYTES];
        sl_buf_printf(out, "%s%s%s%s", i == 0 ? "" : " ", type == NULL ? "" : type,
                      type == NULL ? "" : ":",
                      sl_units_duration_tell(subsystem->delays.items[i].wait_ms, wait));
    }
}

int64_t sl_subsystem_delay_ms(const struct sl_subsystem *subsystem, struct sl_span type)
{
    int64_t wait_ms = 0;
    for (size_t i = 0; i < subsystem->delays.count; i++) {
        if (subsystem->delays.items[i].type == NULL) {
            wait_ms = subsystem->delays.items[i].wait_ms;
        } else if (sl_span_is(type, subsystem->delays.items[i].type)) {
            return subsystem->delays.items[i].wait_ms;
        }
    }
    return wait_ms;
}

int64_t sl_subsystem_first_wait_ms(const struct sl_subsystem *subsystem, size_t i)
{
    int64_t wait_ms = subsystem->delays.items[i].wait_ms;
    for (size_t before = 0; before < i; before++) {
        if (subsystem->delays.items[before].wait_ms == wait_ms) {
            return 0;
        }
    }
    return wait_ms;
}

/* errors.CODE ------------------------------------------------------------------------------------ */

bool sl_value_read_rule(const struct sl_value_place *place, struct sl_span code,
                        struct sl_span value, struct sl_subsystem *subsystem)
{
    struct sl_span resolution = value;
    struct sl_span verdict = { 0 };
    (void)sl_span_split(&resolution, ':', &verdict);
    verdict = sl_span_trim(verdict);
    resolution = sl_span_trim(resolution);
    size_t found = 0;
    while (found < SL_COUNT(verdicts) && !sl_span_is(verdict, verdicts[found])) {
        found++;
    }
    if (found == SL_COUNT(verdicts)) {
        const char *nearest = sl_nearest(verdict, verdicts, SL_COUNT(verdicts));
        return sl_value_mistake(place, "errors",
                                "verdict: what to do, the verdict one of done, retry, permanent, "
                                "systemic, halt%s%s%s",
                                nearest == NULL ? "" : "; did you mean ",
                                nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
    }
    if (!is_word(code, "._-") || code.bytes > CODE_BYTES_MAX ||
        resolution.bytes > SL_SUBSYSTEM_TEXT_BYTES_MAX) {
        return sl_value_mistake(
            place, "errors",
            "a code is letters, digits, dots and dashes, at most %u; its text at most %u bytes",
            CODE_BYTES_MAX, SL_SUBSYSTEM_TEXT_BYTES_MAX);
    }
    if (subsystem->rule_count == SL_SUBSYSTEM_RULES_MAX) {
        return sl_value_mistake(place, "errors", "at most %u codes", SL_SUBSYSTEM_RULES_MAX);
    }
    if (subsystem->rules == NULL) {
        subsystem->rules =
            sl_arena_array(place->texts, SL_SUBSYSTEM_RULES_MAX, sizeof subsystem->rules[0]);
    }
    struct sl_subsystem_rule rule = {
        .code = sl_arena_copy(place->texts, code).data,
        .resolution =
            sl_arena_copy(place->texts, resolution.data == NULL ? sl_span_of("") : resolution).data,
        .verdict = (enum sl_rule_verdict)found,
    };
    if (subsystem->rules == NULL || rule.code == NULL || rule.resolution == NULL) {
        return sl_value_mistake(place, "errors", "no memory");
    }
    subsystem->rules[subsystem->rule_count++] = rule;
    return true;
}

bool sl_subsystem_takes(const struct sl_subsystem *subsystem, struct sl_span source,
                        struct sl_span type)
{
    char key[KEY_BYTES];
    struct sl_span word = sl_routing_key_type(type);
    snprintf(key, sizeof key, "%.*s.%.*s", (int)source.bytes,
             source.data == NULL ? "" : source.data, (int)word.bytes, word.data);
    for (size_t i = 0; i < subsystem->binding_count; i++) {
        if (sl_topic_takes(sl_span_of(subsystem->bindings[i]), sl_span_of(key))) {
            return true;
        }
    }
    return false;
}

const struct sl_subsystem_rule *sl_subsystem_rule_find(const struct sl_subsystem *subsystem,
                                                       struct sl_span code)
{
    for (size_t i = 0; i < subsystem->rule_count; i++) {
        if (sl_span_is(code, subsystem->rules[i].code)) {
            return &subsystem->rules[i];
        }
    }
    return NULL;
}

const char *sl_rule_verdict_name(enum sl_rule_verdict verdict)
{
    return verdicts[verdict];
}
