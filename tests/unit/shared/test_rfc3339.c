#include "shared/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/claims.h"

CLAIM(rfc3339__reads_what_the_standard_allows)
{
    static const struct {
        const char *text;
        int64_t at_s;
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2023-11-14T22:13:20Z", 1700000000 },
        { "2023-11-14t22:13:20z", 1700000000 },
        { "2023-11-14 22:13:20Z", 1700000000 },
        { "2023-11-14T22:13:20.999999999Z", 1700000000 },
        { "2023-11-15T00:13:20+02:00", 1700000000 },
        { "2023-11-14T16:43:20-05:30", 1700000000 },
        { "1969-12-31T23:59:59Z", -1 },
        { "0000-03-01T00:00:00Z", -62162035200 },
        { "9999-12-31T23:59:59Z", 253402300799 },
        { "2016-12-31T23:59:60Z", 1483228799 },
        { "2024-02-29T00:00:00Z", 1709164800 },
        { "2000-02-29T12:00:00Z", 951825600 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        int64_t at_s = 0;
        CU_ASSERT_FATAL(sl_rfc3339_parse(sl_span_of(rows[i].text), &at_s));
        CU_ASSERT_EQUAL(at_s, rows[i].at_s);
    }
}

CLAIM(rfc3339__reads_nothing_else)
{
    static const char *const texts[] = {
        "",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-11-14T22:13Z",
        "2023-11-14T22:13:20.Z",
        "2023-13-14T22:13:20Z",
        "2023-00-14T22:13:20Z",
        "2023-02-29T22:13:20Z",
        "1900-02-29T22:13:20Z",
        "2023-11-31T22:13:20Z",
        "2023-11-14T24:13:20Z",
        "2023-11-14T22:60:20Z",
        "2023-11-14T22:13:61Z",
        "2023-11-14T22:13:20+0200",
        "2023-11-14T22:13:20+24:00",
        "2023-11-14T22:13:20Zx",
        " 2023-11-14T22:13:20Z",
        "+2023-11-14T22:13:20Z",
        "2023-1-14T22:13:20Z",
    };
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        int64_t at_s = 42;
        CU_ASSERT_FALSE(sl_rfc3339_parse(sl_span_of(texts[i]), &at_s));
        CU_ASSERT_EQUAL(at_s, 42);
    }
}

CLAIM(rfc3339__agrees_with_the_c_library_on_random_times)
{
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        time_t at_s = (time_t)(state % 253402300800u);
        struct tm parts;
        char text[40];
        CU_ASSERT_PTR_NOT_NULL_FATAL(gmtime_r(&at_s, &parts));
        CU_ASSERT_FATAL(strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0);
        int64_t read_s = -1;
        /* Years below 1000 have fewer digits in the library's text, and do not occur from 1970 on. */
        CU_ASSERT_FATAL(sl_rfc3339_parse(sl_span_of(text), &read_s));
        CU_ASSERT_EQUAL_FATAL(read_s, (int64_t)at_s);
    }
}
