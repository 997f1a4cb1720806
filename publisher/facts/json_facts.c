#include "publisher/facts/json_facts.h"

#include "shared/event/envelope.h"
#include "shared/rfc3339.h"

/* Numbers in this range are milliseconds: 2001 to 2286. */
#define MILLIS_MIN INT64_C(1000000000000)
#define MILLIS_MAX INT64_C(9999999999999)

struct sl_span pub_json_name(const struct sl_json *value, struct sl_arena *arena, size_t bytes_max)
{
    struct sl_span text = sl_json_text(value, arena, false, NULL);
    if (text.data == NULL || text.bytes == 0 || text.bytes > bytes_max) {
        return (struct sl_span){ NULL, 0 };
    }
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte <= 0x20 || byte >= 0x7F) {
            return (struct sl_span){ NULL, 0 };
        }
    }
    return text;
}

bool pub_json_time(const struct sl_json *value, struct sl_arena *arena, int64_t *out_s)
{
    int64_t time_s = 0;
    if (sl_json_int(value, &time_s)) {
        time_s = time_s >= MILLIS_MIN && time_s <= MILLIS_MAX ? time_s / 1000 : time_s;
    } else if (!sl_rfc3339_parse(sl_json_text(value, arena, false, NULL), &time_s)) {
        return false;
    }
    if (time_s < 0 || time_s > SL_EVENT_TIME_S_MAX) {
        return false;
    }
    *out_s = time_s;
    return true;
}
