/*
 * json_shape - the same JSON with other white space.
 *
 * Decides only. Works on the text: strings, numbers and the order of keys stay byte for byte as they are, so the result is what a program
 * that parsed and re-wrote the text without touching its values would have produced. Does not check that the text is JSON.
 * Threads: no state.
 */
#ifndef OPS_JSON_SHAPE_H
#define OPS_JSON_SHAPE_H

#include "shared/buf.h"

enum ops_json_shape {
    OPS_JSON_COMPACT,   /* {"a":1,"b":[]} */
    OPS_JSON_SPACED,    /* {"a": 1, "b": []} */
    OPS_JSON_TWO,       /* indented by two spaces */
    OPS_JSON_FOUR,      /* indented by four spaces */
    OPS_JSON_TAB,       /* indented by tabs */
    OPS_JSON_TWO_LOOSE, /* by two spaces, with line ends inside empty containers */
};

/* Appends to out; false at its ceiling. */
bool ops_json_reshape(struct sl_span text, enum ops_json_shape shape, struct sl_buf *out);

#endif
