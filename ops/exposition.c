#include "ops/exposition.h"

#include <stdlib.h>

#define NUMBER_BYTES 48u

static bool read_sample(struct sl_span line, struct ops_sample *out_sample);
static bool read_value(struct sl_span text, int64_t *out_value);
static size_t end_of_value(struct sl_span labels, size_t at);

bool ops_sample_next(struct sl_span *rest, struct ops_sample *out_sample)
{
    struct sl_span line = { 0 };
    while (rest->data != NULL && rest->bytes > 0) {
        (void)sl_span_split(rest, '\n', &line);
        if (line.bytes > 0 && line.data[0] != '#' && read_sample(line, out_sample)) {
            return true;
        }
    }
    return false;
}

static bool read_sample(struct sl_span line, struct ops_sample *out_sample)
{
    size_t name = 0;
    while (name < line.bytes && line.data[name] != '{' && line.data[name] != ' ') {
        name++;
    }
    struct ops_sample sample = { .name = sl_span_make(line.data, name),
                                 .labels = SL_SPAN_LITERAL("") };
    size_t at = name;
    if (at < line.bytes && line.data[at] == '{') {
        size_t begin = ++at;
        while (at < line.bytes && line.data[at] != '}') {
            at = line.data[at] == '"' ? end_of_value(line, at + 1) + 1 : at + 1;
        }
        if (at >= line.bytes) {
            return false;
        }
        sample.labels = sl_span_make(line.data + begin, at - begin);
        at++;
    }
    if (name == 0 || at >= line.bytes || line.data[at] != ' ' ||
        !read_value(sl_span_make(line.data + at + 1, line.bytes - at - 1), &sample.value)) {
        return false;
    }
    *out_sample = sample;
    return true;
}

/* Behind an opening quote: where the closing one is, or the end. */
static size_t end_of_value(struct sl_span labels, size_t at)
{
    while (at < labels.bytes && labels.data[at] != '"') {
        at += labels.data[at] == '\\' ? 2 : 1;
    }
    return at;
}

static bool read_value(struct sl_span text, int64_t *out_value)
{
    char number[NUMBER_BYTES];
    char *end = NULL;
    if (text.bytes == 0 || text.bytes >= sizeof number) {
        return false;
    }
    memcpy(number, text.data, text.bytes);
    number[text.bytes] = '\0';
    double value = strtod(number, &end);
    if (end == number || value != value) {
        return false;
    }
    *out_value = value >= 9.2e18 ? INT64_MAX : value <= -9.2e18 ? INT64_MIN + 1 : (int64_t)value;
    return true;
}

struct sl_span ops_sample_label(const struct ops_sample *sample, const char *name)
{
    struct sl_span labels = sample->labels;
    for (size_t at = 0; at < labels.bytes;) {
        size_t begin = at;
        while (at < labels.bytes && labels.data[at] != '=') {
            at++;
        }
        struct sl_span found = sl_span_make(labels.data + begin, at - begin);
        if (at + 1 >= labels.bytes || labels.data[at + 1] != '"') {
            break;
        }
        size_t value = at + 2;
        at = end_of_value(labels, value);
        if (at >= labels.bytes) {
            break;
        }
        if (sl_span_is(found, name)) {
            return sl_span_make(labels.data + value, at - value);
        }
        at++; /* behind the quote */
        while (at < labels.bytes && (labels.data[at] == ',' || labels.data[at] == ' ')) {
            at++;
        }
    }
    return (struct sl_span){ 0 };
}
