/*
 * rfc3339 - a time as senders write it, read into seconds.
 *
 * Decides only. `2026-01-02T03:04:05Z`, with any fraction (cut off) and any offset; the T and the Z in either case, or a space for the T.
 * Source: RFC 3339 section 5.6.
 * Threads: no state.
 */
#ifndef SHARED_RFC3339_H
#define SHARED_RFC3339_H

#include <stdint.h>

#include "shared/scope.h"
#include "shared/span.h"

/* Seconds since 1970 UTC, which may be negative. A leap second counts as the second before it. */
bool sl_rfc3339_parse(struct sl_span text, int64_t *out_s) SL_MUST;

#endif
