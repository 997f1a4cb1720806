#include "shared/subsystem/subsystems.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/config/ini.h"
#include "shared/event/delay_route.h"
#include "shared/file.h"
#include "shared/nearest.h"
#include "shared/subsystem/subsystem_rules.h"

#define FILE_BYTES_MAX  (256u * 1024u)
#define TEXTS_BYTES_MAX (1024u * 1024u) /* all of the file, and the tables of its errors.CODE */
#define RESERVED_NAME   "unrouted"
#define RULE_PREFIX     "errors."
#define NAME_BYTES_MAX  48u /* queue names also carry suffixes such as ".parked" */
#define SHOWN_BYTES_MAX 80u

struct reading {
    const char *file;
    struct sl_subsystems *out;
    struct sl_buf *mistakes;
    struct sl_section section; /* subsystem NULL while a refused section is skipped */
};

static void on_section(void *arg, struct sl_span name, size_t line);
static const char *name_fault(const struct reading *reading, struct sl_span name);
static void on_pair(void *arg, struct sl_span key, struct sl_span value, size_t line);
static void complain_of_key(const struct sl_value_place *place, struct sl_span key);
static void end_section(struct reading *reading);
static bool is_name(struct sl_span name);

void sl_subsystems_parse(struct sl_span text, const char *file, struct sl_subsystems *out,
                         struct sl_buf *mistakes)
{
    *out = (struct sl_subsystems){ 0 };
    sl_arena_init(&out->texts, TEXTS_BYTES_MAX);
    struct reading reading = { .file = file, .out = out, .mistakes = mistakes };
    struct sl_ini_visitor visitor = { &reading, on_section, on_pair };
    sl_ini_read(text, file, &visitor, mistakes);
    end_section(&reading);
    if (out->count == 0 && sl_buf_ok(mistakes) && mistakes->used_bytes == 0) {
        sl_buf_printf(mistakes, "%s: no subsystem is described; a section is written [name]\n",
                      file);
    }
}

void sl_subsystems_done(struct sl_subsystems *subsystems)
{
    sl_arena_done(&subsystems->texts);
    subsystems->count = 0;
}

static void on_section(void *arg, struct sl_span name, size_t line)
{
    struct reading *reading = arg;
    end_section(reading);
    const char *fault = name_fault(reading, name);
    if (fault != NULL) {
        sl_buf_printf(reading->mistakes, "%s:%zu: [%.*s] %s\n", reading->file, line,
                      (int)(name.bytes > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : name.bytes), name.data,
                      fault);
        return;
    }
    struct sl_subsystem *item = &reading->out->items[reading->out->count++];
    memcpy(item->name, name.data, name.bytes);
    snprintf(item->queue, sizeof item->queue, "sluice.%.*s", SL_SPAN_ARGS(name));
    snprintf(item->replay_queue, sizeof item->replay_queue, "sluice.%.*s." SL_DELAY_REPLAY,
             SL_SPAN_ARGS(name));
    reading->section = (struct sl_section){
        .place = { .file = reading->file,
                   .line = line,
                   .section = item->name,
                   .texts = &reading->out->texts,
                   .mistakes = reading->mistakes },
        .subsystem = item,
    };
    sl_section_defaults(&reading->section);
}

/* NULL when it can be a subsystem. */
static const char *name_fault(const struct reading *reading, struct sl_span name)
{
    _Static_assert(NAME_BYTES_MAX == 48, "the sentence below says so");
    if (!is_name(name)) {
        return "cannot be a subsystem: lower-case letters, digits and dashes, a letter first, at "
               "most 48";
    }
    if (sl_span_is(name, RESERVED_NAME)) {
        return "cannot be a subsystem: the queue sluice." RESERVED_NAME
               " catches what nobody is bound to";
    }
    if (sl_span_is(name, SL_DELAY_EVENTS)) {
        return "cannot be a subsystem: delayed events travel under that word";
    }
    if (sl_subsystems_find(reading->out, name) != NULL) {
        return "is described twice";
    }
    return reading->out->count == SL_SUBSYSTEMS_MAX ? "is one subsystem too many" : NULL;
}

