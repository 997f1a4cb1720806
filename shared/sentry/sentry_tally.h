/*
 * sentry_tally - how often what happened since it was last reported, so that the reports add up to the truth.
 *
 * Decides only. Counts per (source, type, reason). A cut, once a minute, turns what was counted into one report for each; a report is accepted, refused
 * or unknown. What was refused goes back into the count and is part of a later report. What is unknown (no answer, or a 5xx) stays the same report with
 * the same id and count until it is accepted, so that a receiver which did take it recognises it; a refusal later on says nothing about the first try.
 * Law: at any time accepted + pending = added. The number of keys is bounded; past it everything new is counted as other/other/other.
 * Threads: one owner.
 */
#ifndef SHARED_SENTRY_TALLY_H
#define SHARED_SENTRY_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/scope.h"
#include "shared/span.h"

#define SL_SENTRY_KEYS_MAX   64u
#define SL_SENTRY_ID_BYTES   33u /* 32 hex digits and a NUL */
#define SL_SENTRY_PART_BYTES 128u

struct sl_sentry_report {
    char source[SL_SENTRY_PART_BYTES]; /* longer ones are cut */
    char type[SL_SENTRY_PART_BYTES];
    char reason[SL_SENTRY_PART_BYTES];
    uint64_t count;              /* > 0 while there is something to report */
    int64_t since_s;             /* wall clock: start of the minute that ended with the cut */
    char id[SL_SENTRY_ID_BYTES]; /* "" until the sender names it; kept while unknown */
};

struct sl_sentry_slot {
    struct sl_sentry_report report; /* count 0: none is due */
    uint64_t fresh;                 /* not in a report yet */
    bool is_used;
    bool is_running; /* the report is being sent */
    bool is_unsure;  /* a try of the report ended unknown */
};

struct sl_sentry_tally {
    struct sl_sentry_slot
        slots[SL_SENTRY_KEYS_MAX + 1]; /* the last one is for what finds no room */
    uint64_t added;
    uint64_t accepted;
};

enum sl_sentry_fate { SL_SENTRY_ACCEPTED, SL_SENTRY_REFUSED, SL_SENTRY_UNKNOWN };

/* Storage must be zeroed before the first. What is absent counts as "other". */
void sl_sentry_tally_add(struct sl_sentry_tally *tally, struct sl_span source, struct sl_span type,
                         struct sl_span reason);
/* A minute is over: what was counted becomes due, except where the report before it is still unknown. */
void sl_sentry_tally_cut(struct sl_sentry_tally *tally, int64_t since_s);
/* A report that is due and not being sent; it is now. NULL: none. Borrowed until it is settled. */
struct sl_sentry_slot *sl_sentry_tally_take(struct sl_sentry_tally *tally);
/* How sending it ended. */
void sl_sentry_tally_settle(struct sl_sentry_tally *tally, struct sl_sentry_slot *slot,
                            enum sl_sentry_fate fate);
/* Counted and not accepted yet. */
uint64_t sl_sentry_tally_pending(const struct sl_sentry_tally *tally);
/* What an answer's HTTP status means for the report; 0: there was none. */
enum sl_sentry_fate sl_sentry_fate_of(int status);

#endif
