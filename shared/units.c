#include "shared/units.h"

#include <stdio.h>

#include "shared/scope.h"

#define DIGITS_MAX 15u /* keeps value * unit inside int64_t after the range check */

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
};
static const struct unit sizes[] = {
    { "B", 1 },         { "KB", 1000 },     { "MB", 1000000 },  { "GB", 1000000000 },
    { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 },
};

#define DURATION_MS_MAX (INT64_C(10) * 366 * 86400000)
#define SIZE_BYTES_MAX  (INT64_C(1) << 53)

static bool parse(struct sl_span text, const struct unit *units, size_t count, int64_t max,
                  int64_t *out_value);

bool sl_units_duration_ms(struct sl_span text, int64_t *out_ms)
{
    return parse(text, durations, SL_COUNT(durations), DURATION_MS_MAX, out_ms);
}

static bool parse(struct sl_span text, const struct unit *units, size_t count, int64_t max,
                  int64_t *out_value)
{
    size_t digits = 0;
    while (digits < text.bytes && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    int64_t number = 0;
    if (!sl_units_decimal(sl_span_make(text.data, digits), DIGITS_MAX, &number)) {
        return false;
    }
    struct sl_span name = sl_span_make(text.data + digits, text.bytes - digits);
    for (size_t i = 0; i < count; i++) {
        if (sl_span_is(name, units[i].name)) {
            if (number > max / units[i].factor) {
                return false;
            }
            *out_value = number * units[i].factor;
            return true;
        }
    }
    return false;
}

const char *sl_units_duration_tell(int64_t ms, char out[SL_UNITS_TEXT_BYTES])
{
    size_t unit = SL_COUNT(durations) - 1;
    while (unit > 0 && (ms == 0 || ms % durations[unit].factor != 0)) {
        unit--;
    }
    unit = ms == 0 ? 1 : unit; /* 0s */
    snprintf(out, SL_UNITS_TEXT_BYTES, "%lld%s", (long long)(ms / durations[unit].factor),
             durations[unit].name);
    return out;
}

bool sl_units_size_bytes(struct sl_span text, int64_t *out_bytes)
{
    return parse(text, sizes, SL_COUNT(sizes), SIZE_BYTES_MAX, out_bytes);
}

bool sl_units_decimal(struct sl_span text, unsigned digits_max, int64_t *out_number)
{
    SL_ASSERT(digits_max <= 18);
    if (text.bytes == 0 || text.bytes > digits_max || (text.bytes > 1 && text.data[0] == '0')) {
        return false;
    }
    int64_t number = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        char digit = text.data[i];
        if (digit < '0' || digit > '9') {
            return false;
        }
        number = number * 10 + (digit - '0');
    }
    *out_number = number;
    return true;
}
