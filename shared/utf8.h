/*
 * utf8 - one code point at a time, strictly (no overlong forms, no surrogates, at most U+10FFFF).
 *
 * Decides only. Source: RFC 3629.
 * Threads: no state.
 */
#ifndef SHARED_UTF8_H
#define SHARED_UTF8_H

#include <stdint.h>

#include "shared/span.h"

/* Length in bytes (1..4) of the well-formed sequence at the start of text and its code point; 0 when it is malformed or cut. */
unsigned sl_utf8_next(struct sl_span text, uint32_t *out_code_point);

/* Writes code_point (a scalar value) as 1..4 bytes; returns how many. */
unsigned sl_utf8_put(uint32_t code_point, char out[4]);

#endif
