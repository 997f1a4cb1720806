#include "shared/pg/pg_array.h"
#include "tests/support/claims.h"

static void expect(const struct sl_pg_array *array, const char *bytes, size_t count)
{
    struct sl_span got = sl_pg_array_span(array);
    CU_ASSERT_EQUAL(got.bytes, count);
    CU_ASSERT(got.bytes == count && memcmp(got.data, bytes, count) == 0);
}
#define EXPECT(array, literal) expect((array), (literal), sizeof(literal) - 1)

CLAIM(pg_array__text_with_a_null_and_an_empty_element)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, 1024);
    struct sl_pg_array array;
    sl_pg_array_begin(&array, SL_PG_TEXT, &out);
    sl_pg_array_bytes(&array, SL_SPAN_LITERAL("ab"));
    sl_pg_array_bytes(&array, (struct sl_span){ 0 });
    sl_pg_array_bytes(&array, SL_SPAN_LITERAL(""));
    sl_pg_array_end(&array);
    EXPECT(&array, "\0\0\0\1"
                   "\0\0\0\1"
                   "\0\0\0\31"
                   "\0\0\0\3"
                   "\0\0\0\1"
                   "\0\0\0\2ab"
                   "\377\377\377\377"
                   "\0\0\0\0");
}

CLAIM(pg_array__the_flag_for_null_is_only_set_when_there_is_one)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, 1024);
    struct sl_pg_array array;
    sl_pg_array_begin(&array, SL_PG_BOOL, &out);
    sl_pg_array_bool(&array, true);
    sl_pg_array_bool(&array, false);
    sl_pg_array_end(&array);
    EXPECT(&array, "\0\0\0\1"
                   "\0\0\0\0"
                   "\0\0\0\20"
                   "\0\0\0\2"
                   "\0\0\0\1"
                   "\0\0\0\1\1"
                   "\0\0\0\1\0");
}

CLAIM(pg_array__without_elements_it_is_the_empty_array)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, 1024);
    struct sl_pg_array array;
    sl_pg_array_begin(&array, SL_PG_BYTEA, &out);
    sl_pg_array_end(&array);
    EXPECT(&array, "\0\0\0\1"
                   "\0\0\0\0"
                   "\0\0\0\21"
                   "\0\0\0\0"
                   "\0\0\0\1");
}

static int64_t time_of(int64_t seconds, int64_t microseconds)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, 1024);
    struct sl_pg_array array;
    sl_pg_array_begin(&array, SL_PG_TIMESTAMPTZ, &out);
    if (seconds != 0) {
        sl_pg_array_time_s(&array, seconds);
    } else {
        sl_pg_array_time_us(&array, microseconds);
    }
    sl_pg_array_end(&array);
    uint64_t number = 0;
    struct sl_span span = sl_pg_array_span(&array);
    for (size_t i = span.bytes - 8; i < span.bytes; i++) {
        number = number << 8 | (unsigned char)span.data[i];
    }
    return (int64_t)number;
}

CLAIM(pg_array__times_count_from_2000_in_microseconds)
{
    CU_ASSERT_EQUAL(time_of(946684800, 0), 0);
    CU_ASSERT_EQUAL(time_of(946684801, 0), 1000000);
    CU_ASSERT_EQUAL(time_of(0, 0), -946684800000000);
    CU_ASSERT_EQUAL(time_of(0, 946684800000007), 7);
}

CLAIM(pg_array__times_outside_a_timestamptz_become_the_nearest_inside)
{
    int64_t latest = 9223371331199999999;
    int64_t earliest = -211813488000000000;
    CU_ASSERT_EQUAL(time_of(SL_PG_TIME_S_MAX, 0), 9223371331199000000);
    CU_ASSERT_EQUAL(time_of(SL_PG_TIME_S_MAX + 1, 0), latest);
    CU_ASSERT_EQUAL(time_of(INT64_MAX, 0), latest);
    CU_ASSERT_EQUAL(time_of(SL_PG_TIME_S_MIN, 0), earliest);
    CU_ASSERT_EQUAL(time_of(INT64_MIN, 0), earliest);
    CU_ASSERT_EQUAL(time_of(0, INT64_MIN), earliest);
    CU_ASSERT_EQUAL(time_of(0, INT64_MAX), INT64_MAX - 946684800000000);
}

CLAIM(pg_array__several_share_a_buffer_that_grows)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, 1024 * 1024);
    struct sl_pg_array numbers;
    struct sl_pg_array texts;
    sl_pg_array_begin(&numbers, SL_PG_INT8, &out);
    for (int64_t i = 0; i < 1000; i++) {
        sl_pg_array_int8(&numbers, i);
    }
    sl_pg_array_end(&numbers);
    sl_pg_array_begin(&texts, SL_PG_TEXT, &out);
    sl_pg_array_bytes(&texts, SL_SPAN_LITERAL("x"));
    sl_pg_array_end(&texts);
    CU_ASSERT(sl_buf_ok(&out));
    CU_ASSERT_EQUAL(sl_pg_array_span(&numbers).bytes, 20 + 1000 * 12);
    CU_ASSERT_EQUAL(sl_pg_array_span(&numbers).data[20 + 999 * 12 + 11], (char)(999 % 256));
    CU_ASSERT_EQUAL(sl_pg_array_span(&texts).bytes, 20 + 5);
}

CLAIM(pg_array__at_the_ceiling_the_buffer_is_marked_failed)
{
    SL_DONE(sl_buf_done) struct sl_buf out = { 0 };
    sl_buf_init(&out, 24);
    struct sl_pg_array array;
    sl_pg_array_begin(&array, SL_PG_TEXT, &out);
    sl_pg_array_bytes(&array, SL_SPAN_LITERAL("long"));
    sl_pg_array_end(&array);
    CU_ASSERT_FALSE(sl_buf_ok(&out));
}
