/*
 * when - a point in time as people type it: RFC 3339 in UTC ("2026-01-31T14:00:00Z", "2026-01-31"), or how long ago ("2h").
 *
 * Decides only. Threads: no state.
 */
#ifndef OPS_WHEN_H
#define OPS_WHEN_H

#include <stdint.h>

#include "shared/err.h"

/* flag: for the error, SL_E_USAGE. now_s and *out_s: seconds since 1970. */
bool ops_when(const char *flag, const char *text, int64_t now_s, int64_t *out_s,
              struct sl_err *err) SL_MUST;

#endif
