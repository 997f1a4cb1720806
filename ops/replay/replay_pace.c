#include "ops/replay/replay_pace.h"

#include <inttypes.h>
#include <stdio.h>

#define DECIDED_MIN         20 /* fewer say nothing about a ratio */
#define SLOW_PERCENT        5
#define PAUSE_PERCENT       20
#define DEPTH_MIN           100 /* a shorter queue may grow */
#define WAITING_SECONDS_MAX 10
#define APPLY_TIMES_MAX     3
#define BACK_DIVISOR        10 /* a tenth of the wished rate with each look */

static int64_t ceiling(const struct ops_replay_pace *pace, int64_t now_ms);
static bool is_too_much(const struct ops_replay_pace *pace, const struct ops_replay_look *look,
                        char out_why[OPS_REPLAY_WHY_BYTES]);
static int64_t at_least_one(int64_t rate);

void ops_replay_pace_init(struct ops_replay_pace *pace, int64_t rate_max, int64_t now_ms)
{
    *pace = (struct ops_replay_pace){ .rate_max = rate_max, .began_ms = now_ms, .depth = -1 };
    pace->rate = ceiling(pace, now_ms);
}

enum ops_replay_step ops_replay_pace_step(struct ops_replay_pace *pace,
                                          const struct ops_replay_look *look,
                                          char out_why[OPS_REPLAY_WHY_BYTES])
{
    int64_t decided = look->applied + look->failed;
    out_why[0] = '\0';
    if (decided >= DECIDED_MIN && look->failed * 100 > decided * PAUSE_PERCENT) {
        snprintf(out_why, OPS_REPLAY_WHY_BYTES, "%" PRId64 " of the last %" PRId64 " failed again",
                 look->failed, decided);
        return OPS_PACE_PAUSE;
    }
    if (look->is_held) {
        pace->held_ms = pace->held_ms == 0 ? look->now_ms : pace->held_ms;
        snprintf(out_why, OPS_REPLAY_WHY_BYTES,
                 "a breaker is open for one of its types, or its subsystem is paused");
        return look->now_ms - pace->held_ms >= OPS_REPLAY_HOLD_MS_MAX ? OPS_PACE_PAUSE
                                                                      : OPS_PACE_HOLD;
    }
    pace->held_ms = 0;
    int64_t rate_max = ceiling(pace, look->now_ms);
    if (is_too_much(pace, look, out_why)) {
        pace->rate = at_least_one(pace->rate / 2);
    } else {
        pace->rate += at_least_one(pace->rate_max / BACK_DIVISOR);
    }
    pace->rate = pace->rate < rate_max ? pace->rate : rate_max;
    pace->depth = look->depth;
    pace->age_ms = look->age_ms;
    bool is_quickest = pace->apply_us_least == 0 || look->apply_us < pace->apply_us_least;
    if (look->apply_us > 0 && is_quickest) {
        pace->apply_us_least = look->apply_us;
    }
    return OPS_PACE_GO;
}

static int64_t ceiling(const struct ops_replay_pace *pace, int64_t now_ms)
{
    static const int64_t percents[] = { 5, 25 };
    int64_t step = (now_ms - pace->began_ms) / OPS_REPLAY_RAMP_MS;
    return step >= 2 ? pace->rate_max : at_least_one(pace->rate_max * percents[step] / 100);
}

static bool is_too_much(const struct ops_replay_pace *pace, const struct ops_replay_look *look,
                        char out_why[OPS_REPLAY_WHY_BYTES])
{
    int64_t decided = look->applied + look->failed;
    if (decided >= DECIDED_MIN && look->failed * 100 > decided * SLOW_PERCENT) {
        snprintf(out_why, OPS_REPLAY_WHY_BYTES, "%" PRId64 " of the last %" PRId64 " failed again",
                 look->failed, decided);
        return true;
    }
    if (look->depth > DEPTH_MIN && pace->depth >= 0 && look->depth > pace->depth) {
        snprintf(out_why, OPS_REPLAY_WHY_BYTES, "the live queue grows: %" PRId64 " wait",
                 look->depth);
        return true;
    }
    if (look->age_ms > OPS_REPLAY_AGE_MS_MIN && look->age_ms > pace->age_ms) {
        snprintf(out_why, OPS_REPLAY_WHY_BYTES,
                 "live events get older: the oldest in hand %" PRId64 " s", look->age_ms / 1000);
        return true;
    }
    if (look->apply_us > OPS_REPLAY_APPLY_US_MIN && pace->apply_us_least > 0 &&
        look->apply_us > pace->apply_us_least * APPLY_TIMES_MAX) {
        snprintf(out_why, OPS_REPLAY_WHY_BYTES,
                 "transactions take %" PRId64 " ms, %" PRId64 " ms at best", look->apply_us / 1000,
                 pace->apply_us_least / 1000);
        return true;
    }
    if (look->waiting > DEPTH_MIN + pace->rate * WAITING_SECONDS_MAX) {
        snprintf(out_why, OPS_REPLAY_WHY_BYTES, "%" PRId64 " are published and not decided",
                 look->waiting);
        return true;
    }
    return false;
}

static int64_t at_least_one(int64_t rate)
{
    return rate < 1 ? 1 : rate;
}
