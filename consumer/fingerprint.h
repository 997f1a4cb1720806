/*
 * fingerprint - failures of one cause share it.
 *
 * Decides only. A hash of the class, the code, the event type and the error text with everything that differs from event to
 * event taken out: digits, quoted values, hexadecimal runs and ids of the form abc_123.
 * Threads: no state.
 */
#ifndef CONSUMER_FINGERPRINT_H
#define CONSUMER_FINGERPRINT_H

#include "shared/span.h"

#define CON_FINGERPRINT_BYTES 17 /* 16 hex digits and a NUL */

void con_fingerprint(struct sl_span error_class, struct sl_span error_code, struct sl_span type,
                     struct sl_span error, char out_text[CON_FINGERPRINT_BYTES]);

#endif
