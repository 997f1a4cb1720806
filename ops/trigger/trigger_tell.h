/*
 * trigger_tell - what became of the events that were sent.
 *
 * Refused means any answer but 200 and 202; failed means no answer at all.
 * Threads: one.
 */
#ifndef OPS_TRIGGER_TELL_H
#define OPS_TRIGGER_TELL_H

#include "ops/flags.h"
#include "ops/trigger/volley.h"

struct ops_trigger_report {
    const char *run;  /* part of every id of this run */
    const char *what; /* a type, signup or all */
    const char *url;
    uint64_t asked;
    bool expects_refusal; /* every event was spoiled on purpose */
    const struct ops_tally *tally;
};

void ops_trigger_tell(const struct ops_trigger_report *report, enum ops_output output);
/* 0: everything as expected; 3: some; 69: nothing answered. */
int ops_trigger_status(const struct ops_trigger_report *report);

/* One line on stderr that replaces itself; only for terminals. */
void ops_trigger_progress(const struct ops_tally *tally, uint64_t asked);
void ops_trigger_clear_progress(void);

#endif
