#include "ops/when.h"

#include <string.h>
#include <time.h>

#include "shared/units.h"

#define MS_PER_S 1000

static bool read_date(const char *text, int64_t *out_s);

bool ops_when(const char *flag, const char *text, int64_t now_s, int64_t *out_s, struct sl_err *err)
{
    int64_t ago_ms = 0;
    int64_t then_s = 0;
    if (sl_units_duration_ms(sl_span_of(text), &ago_ms)) {
        then_s = now_s - ago_ms / MS_PER_S;
    } else if (!read_date(text, &then_s)) {
        return sl_fail(err, SL_E_USAGE,
                       "--%s takes a time such as 2026-01-31T14:00:00Z, or how long ago such as "
                       "2h, not '%.40s'",
                       flag, text);
    }
    *out_s = then_s;
    return true;
}

static bool read_date(const char *text, int64_t *out_s)
{
    static const char *const forms[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d" };
    for (size_t i = 0; i < SL_COUNT(forms); i++) {
        struct tm parts = { 0 };
        const char *end = strptime(text, forms[i], &parts);
        if (end != NULL && *end == '\0') {
            *out_s = (int64_t)timegm(&parts);
            return true;
        }
    }
    return false;
}
