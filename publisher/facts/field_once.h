/*
 * field_once - a header field that must not be sent twice: a second one of the name could be one that somebody added.
 *
 * Threads: no state.
 */
#ifndef PUBLISHER_FIELD_ONCE_H
#define PUBLISHER_FIELD_ONCE_H

#include "shared/http/http_parse.h"

/* Absent when there is none, or name is "". *is_doubled becomes true when there is more than one. */
struct sl_span pub_field_once(const struct sl_http_head *head, const char *name, bool *is_doubled);

#endif
