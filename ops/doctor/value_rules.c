#include "ops/doctor/value_rules.h"

#include <ctype.h>
#include <stddef.h>

#include "shared/scope.h"

#define TOKEN_BYTES_MIN 32u
#define DISTINCT_MIN    8u
#define LONG_ENOUGH     16u /* a shorter value may well have few different characters */

static size_t count_distinct(struct sl_span value);
static bool holds(struct sl_span value, const char *word);

enum ops_key_mode ops_key_mode(const char *key)
{
    static const struct {
        const char *prefix;
        enum ops_key_mode mode;
    } rows[] = {
        { "sk_test_", OPS_KEY_TEST }, { "rk_test_", OPS_KEY_TEST }, { "pk_test_", OPS_KEY_TEST },
        { "sk_live_", OPS_KEY_LIVE }, { "rk_live_", OPS_KEY_LIVE }, { "pk_live_", OPS_KEY_LIVE },
    };
    if (key == NULL || key[0] == '\0') {
        return OPS_KEY_NONE;
    }
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        if (strncmp(key, rows[i].prefix, strlen(rows[i].prefix)) == 0) {
            return rows[i].mode;
        }
    }
    return OPS_KEY_STRANGE;
}

const char *ops_key_mode_name(enum ops_key_mode mode)
{
    switch (mode) {
    case OPS_KEY_NONE:
        return "not set";
    case OPS_KEY_TEST:
        return "test key";
    case OPS_KEY_LIVE:
        return "live key";
    case OPS_KEY_STRANGE:
        return "no key of Stripe's";
    }
    return "?";
}

bool ops_is_production(const char *environment)
{
    static const char *const names[] = { "production", "prod", "live" };
    struct sl_span rest = sl_span_of(environment);
    while (rest.bytes > 0) {
        size_t word = 0;
        while (word < rest.bytes && isalnum((unsigned char)rest.data[word]) != 0) {
            word++;
        }
        for (size_t i = 0; i < SL_COUNT(names); i++) {
            if (sl_span_is_nocase(sl_span_make(rest.data, word), names[i])) {
                return true;
            }
        }
        word += word < rest.bytes ? 1 : 0;
        rest = sl_span_make(rest.data + word, rest.bytes - word);
    }
    return false;
}

const char *ops_placeholder(struct sl_span value)
{
    static const char *const words[] = {
        "changeme",  "change-me",   "change_me", "placeholder", "replace-me", "replace_me",
        "replaceme", "your-",       "your_",     "insert-",     "todo",       "fixme",
        "xxxx",      "example.com", "<",         "…",
    };
    for (size_t i = 0; i < SL_COUNT(words); i++) {
        if (holds(value, words[i])) {
            return "is a placeholder";
        }
    }
    if (value.bytes >= LONG_ENOUGH && count_distinct(value) < DISTINCT_MIN) {
        return "is a placeholder: fewer than 8 different characters";
    }
    return NULL;
}

const char *ops_token_objection(struct sl_span token)
{
    if (token.bytes < TOKEN_BYTES_MIN) {
        return "is shorter than 32 characters";
    }
    for (size_t i = 0; i < token.bytes; i++) {
        if (token.data[i] <= 0x20 || token.data[i] >= 0x7F) {
            return "holds white space, or what a header cannot carry";
        }
    }
    return ops_placeholder(token);
}

bool ops_is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0 || strcmp(host, "[::1]") == 0;
}

static size_t count_distinct(struct sl_span value)
{
    bool seen[256] = { false };
    size_t count = 0;
    for (size_t i = 0; i < value.bytes; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        count += seen[byte] ? 0 : 1;
        seen[byte] = true;
    }
    return count;
}

static bool holds(struct sl_span value, const char *word)
{
    size_t bytes = strlen(word);
    for (size_t i = 0; i + bytes <= value.bytes; i++) {
        if (strncasecmp(value.data + i, word, bytes) == 0) {
            return true;
        }
    }
    return false;
}
