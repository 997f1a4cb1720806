/*
 * form - names and values as application/x-www-form-urlencoded text, for a query or a body: written, and read.
 *
 * Decides only. Writing: everything but RFC 3986's unreserved characters and the brackets of a nested name ("created[gte]") is escaped, in names and values
 * alike. A value that does not fit marks the buffer as failed (buf.h). Reading: '+' and %XX are decoded; a broken escape, a NUL byte or more than
 * the room is refused, never cut.
 * Threads: no state.
 */
#ifndef SHARED_FORM_H
#define SHARED_FORM_H

#include <stdint.h>

#include "shared/buf.h"

/* Appends "name=value", with a '&' in front unless form is empty. */
void sl_form_put(struct sl_buf *form, const char *name, struct sl_span value);
void sl_form_put_int(struct sl_buf *form, const char *name, int64_t value);
/* The next "name=value" of rest, not decoded; value is absent without a '='. False at the end. Empty pairs are skipped. */
bool sl_form_next(struct sl_span *rest, struct sl_span *out_name, struct sl_span *out_value);
/* text decoded, NUL-terminated. False for what is refused; out is then "". */
bool sl_form_decode(struct sl_span text, char *out, size_t out_bytes) SL_MUST;
/* Appends text escaped, as one segment of a path. */
void sl_form_escape(struct sl_buf *out, struct sl_span text);

#endif
