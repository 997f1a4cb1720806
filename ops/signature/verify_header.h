/*
 * verify_header - what is wrong with the form of header fields that the check calls missing or malformed.
 *
 * Decides only. Knows the other schemes' forms, and what proxies, shells and logs do to a header on its way into somebody's hands.
 * Threads: no state.
 */
#ifndef OPS_VERIFY_HEADER_H
#define OPS_VERIFY_HEADER_H

#include "shared/signature/scheme.h"

#define OPS_FAULT_BYTES 256u

/* A sentence. */
void ops_verify_header_fault(const struct sl_scheme *scheme, const struct sl_signed *what,
                             char out_text[OPS_FAULT_BYTES]);
/* What a right signature of this scheme looks like. */
void ops_verify_header_example(const struct sl_scheme *scheme, char out_text[OPS_FAULT_BYTES]);

#endif
