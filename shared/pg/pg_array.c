#include "shared/pg/pg_array.h"

#include <endian.h>

/* Dimensions, flags, element type, length, lower bound: five int32. */
#define HEADER_BYTES 20u
/* Postgres counts from 2000-01-01 00:00:00 UTC. */
#define EPOCH_2000_S 946684800
#define US_PER_S     1000000
#define TIME_US_MIN  (-211813488000000000) /* 4714-11-24 BC, since 2000 */
#define TIME_US_MAX  9223371331199999999   /* the last microsecond of the year 294276, since 2000 */
#define ELEMENT_NULL UINT32_MAX

static void put_u32(struct sl_buf *out, uint32_t value);
static void put_u64(struct sl_buf *out, uint64_t value);
static void put_time(struct sl_pg_array *array, int64_t us_since_2000);

void sl_pg_array_begin(struct sl_pg_array *array, enum sl_pg_type type, struct sl_buf *out)
{
    static const char header[HEADER_BYTES];

    *array = (struct sl_pg_array){ .out = out, .type = type, .start_bytes = out->used_bytes };
    sl_buf_append(out, header, sizeof header);
}

void sl_pg_array_null(struct sl_pg_array *array)
{
    put_u32(array->out, ELEMENT_NULL);
    array->has_null = true;
    array->count++;
}

static void put_u32(struct sl_buf *out, uint32_t value)
{
    uint32_t wire = htobe32(value);
    sl_buf_append(out, &wire, sizeof wire);
}

void sl_pg_array_bytes(struct sl_pg_array *array, struct sl_span bytes)
{
    SL_ASSERT(array->type == SL_PG_TEXT || array->type == SL_PG_BYTEA);
    if (bytes.data == NULL) {
        sl_pg_array_null(array);
        return;
    }
    if (bytes.bytes > INT32_MAX) {
        array->out->failed = true;
        return;
    }
    put_u32(array->out, (uint32_t)bytes.bytes);
    sl_buf_append_span(array->out, bytes);
    array->count++;
}

void sl_pg_array_int8(struct sl_pg_array *array, int64_t number)
{
    SL_ASSERT(array->type == SL_PG_INT8);
    put_u64(array->out, (uint64_t)number);
    array->count++;
}

/* An element of eight bytes, with its length in front. */
static void put_u64(struct sl_buf *out, uint64_t value)
{
    uint64_t wire = htobe64(value);
    put_u32(out, sizeof wire);
    sl_buf_append(out, &wire, sizeof wire);
}

void sl_pg_array_bool(struct sl_pg_array *array, bool value)
{
    SL_ASSERT(array->type == SL_PG_BOOL);
    put_u32(array->out, 1);
    sl_buf_append_char(array->out, value ? 1 : 0);
    array->count++;
}

void sl_pg_array_time_s(struct sl_pg_array *array, int64_t seconds)
{
    if (seconds > SL_PG_TIME_S_MAX) {
        put_time(array, TIME_US_MAX);
    } else if (seconds < SL_PG_TIME_S_MIN) {
        put_time(array, TIME_US_MIN);
    } else {
        put_time(array, (seconds - EPOCH_2000_S) * US_PER_S);
    }
}

static void put_time(struct sl_pg_array *array, int64_t us_since_2000)
{
    SL_ASSERT(array->type == SL_PG_TIMESTAMPTZ);
    put_u64(array->out, (uint64_t)us_since_2000);
    array->count++;
}

void sl_pg_array_time_us(struct sl_pg_array *array, int64_t microseconds)
{
    int64_t epoch_us = (int64_t)EPOCH_2000_S * US_PER_S;
    if (microseconds < TIME_US_MIN + epoch_us) {
        put_time(array, TIME_US_MIN);
    } else {
        put_time(array, microseconds - epoch_us);
    }
}

void sl_pg_array_end(struct sl_pg_array *array)
{
    struct sl_buf *out = array->out;
    array->end_bytes = out->used_bytes;
    if (!sl_buf_ok(out)) {
        return;
    }
    uint32_t header[HEADER_BYTES / sizeof(uint32_t)] = {
        htobe32(1), /* dimensions; one of length 0 is the empty array */
        htobe32(array->has_null ? 1u : 0u),
        htobe32((uint32_t)array->type),
        htobe32(array->count),
        htobe32(1), /* lower bound */
    };
    memcpy(out->data + array->start_bytes, header, sizeof header);
}

struct sl_span sl_pg_array_span(const struct sl_pg_array *array)
{
    SL_ASSERT(array->end_bytes <= array->out->used_bytes);
    return sl_span_make(array->out->data + array->start_bytes,
                        array->end_bytes - array->start_bytes);
}
