/*
 * pg_array - parameter arrays for set-based statements, in Postgres' binary format.
 *
 * Appends one array after the other to a buffer of the caller: begin, one call per element, end. One-dimensional, elements in order.
 * The buffer moves while it grows: take the bytes of an array (sl_pg_array_span) only when the last one has ended.
 * An element that does not fit marks the buffer as failed (see buf.h); check sl_buf_ok once, after the last array.
 * Refuses: knowing libpq; text that is not UTF-8 is the caller's mistake and the server's error.
 * Source: PostgreSQL array_recv (src/backend/utils/adt/arrayfuncs.c), "Binary format" of each type.
 * Threads: one owner.
 */
#ifndef SHARED_PG_ARRAY_H
#define SHARED_PG_ARRAY_H

#include <stdint.h>

#include "shared/buf.h"

/* Element types; the values are the OIDs of pg_type, which never change. */
enum sl_pg_type {
    SL_PG_BOOL = 16,
    SL_PG_BYTEA = 17,
    SL_PG_INT8 = 20,
    SL_PG_TEXT = 25,
    SL_PG_TIMESTAMPTZ = 1184,
};

struct sl_pg_array {
    struct sl_buf *out; /* borrowed */
    enum sl_pg_type type;
    size_t start_bytes; /* where it begins in out */
    size_t end_bytes;   /* set by end */
    uint32_t count;
    bool has_null;
};

/* What a timestamptz can hold, in seconds since 1970: 4714-11-24 BC up to, but not including, the year 294277. */
#define SL_PG_TIME_S_MIN (-210866803200)
#define SL_PG_TIME_S_MAX 9224318015999

void sl_pg_array_begin(struct sl_pg_array *array, enum sl_pg_type type, struct sl_buf *out);
void sl_pg_array_null(struct sl_pg_array *array);
/* TEXT and BYTEA; an absent span is NULL, an empty one is not. */
void sl_pg_array_bytes(struct sl_pg_array *array, struct sl_span bytes);
void sl_pg_array_int8(struct sl_pg_array *array, int64_t number);
void sl_pg_array_bool(struct sl_pg_array *array, bool value);
/* Since 1970 UTC. Outside what a timestamptz can hold: the nearest time it can. */
void sl_pg_array_time_s(struct sl_pg_array *array, int64_t seconds);
void sl_pg_array_time_us(struct sl_pg_array *array, int64_t microseconds);
void sl_pg_array_end(struct sl_pg_array *array);

/* The bytes of an array that has ended; borrowed until the buffer changes. */
struct sl_span sl_pg_array_span(const struct sl_pg_array *array);

#endif
