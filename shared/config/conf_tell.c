#include "shared/config/conf_tell.h"

#include <stdio.h>

#define MISTAKES_SHOWN 12u

void sl_conf_tell_mistakes(struct sl_log *log, const struct sl_buf *mistakes)
{
    char keys[MISTAKES_SHOWN][16];
    struct sl_field fields[MISTAKES_SHOWN + 2];
    size_t count = 0;
    size_t shown_count = 1;
    struct sl_span rest = sl_buf_span(mistakes);
    struct sl_span mistake = { 0 };
    while (sl_span_split(&rest, '\n', &mistake)) {
        if (mistake.bytes == 0) {
            continue;
        }
        if (count < MISTAKES_SHOWN) {
            snprintf(keys[count], sizeof keys[count], "mistake_%zu", count + 1);
            fields[shown_count++] = sl_text(keys[count], mistake);
        }
        count++;
    }
    fields[0] = sl_int("mistakes", (int64_t)count);
    fields[shown_count] = (struct sl_field){ .key = NULL };
    sl_log_write(log, SL_ERROR, true, "process.reload_failed",
                 "the new configuration is wrong; the old one stays in force", fields);
}
