/*
 * units - durations and sizes as people write them.
 *
 * Decides only. A number without a unit is refused: `5s`, `250ms`, `2h`, `64KiB`, `10MB`, not `5`.
 * Threads: no state.
 */
#ifndef SHARED_UNITS_H
#define SHARED_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/scope.h"
#include "shared/span.h"

/* us is not offered: no key needs it. Units ms s m h d; out_ms in [0, 10 years]. */
bool sl_units_duration_ms(struct sl_span text, int64_t *out_ms) SL_MUST;
/* The same time as people write it, in its largest whole unit: 90000 is 90s, 120000 is 2m. Returns out. */
#define SL_UNITS_TEXT_BYTES 24u
const char *sl_units_duration_tell(int64_t ms, char out[SL_UNITS_TEXT_BYTES]);
/* Units B KB MB GB (powers of 1000) and KiB MiB GiB (powers of 1024); out_bytes in [0, 2^53]. */
bool sl_units_size_bytes(struct sl_span text, int64_t *out_bytes) SL_MUST;
/* Canonical decimal digits only: no sign, no leading zero, no space; at most `digits_max` of them (<= 18). */
bool sl_units_decimal(struct sl_span text, unsigned digits_max, int64_t *out_number) SL_MUST;

#endif
