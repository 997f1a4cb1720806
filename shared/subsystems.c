#include "shared/subsystems.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/ini.h"
#include "shared/nearest.h"
#include "shared/units.h"

#define FILE_BYTES_MAX  (256u * 1024u)
#define BATCH_DEFAULT   500
#define BATCH_MAX       1000
#define PREFETCH_MAX    10000
#define WORKERS_DEFAULT 1
#define WORKERS_MAX     16
#define RESERVED_NAME   "unrouted"
#define DIGITS_MAX      9u
#define NAME_BYTES_MAX  48u /* queue names also carry suffixes such as ".parked" */

struct reading {
    const char *file;
    struct sl_subsystems *out;
    struct sl_buf *mistakes;
    struct sl_subsystem *current; /* NULL while a refused section is skipped */
    size_t current_line;
    bool has_enabled;
    bool has_handler;
};

static void on_section(void *arg, struct sl_span name, size_t line);
static void on_pair(void *arg, struct sl_span key, struct sl_span value, size_t line);
static void end_section(struct reading *reading);
static bool is_name(struct sl_span name);
static void put_enabled(struct reading *reading, struct sl_span value, size_t line);
static void put_handler(struct reading *reading, struct sl_span value, size_t line);
static void put_bindings(struct reading *reading, struct sl_span value, size_t line);
static bool is_topic_pattern(struct sl_span pattern);
static void put_batch(struct reading *reading, struct sl_span value, size_t line);
static void put_prefetch(struct reading *reading, struct sl_span value, size_t line);
static void put_workers(struct reading *reading, struct sl_span value, size_t line);
static uint16_t read_number(struct reading *reading, const char *key, struct sl_span value,
                            size_t line, int64_t max);
static bool read_file(const char *path, struct sl_buf *out);

static const char *const key_names[] = { "enabled", "handler",  "bindings",
                                         "batch",   "prefetch", "workers" };
static void (*const key_puts[])(struct reading *, struct sl_span,
                                size_t) = { put_enabled, put_handler,  put_bindings,
                                            put_batch,   put_prefetch, put_workers };
_Static_assert(SL_COUNT(key_names) == SL_COUNT(key_puts), "one setter per key");

static const char *const handler_names[] = { [SL_HANDLER_BILLING] = "billing" };

void sl_subsystems_parse(struct sl_span text, const char *file, struct sl_subsystems *out,
                         struct sl_buf *mistakes)
{
    *out = (struct sl_subsystems){ 0 };
    struct reading reading = { .file = file, .out = out, .mistakes = mistakes };
    struct sl_ini_visitor visitor = { &reading, on_section, on_pair };
    sl_ini_read(text, file, &visitor, mistakes);
    end_section(&reading);
    if (out->count == 0 && sl_buf_ok(mistakes) && mistakes->used_bytes == 0) {
        sl_buf_printf(mistakes, "%s: no subsystem is described; a section is written [name]\n",
                      file);
    }
}

static void on_section(void *arg, struct sl_span name, size_t line)
{
    struct reading *reading = arg;
    end_section(reading);
    if (!is_name(name)) {
        sl_buf_printf(
            reading->mistakes,
            "%s:%zu: [%.*s] cannot be a subsystem: lower-case letters, digits and dashes, "
            "a letter first, at most %u\n",
            reading->file, line, (int)(name.bytes > 80 ? 80 : name.bytes), name.data,
            NAME_BYTES_MAX);
        return;
    }
    if (sl_span_is(name, RESERVED_NAME)) {
        sl_buf_printf(
            reading->mistakes,
            "%s:%zu: [%s] cannot be a subsystem: the queue sluice.%s catches what nobody is bound to\n",
            reading->file, line, RESERVED_NAME, RESERVED_NAME);
        return;
    }
    if (sl_subsystems_find(reading->out, name) != NULL) {
        sl_buf_printf(reading->mistakes, "%s:%zu: [%.*s] is described twice\n", reading->file, line,
                      SL_SPAN_ARGS(name));
        return;
    }
    if (reading->out->count == SL_SUBSYSTEMS_MAX) {
        sl_buf_printf(reading->mistakes, "%s:%zu: more than %u subsystems\n", reading->file, line,
                      SL_SUBSYSTEMS_MAX);
        return;
    }
    struct sl_subsystem *item = &reading->out->items[reading->out->count++];
    memcpy(item->name, name.data, name.bytes);
    snprintf(item->queue, sizeof item->queue, "sluice.%.*s", SL_SPAN_ARGS(name));
    reading->current = item;
    reading->current_line = line;
    reading->has_enabled = false;
    reading->has_handler = false;
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
    if (reading->current == NULL) {
        return;
    }
    for (size_t i = 0; i < SL_COUNT(key_names); i++) {
        if (sl_span_is(key, key_names[i])) {
            key_puts[i](reading, value, line);
            return;
        }
    }
    const char *nearest = sl_nearest(key, key_names, SL_COUNT(key_names));
    sl_buf_printf(reading->mistakes, "%s:%zu: [%s] has no key \"%.*s\"%s%s%s\n", reading->file,
                  line, reading->current->name, (int)(key.bytes > 80 ? 80 : key.bytes), key.data,
                  nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                  nearest == NULL ? "" : "?");
}

