/*
 * publisher_page - what the publisher of this machine counts, over its control socket: its metrics as one text, and what an outcome was answered with.
 *
 * Works with broker and database both down. A publisher from before that command refuses it (SL_E_USAGE).
 * Threads: one.
 */
#ifndef OPS_PUBLISHER_PAGE_H
#define OPS_PUBLISHER_PAGE_H

#include "shared/buf.h"

#define OPS_RECEIVED_METRIC "sluice_events_received_total" /* {source, outcome} */
#define OPS_STARTED_METRIC  "process_start_time_seconds"

/* Appends the text; ops/exposition.h reads it. state_dir: the flag, may be NULL. */
bool ops_publisher_page(const char *state_dir, int64_t timeout_ms, struct sl_buf *out_page,
                        struct sl_err *err) SL_MUST;

enum ops_answered {
    OPS_ANSWERED_200, /* the broker has it */
    OPS_ANSWERED_202, /* kept in the journal, or dropped as the policy says */
    OPS_ANSWERED_503, /* or 429: the sender comes again */
    OPS_ANSWERED_4XX, /* not authentic, or no request we understand */
};
/* Source: publisher/answer.c; what it does not know is the last. */
enum ops_answered ops_answered(struct sl_span outcome);

#endif
