#include "ops/doctor/env_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/file.h"

#define FILE_BYTES_MAX   (256u * 1024u)
#define SECRET_BYTES_MAX (64u * 1024u)
#define OF_FILE          "_FILE"
#define EXPORT           "export "

static bool take_line(struct sl_span line, struct ops_env_file *out);
static bool is_name(struct sl_span text);
static struct sl_span unquoted(struct sl_span value);
static char *line_of(struct sl_span name, struct sl_span value);
static bool add(struct ops_env_file *out, struct sl_span name, struct sl_span value);
static bool add_of_file(struct ops_env_file *out, struct sl_span name, struct sl_span value);
static void wipe(char *text);

bool ops_env_file_read(const char *path, struct ops_env_file *out, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, FILE_BYTES_MAX);
    if (!sl_file_read(path, &text)) {
        return sl_fail(err, sl_buf_ok(&text) ? SL_E_ABSENT : SL_E_LIMIT, "%.120s: %s", path,
                       sl_buf_ok(&text) ? strerror(errno) : "is larger than 256 KiB");
    }
    bool is_read = ops_env_file_parse(sl_buf_span(&text), path, out, err);
    if (text.data != NULL) {
        explicit_bzero(text.data, text.used_bytes);
    }
    return is_read;
}

bool ops_env_file_parse(struct sl_span text, const char *path, struct ops_env_file *out,
                        struct sl_err *err)
{
    struct sl_span line = { 0 };
    for (size_t number = 1; sl_span_split(&text, '\n', &line); number++) {
        line = sl_span_trim(line);
        if (line.bytes > 0 && line.data[0] != '#' && !take_line(line, out)) {
            return sl_fail(err, SL_E_USAGE, "%.120s:%zu: expected NAME=value", path, number);
        }
    }
    return true;
}

static bool take_line(struct sl_span line, struct ops_env_file *out)
{
    struct sl_span name = { 0 };
    if (sl_span_starts_with(line, EXPORT)) {
        line = sl_span_trim(sl_span_make(line.data + strlen(EXPORT), line.bytes - strlen(EXPORT)));
    }
    if (!sl_span_split(&line, '=', &name) || line.data == NULL || !is_name(name)) {
        return false;
    }
    struct sl_span value = unquoted(sl_span_trim(line));
    size_t tail = strlen(OF_FILE);
    bool is_of_file = name.bytes > tail &&
                      memcmp(name.data + name.bytes - tail, OF_FILE, tail) == 0 && value.bytes > 0;
    return is_of_file ? add_of_file(out, sl_span_make(name.data, name.bytes - tail), value)
                      : add(out, name, value);
}

static bool is_name(struct sl_span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (isalnum((unsigned char)text.data[i]) == 0 && text.data[i] != '_') {
            return false;
        }
    }
    return text.bytes > 0 && isdigit((unsigned char)text.data[0]) == 0;
}

static struct sl_span unquoted(struct sl_span value)
{
    bool is_quoted = value.bytes >= 2 && (value.data[0] == '"' || value.data[0] == '\'') &&
                     value.data[value.bytes - 1] == value.data[0];
    return is_quoted ? sl_span_make(value.data + 1, value.bytes - 2) : value;
}

static char *line_of(struct sl_span name, struct sl_span value)
{
    char *line = NULL;
    return asprintf(&line, "%.*s=%.*s", SL_SPAN_ARGS(name), SL_SPAN_ARGS(value)) < 0 ? NULL : line;
}

/* What is said twice counts as it was said last, as in a shell. */
static bool add(struct ops_env_file *out, struct sl_span name, struct sl_span value)
{
    size_t at = 0;
    while (at < out->count && !sl_span_is(name, out->entries[at].name)) {
        at++;
    }
    if (at >= OPS_ENV_ENTRIES_MAX) {
        return false;
    }
    struct ops_env_entry *entry = &out->entries[at];
    out->count += at == out->count ? 1 : 0;
    wipe(entry->name);
    wipe(entry->value);
    wipe(entry->line);
    *entry = (struct ops_env_entry){
        .name = strndup(name.data, name.bytes),
        .value = value.data == NULL ? NULL : strndup(value.data, value.bytes),
        .line = value.data == NULL ? NULL : line_of(name, value),
    };
    return entry->name != NULL;
}

static bool add_of_file(struct ops_env_file *out, struct sl_span name, struct sl_span value)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, SECRET_BYTES_MAX);
    char *path = strndup(value.data, value.bytes);
    bool is_here = path != NULL && sl_file_read(path, &text);
    bool is_added =
        add(out, name, is_here ? sl_span_trim(sl_buf_span(&text)) : (struct sl_span){ 0 });
    if (text.data != NULL) {
        explicit_bzero(text.data, text.used_bytes);
    }
    free(path);
    return is_added;
}

void ops_env_file_done(struct ops_env_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        wipe(file->entries[i].name);
        wipe(file->entries[i].value);
        wipe(file->entries[i].line);
        file->entries[i] = (struct ops_env_entry){ 0 };
    }
    file->count = 0;
}

static void wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

enum ops_env_state ops_env_file_get(const struct ops_env_file *file, const char *name,
                                    const char **out_value)
{
    *out_value = NULL;
    for (size_t i = 0; i < file->count; i++) {
        const struct ops_env_entry *entry = &file->entries[i];
        if (strcmp(entry->name, name) == 0) {
            if (entry->value == NULL) {
                return OPS_ENV_ELSEWHERE;
            }
            *out_value = entry->value[0] == '\0' ? NULL : entry->value;
            return *out_value == NULL ? OPS_ENV_UNSET : OPS_ENV_SET;
        }
    }
    return OPS_ENV_UNSET;
}

void ops_env_file_lines(const struct ops_env_file *file, char **room)
{
    size_t count = 0;
    for (size_t i = 0; i < file->count; i++) {
        bool is_file_of_more = strcmp(file->entries[i].name, "SLUICE_CONFIG") == 0;
        if (file->entries[i].line != NULL && !is_file_of_more) {
            room[count++] = file->entries[i].line;
        }
    }
    room[count] = NULL;
}
