#include "ops/usage.h"

#include <string.h>

#define INDENT_MAX 4u

static bool read_line(struct sl_span line, struct ops_usage_item *out_item);
static struct sl_span item_of(struct sl_span line);
static bool is_lower(char c);

bool ops_usage_next(struct sl_span *rest, struct ops_usage_item *out_item)
{
    struct sl_span line = { 0 };
    while (sl_span_split(rest, '\n', &line)) {
        if (read_line(line, out_item)) {
            return true;
        }
    }
    return false;
}

static bool read_line(struct sl_span line, struct ops_usage_item *out_item)
{
    struct sl_span value = item_of(line);
    struct sl_span text = { 0 };
    if (!sl_span_split(&value, ' ', &text) || text.bytes == 0) {
        return false;
    }
    *out_item = (struct ops_usage_item){ .kind = OPS_USAGE_OTHER, .text = text };
    if (text.data[0] == '-') {
        out_item->kind = OPS_USAGE_FLAG;
        out_item->value = value;
    } else if (sl_span_is(text, "[FILE]")) {
        out_item->kind = OPS_USAGE_FILE;
    } else if (is_lower(text.data[0])) {
        out_item->kind = OPS_USAGE_WORD;
    } else if (text.data[0] == '[' && text.bytes > 2 && is_lower(text.data[1])) {
        out_item->kind = OPS_USAGE_WORD;
        out_item->text = sl_span_make(text.data + 1, text.bytes - 2);
    }
    return true;
}

/* What stands between the indent and the two spaces behind it; empty when this is no item's line. */
static struct sl_span item_of(struct sl_span line)
{
    size_t indent = 0;
    while (indent < line.bytes && line.data[indent] == ' ') {
        indent++;
    }
    if (indent != INDENT_MAX / 2 && indent != INDENT_MAX) {
        return sl_span_make(line.data, 0);
    }
    size_t end = indent;
    while (end < line.bytes &&
           !(line.data[end] == ' ' && (end + 1 == line.bytes || line.data[end + 1] == ' '))) {
        end++;
    }
    return sl_span_make(line.data + indent, end - indent);
}

bool ops_usage_is_choice(struct sl_span value)
{
    return value.bytes > 0 && is_lower(value.data[0]) &&
           memchr(value.data, '|', value.bytes) != NULL;
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}
