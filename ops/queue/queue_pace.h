/*
 * queue_pace - how fast a backlog shrinks, and when it will be gone, as a range.
 *
 * Decides only. A window of samples; the pace between each two neighbours is one observation; the slow and the fast fifth of them bound the time that is
 * left. With fewer than OPS_PACE_LEAST observations nothing is said.
 * Threads: one owner.
 */
#ifndef OPS_QUEUE_PACE_H
#define OPS_QUEUE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPS_PACE_WINDOW 60u
#define OPS_PACE_LEAST  3u

struct ops_pace {
    struct {
        int64_t at_ms;
        int64_t backlog;
    } samples[OPS_PACE_WINDOW]; /* the oldest is overwritten */
    size_t count;               /* noted since the start */
};

enum ops_pace_verdict {
    OPS_PACE_UNKNOWN,      /* too early to say */
    OPS_PACE_DRAINING,     /* within the range */
    OPS_PACE_NOT_DRAINING, /* as much comes in as goes out, or more */
};
struct ops_pace_outlook {
    enum ops_pace_verdict verdict;
    int64_t soonest_s;
    int64_t latest_s; /* -1: no end in sight at the slow pace */
};

void ops_pace_note(struct ops_pace *pace, int64_t at_ms, int64_t backlog);
struct ops_pace_outlook ops_pace_look(const struct ops_pace *pace);

#endif
