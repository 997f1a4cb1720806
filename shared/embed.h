/*
 * embed - files compiled into a program (see cmake/embed.cmake).
 *
 * Each embedded set is `embedded_<name>[]` with `embedded_<name>_count` rows, in the order of file names.
 * Threads: constant data.
 */
#ifndef SHARED_EMBED_H
#define SHARED_EMBED_H

#include "shared/span.h"

struct sl_embedded {
    const char *name; /* file name without its folder */
    const char *data; /* NUL-terminated behind end */
    const char *end;
};

static inline struct sl_span sl_embedded_span(const struct sl_embedded *file)
{
    return sl_span_make(file->data, (size_t)(file->end - file->data));
}

#endif
