/*
 * clock - the two clocks, and times as text.
 *
 * Monotonic time is for every deadline and duration; wall time only for signature age, stored times and logs.
 * Threads: no state.
 */
#ifndef SHARED_CLOCK_H
#define SHARED_CLOCK_H

#include <stdint.h>

#define SL_RFC3339_BYTES 28 /* "2026-01-02T03:04:05.678901Z" and a NUL */

int64_t sl_clock_mono_us(void);
int64_t sl_clock_mono_ms(void);
/* Microseconds since 1970 UTC. */
int64_t sl_clock_wall_us(void);

/* RFC 3339, UTC, microseconds. */
void sl_clock_rfc3339(int64_t wall_us, char out_text[SL_RFC3339_BYTES]);
/* The same in whole seconds, as people read it. */
void sl_clock_rfc3339_s(int64_t wall_s, char out_text[SL_RFC3339_BYTES]);

#endif
