/*
 * ratio - how many of the last tries failed, in percent.
 *
 * Decides only. Counts since the start are noted at even intervals; the ratio is over the newest CON_RATIO_WINDOW of them.
 * Threads: one owner.
 */
#ifndef CONSUMER_RATIO_H
#define CONSUMER_RATIO_H

#include <stddef.h>
#include <stdint.h>

#define CON_RATIO_WINDOW 60u

struct con_ratio {
    struct {
        int64_t tries;
        int64_t failed;
    } samples[CON_RATIO_WINDOW];
    size_t count; /* noted since the start */
};

/* Counts since the start of the process; never smaller than before. */
void con_ratio_note(struct con_ratio *ratio, int64_t tries, int64_t failed);
/* Rounded up, so that one failure is never 0; 0 when nothing was tried. */
int64_t con_ratio_percent(const struct con_ratio *ratio);

#endif
