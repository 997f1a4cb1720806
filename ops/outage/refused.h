/*
 * refused - what this machine's publisher has answered 503 or 429 to, by source and outcome.
 *
 * It counts since its start and keeps nothing durable of them (the senders have them still), so a window is known only as far as the publisher's life covers
 * it: what is not known is said, never 0.
 * Threads: one.
 */
#ifndef OPS_REFUSED_H
#define OPS_REFUSED_H

#include "ops/outage/audit_rows.h"

#define OPS_REFUSED_SAYS_BYTES 512u

struct ops_refused {
    char says[OPS_REFUSED_SAYS_BYTES]; /* one sentence, whatever was found */
};

/* Adds a row for each source and outcome that has some; one with events -1 when the publisher does not tell. */
void ops_refused_count(const char *state_dir, int64_t from_s, int64_t to_s,
                       struct ops_refused *out_refused, struct ops_audit_rows *rows);
/* The same from a page of metrics: decides only. */
void ops_refused_read(struct sl_span page, int64_t from_s, int64_t to_s,
                      struct ops_refused *out_refused, struct ops_audit_rows *rows);

#endif