/* Fills in what a section did not say, and says what it had to. */
static void end_section(struct reading *reading)
{
    struct sl_subsystem *item = reading->current;
    reading->current = NULL;
    if (item == NULL) {
        return;
    }
    item->enabled = reading->has_enabled ? item->enabled : true;
    item->batch = item->batch == 0 ? BATCH_DEFAULT : item->batch;
    item->prefetch = item->prefetch == 0 ? (uint16_t)(2 * item->batch) : item->prefetch;
    item->workers = item->workers == 0 ? WORKERS_DEFAULT : item->workers;

    if (!reading->has_handler) {
        sl_buf_printf(reading->mistakes, "%s:%zu: [%s] needs a handler; there is: billing\n",
                      reading->file, reading->current_line, item->name);
    }
    if (item->binding_count == 0) {
        sl_buf_printf(reading->mistakes,
                      "%s:%zu: [%s] needs bindings, such as stripe.#; without them its queue stays "
                      "empty\n",
                      reading->file, reading->current_line, item->name);
    }
    if (item->prefetch < item->batch) {
        sl_buf_printf(
            reading->mistakes,
            "%s:%zu: [%s] prefetch %u is below batch %u, so no batch would ever be full\n",
            reading->file, reading->current_line, item->name, item->prefetch, item->batch);
    }
}

static void put_enabled(struct reading *reading, struct sl_span value, size_t line)
{
    reading->has_enabled = true;
    reading->current->enabled = sl_span_is(value, "true");
    if (!sl_span_is(value, "true") && !sl_span_is(value, "false")) {
        sl_buf_printf(reading->mistakes, "%s:%zu: [%s] enabled: true or false\n", reading->file,
                      line, reading->current->name);
    }
}

static void put_handler(struct reading *reading, struct sl_span value, size_t line)
{
    reading->has_handler = true;
    for (size_t i = 0; i < SL_COUNT(handler_names); i++) {
        if (sl_span_is(value, handler_names[i])) {
            reading->current->handler = (enum sl_handler)i;
            return;
        }
    }
    sl_buf_printf(reading->mistakes,
                  "%s:%zu: [%s] handler: there is no such handler; there is: billing\n",
                  reading->file, line, reading->current->name);
}

/* Patterns separated by spaces or commas. */
static void put_bindings(struct reading *reading, struct sl_span value, size_t line)
{
    struct sl_subsystem *item = reading->current;
    size_t at = 0;
    while (at < value.bytes) {
        size_t start = at;
        while (at < value.bytes && strchr(" \t,", value.data[at]) == NULL) {
            at++;
        }
        struct sl_span pattern = sl_span_make(value.data + start, at - start);
        at++;
        if (pattern.bytes == 0) {
            continue;
        }
        if (!is_topic_pattern(pattern)) {
            sl_buf_printf(reading->mistakes,
                          "%s:%zu: [%s] bindings: a pattern is words, * or # separated by dots, at "
                          "most %u bytes, such as stripe.invoice.#\n",
                          reading->file, line, item->name, SL_SUBSYSTEM_BINDING_BYTES - 1);
        } else if (item->binding_count == SL_SUBSYSTEM_BINDINGS_MAX) {
            sl_buf_printf(reading->mistakes, "%s:%zu: [%s] bindings: at most %u\n", reading->file,
                          line, item->name, SL_SUBSYSTEM_BINDINGS_MAX);
            return;
        } else {
            memcpy(item->bindings[item->binding_count++], pattern.data, pattern.bytes);
        }
    }
}

static bool is_topic_pattern(struct sl_span pattern)
{
    if (pattern.bytes >= SL_SUBSYSTEM_BINDING_BYTES) {
        return false;
    }
    struct sl_span rest = pattern;
    struct sl_span word = { 0 };
    while (sl_span_split(&rest, '.', &word)) {
        if (sl_span_is(word, "*") || sl_span_is(word, "#")) {
            continue;
        }
        if (word.bytes == 0) {
            return false;
        }
        for (size_t i = 0; i < word.bytes; i++) {
            char c = word.data[i];
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-')) {
                return false;
            }
        }
    }
    return true;
}

static void put_batch(struct reading *reading, struct sl_span value, size_t line)
{
    reading->current->batch = read_number(reading, "batch", value, line, BATCH_MAX);
}

static void put_prefetch(struct reading *reading, struct sl_span value, size_t line)
{
    reading->current->prefetch = read_number(reading, "prefetch", value, line, PREFETCH_MAX);
}

static void put_workers(struct reading *reading, struct sl_span value, size_t line)
{
    reading->current->workers = read_number(reading, "workers", value, line, WORKERS_MAX);
}

/* 0, which stands for the default, after a mistake. */
static uint16_t read_number(struct reading *reading, const char *key, struct sl_span value,
                            size_t line, int64_t max)
{
    int64_t number = 0;
    if (!sl_units_decimal(value, DIGITS_MAX, &number) || number < 1 || number > max) {
        sl_buf_printf(reading->mistakes, "%s:%zu: [%s] %s: a number from 1 to %lld\n",
                      reading->file, line, reading->current->name, key, (long long)max);
        return 0;
    }
    return (uint16_t)number;
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
    if (!read_file(path, &text)) {
        sl_buf_printf(mistakes, "SLUICE_SUBSYSTEMS: cannot read %s: %s\n", path,
                      sl_buf_ok(&text) ? strerror(errno) : "larger than 256 KiB");
        return;
    }
    sl_subsystems_parse(sl_buf_span(&text), path, out, mistakes);
}

static bool read_file(const char *path, struct sl_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    char piece[4096];
    ssize_t bytes = 0;
    while ((bytes = read(fd, piece, sizeof piece)) > 0 &&
           sl_buf_append(out, piece, (size_t)bytes)) {
    }
    int failed = errno;
    close(fd);
    errno = failed;
    return bytes == 0;
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
