#include "shared/form.h"

#include <inttypes.h>
#include <stdio.h>

static void escape(struct sl_buf *out, struct sl_span text, bool is_name);
static bool is_unreserved(char byte);

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
