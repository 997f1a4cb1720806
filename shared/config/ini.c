#include "shared/config/ini.h"

#define PAIRS_MAX                                                                                  \
    256u /* of one section; more are refused, so that the search for repeats stays bounded */

struct reading {
    const char *file;
    const struct sl_ini_visitor *visitor;
    struct sl_buf *mistakes;
    size_t line;
    bool in_section;
    struct sl_span keys[PAIRS_MAX]; /* of the current section */
    size_t key_count;
};

static void read_line(struct reading *reading, struct sl_span line);
static void read_section(struct reading *reading, struct sl_span line);
static void read_pair(struct reading *reading, struct sl_span line);
static void mistake(struct reading *reading, const char *what, struct sl_span where);

void sl_ini_read(struct sl_span text, const char *file, const struct sl_ini_visitor *visitor,
                 struct sl_buf *mistakes)
{
    struct reading reading = { .file = file, .visitor = visitor, .mistakes = mistakes };
    struct sl_span rest = text;
    struct sl_span line = { 0 };
    while (sl_span_split(&rest, '\n', &line)) {
        reading.line++;
        read_line(&reading, sl_span_trim(line));
    }
}

static void read_line(struct reading *reading, struct sl_span line)
{
    if (line.bytes == 0 || line.data[0] == '#' || line.data[0] == ';') {
        return;
    }
    if (memchr(line.data, '\0', line.bytes) != NULL) {
        mistake(reading, "a NUL byte has no place here", (struct sl_span){ 0 });
    } else if (line.data[0] == '[') {
        read_section(reading, line);
    } else {
        read_pair(reading, line);
    }
}

static void read_section(struct reading *reading, struct sl_span line)
{
    if (line.data[line.bytes - 1] != ']') {
        mistake(reading, "a section is written [name]; the closing bracket is missing in", line);
        return;
    }
    struct sl_span name = sl_span_trim(sl_span_make(line.data + 1, line.bytes - 2));
    if (name.bytes == 0) {
        mistake(reading, "a section needs a name", (struct sl_span){ 0 });
        return;
    }
    reading->in_section = true;
    reading->key_count = 0;
    reading->visitor->on_section(reading->visitor->arg, name, reading->line);
}

static void read_pair(struct reading *reading, struct sl_span line)
{
    struct sl_span value = line;
    struct sl_span key = { 0 };
    bool has_key = sl_span_split(&value, '=', &key) && value.data != NULL;
    key = sl_span_trim(key);
    value = sl_span_trim(value);
    if (!has_key || key.bytes == 0) {
        mistake(reading, "expected [section], key = value or # comment, found", line);
        return;
    }
    if (!reading->in_section) {
        mistake(reading, "a key needs a [section] above it:", key);
        return;
    }
    for (size_t i = 0; i < reading->key_count; i++) {
        if (sl_span_eq(reading->keys[i], key)) {
            mistake(reading, "this key is given twice in its section:", key);
            return;
        }
    }
    if (reading->key_count == PAIRS_MAX) {
        mistake(reading, "this section has too many keys, starting with", key);
        return;
    }
    reading->keys[reading->key_count++] = key;
    reading->visitor->on_pair(reading->visitor->arg, key, value, reading->line);
}

static void mistake(struct reading *reading, const char *what, struct sl_span where)
{
    enum { SHOWN_BYTES_MAX = 80 };
    struct sl_span shown = where;
    shown.bytes = shown.bytes > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : shown.bytes;
    if (shown.data == NULL) {
        sl_buf_printf(reading->mistakes, "%s:%zu: %s\n", reading->file, reading->line, what);
    } else {
        sl_buf_printf(reading->mistakes, "%s:%zu: %s \"%.*s\"\n", reading->file, reading->line,
                      what, SL_SPAN_ARGS(shown));
    }
}
