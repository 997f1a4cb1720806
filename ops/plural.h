/*
 * plural - the s behind a counted word. Decides only. Threads: no state.
 */
#ifndef OPS_PLURAL_H
#define OPS_PLURAL_H

#include <stdint.h>

static inline const char *ops_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

#endif
