#include "ops/json_shape.h"

#define DEPTH_MAX 1000u /* deeper containers are written as if they were this deep */

struct style {
    const char *indent;      /* NULL: everything on one line */
    const char *after_comma; /* on one line */
    const char *after_colon;
    const char *
        empty_array; /* between the brackets, before the indentation; NULL: nothing, not even that */
    const char *empty_object;
};

static const struct style styles[] = {
    [OPS_JSON_COMPACT] = { NULL, "", "", NULL, NULL },
    [OPS_JSON_SPACED] = { NULL, " ", " ", NULL, NULL },
    [OPS_JSON_TWO] = { "  ", "", " ", NULL, NULL },
    [OPS_JSON_FOUR] = { "    ", "", " ", NULL, NULL },
    [OPS_JSON_TAB] = { "\t", "", " ", NULL, NULL },
    [OPS_JSON_TWO_LOOSE] = { "  ", "", " ", "\n", "" },
};

static size_t string_bytes(struct sl_span text);
static size_t skip_space(struct sl_span text, size_t at);
static void new_line(const struct style *style, size_t depth, struct sl_buf *out);

bool ops_json_reshape(struct sl_span text, enum ops_json_shape shape, struct sl_buf *out)
{
    const struct style *style = &styles[shape];
    size_t depth = 0;
    for (size_t at = skip_space(text, 0); at < text.bytes; at = skip_space(text, at)) {
        char byte = text.data[at];
        if (byte == '"') {
            size_t bytes = string_bytes(sl_span_make(text.data + at, text.bytes - at));
            sl_buf_append(out, text.data + at, bytes);
            at += bytes;
            continue;
        }
        at++;
        if (byte == '{' || byte == '[') {
            sl_buf_append_char(out, byte);
            size_t next = skip_space(text, at);
            bool is_empty = next < text.bytes && (text.data[next] == '}' || text.data[next] == ']');
            if (!is_empty) {
                depth += depth < DEPTH_MAX ? 1 : 0;
                new_line(style, depth, out);
                continue;
            }
            const char *inside = byte == '[' ? style->empty_array : style->empty_object;
            if (inside != NULL) {
                sl_buf_append_text(out, inside);
                new_line(style, depth, out);
            }
            sl_buf_append_char(out, text.data[next]);
            at = next + 1;
        } else if (byte == '}' || byte == ']') {
            depth -= depth > 0 ? 1 : 0;
            new_line(style, depth, out);
            sl_buf_append_char(out, byte);
        } else if (byte == ',') {
            sl_buf_append_char(out, byte);
            sl_buf_append_text(out, style->after_comma);
            new_line(style, depth, out);
        } else {
            sl_buf_append_char(out, byte);
            if (byte == ':') {
                sl_buf_append_text(out, style->after_colon);
            }
        }
    }
    return sl_buf_ok(out);
}

/* From one quote to the other; the rest of the text when there is no other. */
static size_t string_bytes(struct sl_span text)
{
    for (size_t i = 1; i < text.bytes; i++) {
        if (text.data[i] == '\\') {
            i++;
        } else if (text.data[i] == '"') {
            return i + 1;
        }
    }
    return text.bytes;
}

static size_t skip_space(struct sl_span text, size_t at)
{
    while (at < text.bytes && (text.data[at] == ' ' || text.data[at] == '\n' ||
                               text.data[at] == '\r' || text.data[at] == '\t')) {
        at++;
    }
    return at;
}

static void new_line(const struct style *style, size_t depth, struct sl_buf *out)
{
    if (style->indent == NULL) {
        return;
    }
    sl_buf_append_char(out, '\n');
    for (size_t i = 0; i < depth; i++) {
        sl_buf_append_text(out, style->indent);
    }
}
