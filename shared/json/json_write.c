#include "shared/json/json_write.h"

#include <stdio.h>

#include "shared/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static void begin_value(struct sl_json_writer *json, const char *key);
static void append_escaped(struct sl_buf *out, uint32_t code_point, const char *raw,
                           unsigned bytes);

void sl_json_object_begin(struct sl_json_writer *json)
{
    begin_value(json, NULL);
    sl_buf_append_char(json->out, '{');
    json->needs_comma = false;
}

static void begin_value(struct sl_json_writer *json, const char *key)
{
    if (key != NULL) {
        sl_json_key(json, sl_span_of(key));
    } else if (json->needs_comma) {
        sl_buf_append_char(json->out, ',');
    }
    json->needs_comma = true;
}

void sl_json_key(struct sl_json_writer *json, struct sl_span key)
{
    if (json->needs_comma) {
        sl_buf_append_char(json->out, ',');
    }
    sl_json_append_quoted(json->out, key);
    sl_buf_append_char(json->out, ':');
    json->needs_comma = false;
}

void sl_json_object_end(struct sl_json_writer *json)
{
    sl_buf_append_char(json->out, '}');
    json->needs_comma = true;
}

void sl_json_array_begin(struct sl_json_writer *json)
{
    begin_value(json, NULL);
    sl_buf_append_char(json->out, '[');
    json->needs_comma = false;
}

void sl_json_array_end(struct sl_json_writer *json)
{
    sl_buf_append_char(json->out, ']');
    json->needs_comma = true;
}

void sl_json_put_text(struct sl_json_writer *json, const char *key, struct sl_span value)
{
    begin_value(json, key);
    if (value.data == NULL) {
        sl_buf_append_text(json->out, "null");
        return;
    }
    sl_json_append_quoted(json->out, value);
}

void sl_json_put_int(struct sl_json_writer *json, const char *key, int64_t value)
{
    begin_value(json, key);
    char digits[24];
    int bytes = snprintf(digits, sizeof digits, "%lld", (long long)value);
    sl_buf_append(json->out, digits, (size_t)bytes);
}

void sl_json_put_bool(struct sl_json_writer *json, const char *key, bool value)
{
    begin_value(json, key);
    sl_buf_append_text(json->out, value ? "true" : "false");
}

void sl_json_put_null(struct sl_json_writer *json, const char *key)
{
    begin_value(json, key);
    sl_buf_append_text(json->out, "null");
}

void sl_json_put_raw(struct sl_json_writer *json, const char *key, struct sl_span value)
{
    begin_value(json, key);
    sl_buf_append_span(json->out, value);
}

void sl_json_put_object(struct sl_json_writer *json, const char *key)
{
    begin_value(json, key);
    sl_buf_append_char(json->out, '{');
    json->needs_comma = false;
}

void sl_json_put_array(struct sl_json_writer *json, const char *key)
{
    begin_value(json, key);
    sl_buf_append_char(json->out, '[');
    json->needs_comma = false;
}

void sl_json_append_quoted(struct sl_buf *out, struct sl_span text)
{
    sl_buf_append_char(out, '"');
    size_t plain = 0; /* bytes of text, from its start, that need no escape */
    while (text.bytes > plain) {
        unsigned char byte = (unsigned char)text.data[plain];
        if (byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\') {
            plain++;
            continue;
        }
        sl_buf_append(out, text.data, plain);
        text = sl_span_make(text.data + plain, text.bytes - plain);
        plain = 0;
        uint32_t code_point = 0;
        unsigned bytes = sl_utf8_next(text, &code_point);
        if (bytes == 0) {
            sl_buf_append_text(out, REPLACEMENT);
            bytes = 1;
        } else {
            append_escaped(out, code_point, text.data, bytes);
        }
        text = sl_span_make(text.data + bytes, text.bytes - bytes);
    }
    sl_buf_append(out, text.data, plain);
    sl_buf_append_char(out, '"');
}

static void append_escaped(struct sl_buf *out, uint32_t code_point, const char *raw, unsigned bytes)
{
    switch (code_point) {
    case '"':
        sl_buf_append_text(out, "\\\"");
        return;
    case '\\':
        sl_buf_append_text(out, "\\\\");
        return;
    case '\n':
        sl_buf_append_text(out, "\\n");
        return;
    case '\r':
        sl_buf_append_text(out, "\\r");
        return;
    case '\t':
        sl_buf_append_text(out, "\\t");
        return;
    default:
        break;
    }
    bool is_control = code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F);
    /* Line and paragraph separators, and the marks that reorder what a terminal shows (Unicode TR 9, "Directional Formatting"). */
    bool is_fooling = (code_point >= 0x2028 && code_point <= 0x202E) ||
                      (code_point >= 0x2066 && code_point <= 0x2069) || code_point == 0x200E ||
                      code_point == 0x200F || code_point == 0x061C;
    if (is_control || is_fooling) {
        sl_buf_printf(out, "\\u%04x", (unsigned)code_point);
    } else {
        sl_buf_append(out, raw, bytes);
    }
}
