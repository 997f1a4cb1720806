#include "publisher/facts/field_once.h"

struct sl_span pub_field_once(const struct sl_http_head *head, const char *name, bool *is_doubled)
{
    struct sl_span value = { NULL, 0 };
    for (size_t i = 0; name[0] != '\0' && i < head->field_count; i++) {
        if (sl_span_is_nocase(head->fields[i].name, name)) {
            *is_doubled = *is_doubled || value.data != NULL;
            value = head->fields[i].value;
        }
    }
    return value;
}
