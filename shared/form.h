/*
 * form - names and values as application/x-www-form-urlencoded text, for a query or a body.
 *
 * Decides only. Everything but RFC 3986's unreserved characters and the brackets of a nested name ("created[gte]") is escaped, in names and values
 * alike. A value that does not fit marks the buffer as failed (buf.h).
 * Threads: no state.
 */
#ifndef SHARED_FORM_H
#define SHARED_FORM_H

#include <stdint.h>

#include "shared/buf.h"

/* Appends "name=value", with a '&' in front unless form is empty. */
void sl_form_put(struct sl_buf *form, const char *name, struct sl_span value);
void sl_form_put_int(struct sl_buf *form, const char *name, int64_t value);
/* Appends text escaped, as one segment of a path. */
void sl_form_escape(struct sl_buf *out, struct sl_span text);

#endif