static bool is_name(struct sl_span name)
{
    if (name.bytes == 0 || name.bytes > NAME_BYTES_MAX || name.data[0] < 'a' ||
        name.data[0] > 'z') {
        return false;
    }
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

static void on_pair(void *arg, struct sl_span key, struct sl_span value, size_t line)
{
    struct reading *reading = arg;
    struct sl_section *section = &reading->section;
    if (section->subsystem == NULL) {
        return;
    }
    struct sl_value_place place = section->place;
    place.line = line;
    if (sl_span_starts_with(key, RULE_PREFIX)) {
        section->rules_line = section->rules_line == 0 ? line : section->rules_line;
        struct sl_span code =
            sl_span_make(key.data + strlen(RULE_PREFIX), key.bytes - strlen(RULE_PREFIX));
        (void)sl_value_read_rule(&place, code, value, section->subsystem);
        return;
    }
    for (size_t i = 0; i < SL_SUBSYSTEM_KEYS; i++) {
        if (sl_span_is(key, sl_value_keys[i].name)) {
            section->lines[i] = line;
            if (sl_value_read(&place, &sl_value_keys[i], value, section->subsystem)) {
                section->subsystem->said |= UINT64_C(1) << i;
            }
            return;
        }
    }
    complain_of_key(&place, key);
}

static void complain_of_key(const struct sl_value_place *place, struct sl_span key)
{
    const char *names[SL_SUBSYSTEM_KEYS + 1];
    for (size_t i = 0; i < SL_SUBSYSTEM_KEYS; i++) {
        names[i] = sl_value_keys[i].name;
    }
    names[SL_SUBSYSTEM_KEYS] = RULE_PREFIX "CODE";
    const char *nearest = sl_nearest(key, names, SL_COUNT(names));
    sl_buf_printf(place->mistakes, "%s:%zu: [%s] has no key \"%.*s\"%s%s%s\n", place->file,
                  place->line, place->section,
                  (int)(key.bytes > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : key.bytes), key.data,
                  nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                  nearest == NULL ? "" : "?");
}

static void end_section(struct reading *reading)
{
    if (reading->section.subsystem != NULL) {
        sl_section_close(&reading->section);
        reading->section.subsystem = NULL;
    }
}

void sl_subsystems_load(const char *path, struct sl_span fallback, struct sl_subsystems *out,
                        struct sl_buf *mistakes)
{
    if (path == NULL) {
        sl_subsystems_parse(fallback, "subsystems.conf (compiled in)", out, mistakes);
        return;
    }
    *out = (struct sl_subsystems){ 0 };
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, FILE_BYTES_MAX);
    if (!sl_file_read(path, &text)) {
        sl_buf_printf(mistakes, "SLUICE_SUBSYSTEMS: cannot read %s: %s\n", path,
                      sl_buf_ok(&text) ? strerror(errno) : "larger than 256 KiB");
        return;
    }
    sl_subsystems_parse(sl_buf_span(&text), path, out, mistakes);
}

void sl_subsystems_switch(struct sl_subsystems *subsystems, const struct sl_conf_source *source)
{
    for (size_t i = 0; i < subsystems->count; i++) {
        struct sl_subsystem *item = &subsystems->items[i];
        if (item->enabled_by != NULL) {
            item->enabled = sl_conf_lookup(source, item->enabled_by) != NULL;
        }
    }
}

const struct sl_subsystem *sl_subsystems_find(const struct sl_subsystems *subsystems,
                                              struct sl_span name)
{
    for (size_t i = 0; i < subsystems->count; i++) {
        if (sl_span_is(name, subsystems->items[i].name)) {
            return &subsystems->items[i];
        }
    }
    return NULL;
}
