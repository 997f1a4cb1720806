#include "shared/config/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/units.h"

#define FILE_BYTES_MAX (64u * 1024u)
#define INT_DIGITS_MAX 15u

static void read_key(const struct sl_conf_key *key, const struct sl_conf_source *source,
                     char *holder, struct sl_buf *mistakes);
static char *find_value(const struct sl_conf_key *key, const struct sl_conf_source *source,
                        struct sl_buf *mistakes);
static char *read_secret_file(const char *name, const char *path, struct sl_buf *mistakes);
static bool parse_number(enum sl_conf_type type, const char *text, int64_t *out_number);
static bool parse_bool(const char *text, bool *out);
static bool parse_choice(const char *choices, const char *text, int *out_index);
static const char *expected(enum sl_conf_type type);
static size_t bytes_of(enum sl_conf_type type);

void sl_conf_read(const struct sl_conf_key *keys, size_t count, const struct sl_conf_source *source,
                  void *out, struct sl_buf *mistakes)
{
    for (size_t i = 0; i < count; i++) {
        read_key(&keys[i], source, out, mistakes);
    }
}

static void read_key(const struct sl_conf_key *key, const struct sl_conf_source *source,
                     char *holder, struct sl_buf *mistakes)
{
    char *text = find_value(key, source, mistakes);
    if (text == NULL) {
        if (key->required) {
            sl_buf_printf(mistakes, "%s: must be set: %s\n", key->env, key->help);
        }
        return;
    }
    void *field = holder + key->offset;
    bool is_valid = false;
    switch (key->type) {
    case SL_CONF_TEXT:
    case SL_CONF_SECRET:
        *(char **)field = text;
        return;
    case SL_CONF_DURATION:
    case SL_CONF_SIZE:
    case SL_CONF_INT: {
        int64_t number = 0;
        int64_t bound = 0;
        is_valid = parse_number(key->type, text, &number);
        if (is_valid && key->min != NULL && parse_number(key->type, key->min, &bound) &&
            number < bound) {
            sl_buf_printf(mistakes, "%s: %s is below the minimum %s\n", key->env, text, key->min);
        }
        if (is_valid && key->max != NULL && parse_number(key->type, key->max, &bound) &&
            number > bound) {
            sl_buf_printf(mistakes, "%s: %s is above the maximum %s\n", key->env, text, key->max);
        }
        *(int64_t *)field = number;
        break;
    }
    case SL_CONF_BOOL:
        is_valid = parse_bool(text, field);
        break;
    case SL_CONF_CHOICE:
        is_valid = parse_choice(key->choices, text, field);
        break;
    }
    if (!is_valid) {
        sl_buf_printf(mistakes, "%s: \"%s\" is not %s\n", key->env, text,
                      key->type == SL_CONF_CHOICE ? key->choices : expected(key->type));
    }
    free(text);
}

char *sl_conf_secret(const struct sl_conf_source *source, const char *name, struct sl_buf *mistakes)
{
    const struct sl_conf_key key = { .type = SL_CONF_SECRET, .env = name };
    return find_value(&key, source, mistakes);
}

/* A copy the caller frees; NULL when unset and without a fallback. */
static char *find_value(const struct sl_conf_key *key, const struct sl_conf_source *source,
                        struct sl_buf *mistakes)
{
    const char *direct = sl_conf_lookup(source, key->env);
    char file_name[128];
    snprintf(file_name, sizeof file_name, "%s_FILE", key->env);
    bool may_be_file = key->type == SL_CONF_TEXT || key->type == SL_CONF_SECRET;
    const char *path = sl_conf_lookup(source, file_name);
    if (path != NULL && !may_be_file) {
        sl_buf_printf(mistakes, "%s: only a text or a secret is read from a file\n", file_name);
        path = NULL;
    }
    if (direct != NULL && path != NULL) {
        sl_buf_printf(mistakes, "%s: set together with %s; keep one\n", key->env, file_name);
    }
    if (direct != NULL) {
        return strdup(direct);
    }
    if (path != NULL) {
        return read_secret_file(file_name, path, mistakes);
    }
    return key->fallback == NULL ? NULL : strdup(key->fallback);
}

