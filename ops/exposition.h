/*
 * exposition - reads what a program's /metrics says (Prometheus text format 0.0.4), sample by sample.
 *
 * Decides only. Comments and lines that are no samples are skipped; a fraction is cut, a value above int64 is its greatest.
 * Threads: no state.
 */
#ifndef OPS_EXPOSITION_H
#define OPS_EXPOSITION_H

#include <stdint.h>

#include "shared/scope.h"
#include "shared/span.h"

struct ops_sample {
    struct sl_span name;
    struct sl_span labels; /* between the braces; empty: none */
    int64_t value;
};

/* The next sample of the text that is left; false when there is none. */
bool ops_sample_next(struct sl_span *rest, struct ops_sample *out_sample) SL_MUST;
/* The value of a label as it stands there (escapes are not undone); absent when it has none of that name. */
struct sl_span ops_sample_label(const struct ops_sample *sample, const char *name);

#endif
