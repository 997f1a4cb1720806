/*
 * dead_advice - what to do about a dead letter, by why it is one.
 *
 * Decides only.
 * Threads: constant data.
 */
#ifndef OPS_DEAD_ADVICE_H
#define OPS_DEAD_ADVICE_H

#include "shared/span.h"

/* One sentence; never NULL. */
const char *ops_dead_advice(struct sl_span reason, struct sl_span error_class,
                            struct sl_span error_code);

#endif
