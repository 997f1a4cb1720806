/*
 * tally - whether so many events of one batch fail that the fault is not theirs.
 *
 * Decides only. When more than CON_TALLY_SAME_PERCENT of a batch fail with one fingerprint, or more than half of it with item errors of any kind, that
 * is a deployment or a schema, not poison: nothing should be given up for it. Below CON_TALLY_EVENTS_MIN failures nothing is concluded.
 * One that can never pass is judged by its own kind alone, however many others may pass later.
 * Source: the same idea as a breaker on the error ratio; the numbers are ours.
 * Threads: one owner.
 */
#ifndef CONSUMER_TALLY_H
#define CONSUMER_TALLY_H

#include "consumer/fingerprint.h"

#define CON_TALLY_SAME_PERCENT 25u
#define CON_TALLY_ITEM_PERCENT 50u
#define CON_TALLY_EVENTS_MIN   8u
#define CON_TALLY_KINDS_MAX    16u /* fingerprints counted; further ones count as items only */

struct con_tally {
    size_t events; /* of the batch */
    size_t item_count;
    size_t kind_count;
    struct {
        char fingerprint[CON_FINGERPRINT_BYTES];
        size_t count;
    } kinds[CON_TALLY_KINDS_MAX];
};

void con_tally_init(struct con_tally *tally, size_t events);
enum con_tally_finding {
    CON_TALLY_FEW,   /* their own fault */
    CON_TALLY_ALIKE, /* too many that failed like this one */
    CON_TALLY_MANY,  /* too many item errors, of different kinds */
};
/* One more event failed. */
enum con_tally_finding con_tally_add(struct con_tally *tally, const char *fingerprint,
                                     bool is_item);

#endif
