/*
 * redact - wipes secrets out of a text that is to be given away.
 *
 * Decides only. A secret shorter than OPS_REDACT_BYTES_MIN is left alone: it would be found in any text.
 * Threads: no state.
 */
#ifndef OPS_REDACT_H
#define OPS_REDACT_H

#include "shared/buf.h"

#define OPS_REDACT_BYTES_MIN 6u

/* The same for what a URL or a conninfo text holds between ':' and '@', and for the whole value. */
size_t ops_redact_setting(struct sl_buf *text, const char *value);

#endif
