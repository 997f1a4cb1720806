#include "shared/config/conf_source.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/nearest.h"

#define FILE_BYTES_MAX (64u * 1024u)
#define ENTRIES_MAX    256u

/* Every SLUICE_* name of every program's config.def, collected by the build. */
static const char *const known_names[] = {
#include "config_names.inc"
};

static void read_file_lines(struct sl_conf_source *source, const char *path,
                            struct sl_buf *mistakes);
static void add_line(struct sl_conf_source *source, const char *path, size_t number,
                     struct sl_span line, struct sl_buf *mistakes);
static bool is_name(struct sl_span text);
static void check_known(struct sl_span name, struct sl_buf *mistakes);
void sl_conf_source_init(struct sl_conf_source *source, char *const *environment,
                         struct sl_buf *mistakes)
{
    *source = (struct sl_conf_source){ .environment = environment };
    for (char *const *entry = environment; *entry != NULL; entry++) {
        struct sl_span rest = sl_span_of(*entry);
        struct sl_span name = { 0 };
        if (sl_span_split(&rest, '=', &name)) {
            check_known(name, mistakes);
        }
    }
    const char *path = sl_conf_lookup(source, "SLUICE_CONFIG");
    if (path != NULL) {
        read_file_lines(source, path, mistakes);
    }
}

static void check_known(struct sl_span name, struct sl_buf *mistakes)
{
    if (!sl_span_starts_with(name, "SLUICE_")) {
        return;
    }
    struct sl_span bare = name;
    if (bare.bytes > 5 && memcmp(bare.data + bare.bytes - 5, "_FILE", 5) == 0) {
        bare.bytes -= 5;
    }
    for (size_t i = 0; i < SL_COUNT(known_names); i++) {
        if (sl_span_is(bare, known_names[i]) || sl_span_is(name, known_names[i])) {
            return;
        }
    }
    const char *nearest = sl_nearest(bare, known_names, SL_COUNT(known_names));
    sl_buf_printf(mistakes, "%.*s: no program knows this name%s%s%s\n", SL_SPAN_ARGS(name),
                  nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                  nearest == NULL ? "" : "?");
}

static void read_file_lines(struct sl_conf_source *source, const char *path,
                            struct sl_buf *mistakes)
{
    FILE *file = fopen(path, "re");
    char *text = file == NULL ? NULL : calloc(1, FILE_BYTES_MAX);
    if (text == NULL) {
        sl_buf_printf(mistakes, "SLUICE_CONFIG: cannot read %s: %s\n", path, strerror(errno));
        if (file != NULL) {
            fclose(file);
        }
        return;
    }
    size_t bytes = fread(text, 1, FILE_BYTES_MAX, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed || bytes == FILE_BYTES_MAX) {
        sl_buf_printf(mistakes, "SLUICE_CONFIG: %s %s\n", path,
                      failed ? "cannot be read" : "is 64 KiB or larger");
    } else {
        struct sl_span rest = sl_span_make(text, bytes);
        struct sl_span line = { 0 };
        for (size_t number = 1; sl_span_split(&rest, '\n', &line); number++) {
            add_line(source, path, number, sl_span_trim(line), mistakes);
        }
    }
    explicit_bzero(text, FILE_BYTES_MAX);
    free(text);
}

static void add_line(struct sl_conf_source *source, const char *path, size_t number,
                     struct sl_span line, struct sl_buf *mistakes)
{
    if (line.bytes == 0 || line.data[0] == '#') {
        return;
    }
    struct sl_span value = line;
    struct sl_span name = { 0 };
    bool has_value = sl_span_split(&value, '=', &name) && value.data != NULL;
    name = sl_span_trim(name);
    value = has_value ? sl_span_trim(value) : value;
    if (!has_value || !is_name(name)) {
        sl_buf_printf(mistakes, "%s:%zu: expected NAME=value\n", path, number);
        return;
    }
    for (size_t i = 0; i < source->entry_count; i++) {
        if (sl_span_is(name, source->entries[i].name)) {
            sl_buf_printf(mistakes, "%s:%zu: %.*s is set twice in this file; keep one\n", path,
                          number, SL_SPAN_ARGS(name));
            return;
        }
    }
    check_known(name, mistakes);
    struct sl_conf_entry *grown =
        source->entry_count >= ENTRIES_MAX
            ? NULL
            : reallocarray(source->entries, source->entry_count + 1, sizeof *grown);
    if (grown == NULL) {
        sl_buf_printf(mistakes, "%s:%zu: more than %u lines\n", path, number, ENTRIES_MAX);
        return;
    }
    source->entries = grown;
    struct sl_conf_entry entry = { .name = strndup(name.data, name.bytes),
                                   .value = strndup(value.data, value.bytes) };
    if (entry.name == NULL || entry.value == NULL) {
        sl_buf_printf(mistakes, "%s:%zu: no memory\n", path, number);
        free(entry.name);
        free(entry.value);
        return;
    }
    grown[source->entry_count++] = entry;
}

static bool is_name(struct sl_span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (isalnum((unsigned char)text.data[i]) == 0 && text.data[i] != '_') {
            return false;
        }
    }
    return text.bytes > 0;
}

void sl_conf_source_done(struct sl_conf_source *source)
{
    for (size_t i = 0; i < source->entry_count; i++) {
        free(source->entries[i].name);
        explicit_bzero(source->entries[i].value, strlen(source->entries[i].value));
        free(source->entries[i].value);
    }
    free(source->entries);
    *source = (struct sl_conf_source){ 0 };
}

const char *sl_conf_lookup(const struct sl_conf_source *source, const char *name)
{
    size_t bytes = strlen(name);
    for (char *const *entry = source->environment; *entry != NULL; entry++) {
        if (strncmp(*entry, name, bytes) == 0 && (*entry)[bytes] == '=') {
            return (*entry)[bytes + 1] == '\0' ? NULL : *entry + bytes + 1;
        }
    }
    for (size_t i = 0; i < source->entry_count; i++) {
        const struct sl_conf_entry *entry = &source->entries[i];
        if (strcmp(entry->name, name) == 0) {
            return entry->value[0] == '\0' ? NULL : entry->value;
        }
    }
    return NULL;
}
