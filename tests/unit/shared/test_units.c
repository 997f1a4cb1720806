#include "shared/units.h"

#include "tests/support/claims.h"

#define NO (-1)

struct row {
    const char *text;
    int64_t value; /* NO: refused */
};

static void check(const struct row *rows, size_t count,
                  bool (*parse)(struct sl_span text, int64_t *out_value))
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = NO;
        CU_ASSERT(parse(sl_span_of(rows[i].text), &value) == (rows[i].value != NO));
        CU_ASSERT_EQUAL(value, rows[i].value);
    }
}

CLAIM(units__durations_carry_a_unit_and_a_bound)
{
    static const struct row rows[] = {
        { "0s", 0 },
        { "250ms", 250 },
        { "5s", 5000 },
        { "2m", 120000 },
        { "1h", 3600000 },
        { "3d", 259200000 },
        { "3660d", INT64_C(3660) * 86400000 },
        { "3661d", NO },
        { "999999999999999d", NO },
        { "99999999999999999999s", NO },
        { "5", NO },
        { "", NO },
        { "s", NO },
        { "05s", NO },
        { "-5s", NO },
        { "+5s", NO },
        { " 5s", NO },
        { "5s ", NO },
        { "5 s", NO },
        { "5S", NO },
        { "5us", NO },
        { "5sec", NO },
        { "1.5s", NO },
        { "1m30s", NO },
        { "5KiB", NO },
    };
    check(rows, SL_COUNT(rows), sl_units_duration_ms);
}

CLAIM(units__sizes_tell_thousands_from_1024)
{
    static const struct row rows[] = {
        { "0B", 0 },
        { "1B", 1 },
        { "64KB", 64000 },
        { "64KiB", 65536 },
        { "10MB", 10000000 },
        { "1MiB", 1048576 },
        { "2GB", INT64_C(2000000000) },
        { "2GiB", INT64_C(2147483648) },
        { "8388608GiB", INT64_C(1) << 53 },
        { "8388609GiB", NO },
        { "999999999999999GiB", NO },
        { "64", NO },
        { "64K", NO },
        { "64kb", NO },
        { "64TB", NO },
        { "B", NO },
        { "0x1B", NO },
    };
    check(rows, SL_COUNT(rows), sl_units_size_bytes);
}

CLAIM(units__decimals_are_canonical)
{
    static const struct {
        const char *text;
        unsigned digits_max;
        int64_t value;
    } rows[] = {
        { "0", 1, 0 },
        { "7", 1, 7 },
        { "123456789012", 12, INT64_C(123456789012) },
        { "999999999999999999", 18, INT64_C(999999999999999999) },
        { "1234567890123", 12, NO },
        { "00", 12, NO },
        { "01", 12, NO },
        { "", 12, NO },
        { "-1", 12, NO },
        { "+1", 12, NO },
        { " 1", 12, NO },
        { "1a", 12, NO },
        { "1.0", 12, NO },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        int64_t value = NO;
        bool parsed = sl_units_decimal(sl_span_of(rows[i].text), rows[i].digits_max, &value);
        CU_ASSERT(parsed == (rows[i].value != NO) && value == rows[i].value);
    }
    int64_t value = NO;
    CU_ASSERT(!sl_units_decimal((struct sl_span){ NULL, 0 }, 12, &value));
}
