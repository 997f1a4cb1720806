/*
 * type_tally - how many there are of each event type, for a person who is about to act on them, or has.
 *
 * Decides only. Types beyond OPS_TALLY_TYPES_MAX are counted together.
 * Threads: one owner.
 */
#ifndef OPS_TYPE_TALLY_H
#define OPS_TYPE_TALLY_H

#include <stdint.h>
#include <stdio.h>

#include "shared/span.h"

#define OPS_TALLY_TYPES_MAX  64u
#define OPS_TALLY_TYPE_BYTES 128u

struct ops_tally_item {
    char type[OPS_TALLY_TYPE_BYTES]; /* cut when it is longer */
    int64_t count;
};

struct ops_tally {
    struct ops_tally_item items[OPS_TALLY_TYPES_MAX];
    size_t used;
    int64_t others;
};

/* Zeroed storage is an empty tally. An absent type is "unknown". */
void ops_tally_add(struct ops_tally *tally, struct sl_span type);
/* A line a type, the most frequent first; control characters become '?'. */
void ops_tally_print(struct ops_tally *tally, FILE *out);

#endif
