#include "shared/http/form.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void escape(struct sl_buf *out, struct sl_span text, bool is_name);
static bool is_unreserved(char byte);
static int hex_digit(char byte);

void sl_form_put(struct sl_buf *form, const char *name, struct sl_span value)
{
    if (form->used_bytes > 0) {
        sl_buf_append_char(form, '&');
    }
    escape(form, sl_span_of(name), true);
    sl_buf_append_char(form, '=');
    escape(form, value, false);
}

void sl_form_put_int(struct sl_buf *form, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    sl_form_put(form, name, sl_span_of(text));
}

bool sl_form_next(struct sl_span *rest, struct sl_span *out_name, struct sl_span *out_value)
{
    struct sl_span pair = { 0 };
    while (sl_span_split(rest, '&', &pair)) {
        if (pair.bytes > 0) {
            const char *equals = memchr(pair.data, '=', pair.bytes);
            size_t name_bytes = equals == NULL ? pair.bytes : (size_t)(equals - pair.data);
            *out_name = sl_span_make(pair.data, name_bytes);
            *out_value = equals == NULL ? (struct sl_span){ 0 }
                                        : sl_span_make(equals + 1, pair.bytes - name_bytes - 1);
            return true;
        }
    }
    return false;
}

bool sl_form_decode(struct sl_span text, char *out, size_t out_bytes)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < text.bytes; i++) {
        char byte = text.data[i] == '+' ? ' ' : text.data[i];
        if (byte == '%') {
            int high = text.bytes - i > 2 ? hex_digit(text.data[i + 1]) : -1;
            int low = text.bytes - i > 2 ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                out[0] = '\0';
                return false;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        }
        if (byte == '\0' || used + 1 >= out_bytes) {
            out[0] = '\0';
            return false;
        }
        out[used++] = byte;
    }
    out[used] = '\0';
    return true;
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

void sl_form_escape(struct sl_buf *out, struct sl_span text)
{
    escape(out, text, false);
}

static void escape(struct sl_buf *out, struct sl_span text, bool is_name)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char byte = text.data[i];
        if (is_unreserved(byte) || (is_name && (byte == '[' || byte == ']'))) {
            sl_buf_append_char(out, byte);
        } else {
            sl_buf_printf(out, "%%%02X", (unsigned)(unsigned char)byte);
        }
    }
}

static bool is_unreserved(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}
