/*
 * replay_pace - how many letters a second a replay run publishes now: live traffic comes first.
 *
 * Decides only: is given the clock and what was seen, about every second.
 * Law: a ramp of 5, 25 and 100 % of the wished rate, a step each OPS_REPLAY_RAMP_MS; halved while more than 5 % of what was decided lately failed, a
 * live queue grows, the oldest live event is older than five seconds and gets older, transactions take more than three times as long as the quickest
 * that was seen (and more than OPS_REPLAY_APPLY_US_MIN), or more waits for its outcome than ten seconds' worth; back by a tenth of the wished rate otherwise. Nothing is published while a
 * breaker of one of its types is open or its subsystem is paused. More than 20 % failed lately, or held for OPS_REPLAY_HOLD_MS_MAX: the run is to pause.
 * Threads: one owner.
 */
#ifndef OPS_REPLAY_PACE_H
#define OPS_REPLAY_PACE_H

#include "ops/replay/replay_gate.h"

#define OPS_REPLAY_RAMP_MS      3000
#define OPS_REPLAY_AGE_MS_MIN   5000
#define OPS_REPLAY_APPLY_US_MIN 50000 /* below that nobody is in anybody's way */
#define OPS_REPLAY_HOLD_MS_MAX  (10 * 60 * 1000)

/* What was seen. */
struct ops_replay_look {
    int64_t now_ms;   /* monotonic */
    int64_t applied;  /* decided lately */
    int64_t failed;   /* decided lately */
    int64_t waiting;  /* published, not decided */
    int64_t age_ms;   /* of the oldest live event in a consumer's hands; 0: none, or not known */
    int64_t apply_us; /* that a transaction takes lately; 0: not known */
    int64_t depth;    /* live events in the work queues of the same subsystems; -1: not known */
    bool is_held;     /* a breaker is open, or the subsystem is paused */
};

enum ops_replay_step { OPS_PACE_GO, OPS_PACE_HOLD, OPS_PACE_PAUSE };

struct ops_replay_pace {
    int64_t rate_max; /* the wished rate, letters a second, > 0 */
    int64_t rate;     /* now; at least 1 with OPS_PACE_GO */
    int64_t began_ms;
    int64_t held_ms;        /* since when it holds; 0: it does not */
    int64_t depth;          /* at the last look; -1: not known */
    int64_t age_ms;         /* likewise; 0: not known */
    int64_t apply_us_least; /* the quickest that was seen; 0: none */
};

void ops_replay_pace_init(struct ops_replay_pace *pace, int64_t rate_max, int64_t now_ms);
/* out_why: what holds it back, "" for nothing. */
enum ops_replay_step ops_replay_pace_step(struct ops_replay_pace *pace,
                                          const struct ops_replay_look *look,
                                          char out_why[OPS_REPLAY_WHY_BYTES]);

#endif
