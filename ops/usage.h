/*
 * usage - a command's usage text, item by item: the flags and words that its help lists, for completion and manual.
 *
 * Decides only. What an item looks like: two or four spaces, the item, two spaces or more, its meaning:
 *
 *       --count N           a flag; "-o table|json" a letter with what it takes
 *       stop [NAME]         a word to type; [publisher|consumer] words to choose from
 *       [FILE]              a file
 *
 * Lines that begin otherwise continue a meaning or are remarks.
 * Threads: no state.
 */
#ifndef OPS_USAGE_H
#define OPS_USAGE_H

#include "shared/span.h"

enum ops_usage_kind {
    OPS_USAGE_FLAG,
    OPS_USAGE_WORD,  /* text: one word, or several separated by '|' */
    OPS_USAGE_FILE,  /* a file is meant */
    OPS_USAGE_OTHER, /* something else that the reader makes up */
};

struct ops_usage_item {
    enum ops_usage_kind kind;
    struct sl_span text;  /* "--count", "-o", "stop", "publisher|consumer" */
    struct sl_span value; /* a flag's: "N", "table|json"; empty: it takes none */
};

/* The next item of the text that is left; false when there is none. */
bool ops_usage_next(struct sl_span *rest, struct ops_usage_item *out_item);

/* The value is one of words that can be listed, such as table|json. */
bool ops_usage_is_choice(struct sl_span value);

#endif