/* The file's bytes without trailing line ends. */
static char *read_secret_file(const char *name, const char *path, struct sl_buf *mistakes)
{
    FILE *file = fopen(path, "re");
    char *text = file == NULL ? NULL : calloc(1, FILE_BYTES_MAX);
    if (text == NULL) {
        sl_buf_printf(mistakes, "%s: cannot read %s: %s\n", name, path, strerror(errno));
        if (file != NULL) {
            fclose(file);
        }
        return NULL;
    }
    size_t bytes = fread(text, 1, FILE_BYTES_MAX - 1, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    const char *why = failed                        ? "cannot be read"
                      : bytes == FILE_BYTES_MAX - 1 ? "is 64 KiB or larger"
                      : strlen(text) != bytes       ? "holds a NUL byte"
                                                    : NULL;
    while (bytes > 0 && (text[bytes - 1] == '\n' || text[bytes - 1] == '\r')) {
        text[--bytes] = '\0';
    }
    why = why == NULL && bytes == 0 ? "is empty" : why;
    if (why != NULL) {
        sl_buf_printf(mistakes, "%s: %s %s\n", name, path, why);
    }
    return text;
}

static bool parse_number(enum sl_conf_type type, const char *text, int64_t *out_number)
{
    struct sl_span span = sl_span_of(text);
    if (type == SL_CONF_DURATION) {
        return sl_units_duration_ms(span, out_number);
    }
    if (type == SL_CONF_SIZE) {
        return sl_units_size_bytes(span, out_number);
    }
    return sl_units_decimal(span, INT_DIGITS_MAX, out_number);
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = { "false", "true", "0", "1", "no", "yes", "off", "on" };
    for (size_t i = 0; i < SL_COUNT(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *choices, const char *text, int *out_index)
{
    struct sl_span rest = sl_span_of(choices);
    struct sl_span word = { 0 };
    for (int i = 0; sl_span_split(&rest, '|', &word); i++) {
        if (sl_span_is(word, text)) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

static const char *expected(enum sl_conf_type type)
{
    switch (type) {
    case SL_CONF_DURATION:
        return "a duration with a unit, such as 250ms, 30s, 5m or 2h";
    case SL_CONF_SIZE:
        return "a size with a unit, such as 64KiB or 10MB";
    case SL_CONF_INT:
        return "a whole number";
    case SL_CONF_BOOL:
        return "true or false";
    case SL_CONF_TEXT:
    case SL_CONF_SECRET:
    case SL_CONF_CHOICE:
        return "a valid value";
    }
    return "a valid value";
}

void sl_conf_done(const struct sl_conf_key *keys, size_t count, void *holder)
{
    for (size_t i = 0; i < count; i++) {
        if (keys[i].type != SL_CONF_TEXT && keys[i].type != SL_CONF_SECRET) {
            continue;
        }
        char **text = (char **)(void *)((char *)holder + keys[i].offset);
        if (*text != NULL) {
            explicit_bzero(*text, strlen(*text));
            free(*text);
            *text = NULL;
        }
    }
}

bool sl_conf_differs(const struct sl_conf_key *key, const void *a, const void *b)
{
    const char *one = (const char *)a + key->offset;
    const char *other = (const char *)b + key->offset;
    if (key->type == SL_CONF_TEXT || key->type == SL_CONF_SECRET) {
        const char *one_text = *(char *const *)(const void *)one;
        const char *other_text = *(char *const *)(const void *)other;
        return one_text == NULL || other_text == NULL ? one_text != other_text
                                                      : strcmp(one_text, other_text) != 0;
    }
    return memcmp(one, other, bytes_of(key->type)) != 0;
}

static size_t bytes_of(enum sl_conf_type type)
{
    switch (type) {
    case SL_CONF_TEXT:
    case SL_CONF_SECRET:
        return sizeof(char *);
    case SL_CONF_DURATION:
    case SL_CONF_SIZE:
    case SL_CONF_INT:
        return sizeof(int64_t);
    case SL_CONF_BOOL:
        return sizeof(bool);
    case SL_CONF_CHOICE:
        return sizeof(int);
    }
    return 0;
}

void sl_conf_swap(const struct sl_conf_key *key, void *a, void *b)
{
    char held[sizeof(int64_t)];
    char *one = (char *)a + key->offset;
    char *other = (char *)b + key->offset;
    size_t bytes = bytes_of(key->type);
    memcpy(held, one, bytes);
    memcpy(one, other, bytes);
    memcpy(other, held, bytes);
}

void sl_conf_help(const struct sl_conf_key *keys, size_t count, struct sl_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct sl_conf_key *key = &keys[i];
        sl_buf_printf(out, "  %-32s %s", key->env, key->help);
        if (key->choices != NULL) {
            sl_buf_printf(out, " (%s)", key->choices);
        }
        if (key->required) {
            sl_buf_append_text(out, " [required]");
        } else if (key->fallback != NULL) {
            sl_buf_printf(out, " [%s]", key->fallback);
        }
        sl_buf_append_char(out, '\n');
    }
}

bool sl_conf_verdict(const struct sl_buf *mistakes, struct sl_err *err)
{
    if (mistakes->used_bytes == 0) {
        return true;
    }
    size_t count = 0;
    for (size_t i = 0; i < mistakes->used_bytes; i++) {
        count += mistakes->data[i] == '\n' ? 1 : 0;
    }
    fprintf(stderr, "configuration: %zu mistake%s\n", count, count == 1 ? "" : "s");
    struct sl_span rest = sl_buf_span(mistakes);
    struct sl_span line = { 0 };
    while (sl_span_split(&rest, '\n', &line)) {
        if (line.bytes > 0) {
            fprintf(stderr, "  %.*s\n", SL_SPAN_ARGS(line));
        }
    }
    return sl_fail(err, SL_E_CONFIG, "the configuration has %zu mistake%s; nothing was started",
                   count, count == 1 ? "" : "s");
}
