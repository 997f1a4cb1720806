/*
 * routing_key - the last part of the key under which an event is published.
 *
 * Decides only. A key is <source>.<type>; a type that may not stand in a key (characters, length) travels as "other", the real one in the envelope.
 * Threads: no state.
 */
#ifndef SHARED_ROUTING_KEY_H
#define SHARED_ROUTING_KEY_H

#include "shared/span.h"

#define SL_ROUTING_KEY_TYPE_BYTES_MAX 120u

/* The type itself, or "other". */
struct sl_span sl_routing_key_type(struct sl_span type);

#endif
