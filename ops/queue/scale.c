#include "ops/queue/scale.h"

#include <inttypes.h>
#include <stdio.h>

#define MILLI       1000
#define BUSY_MS     1000 /* a transaction that long is not helped by more of its kind */
#define IDLE_FACTOR 1    /* deliveries in hand for each worker: below that some wait for one */

static enum ops_constraint find_bound(const struct ops_scale_figures *figures, int64_t room);
static int64_t find_needed(const struct ops_scale_figures *figures);
static int64_t find_room(const struct ops_scale_figures *figures);
static int64_t least(int64_t a, int64_t b);

struct ops_scale_advice ops_scale_advise(const struct ops_scale_figures *figures)
{
    struct ops_scale_advice advice = { .needed = find_needed(figures), .room = find_room(figures) };
    advice.bound = find_bound(figures, advice.room);
    advice.next = figures->workers;
    if (figures->backlog == OPS_UNKNOWN || figures->workers == OPS_UNKNOWN) {
        snprintf(advice.reason, sizeof advice.reason, "too little is known to say");
    } else if (figures->workers == 0) {
        snprintf(advice.reason, sizeof advice.reason,
                 "nobody consumes it: start the consumer first");
    } else if (figures->blocked > 0) {
        snprintf(
            advice.reason, sizeof advice.reason,
            "its workers wait for locks: more of them wait longer; end who holds the lock first");
    } else if (advice.needed == OPS_UNKNOWN && figures->backlog > 0) {
        snprintf(advice.reason, sizeof advice.reason,
                 "nothing was settled: find out why before there are more of them");
    } else if (advice.needed == OPS_UNKNOWN || advice.needed <= figures->workers) {
        snprintf(advice.reason, sizeof advice.reason, "as many as there are will do");
    } else if (advice.room <= figures->workers) {
        snprintf(advice.reason, sizeof advice.reason,
                 "the database has no room for one more: larger batches, or a larger budget");
    } else if (figures->busy_ms >= BUSY_MS) {
        snprintf(advice.reason, sizeof advice.reason,
                 "a transaction of %" PRId64
                 " ms says that the database is slow: more workers make it slower",
                 figures->busy_ms);
    } else if (advice.bound == OPS_BOUND_BROKER) {
        snprintf(
            advice.reason, sizeof advice.reason,
            "the workers have too little in hand: the broker or prefetch sets the pace, not they");
    } else {
        advice.next =
            least(least(advice.needed, advice.room), figures->workers + OPS_SCALE_STEP_MAX);
        snprintf(advice.reason, sizeof advice.reason,
                 "they have their hands full, and the database has room");
    }
    return advice;
}

const char *ops_constraint_name(enum ops_constraint constraint)
{
    static const char *const names[] = { [OPS_BOUND_UNKNOWN] = "unknown",
                                         [OPS_BOUND_BROKER] = "broker",
                                         [OPS_BOUND_WORKERS] = "workers",
                                         [OPS_BOUND_DATABASE] = "database" };
    return names[constraint];
}

static enum ops_constraint find_bound(const struct ops_scale_figures *figures, int64_t room)
{
    if (figures->blocked > 0 || figures->busy_ms >= BUSY_MS ||
        (room != OPS_UNKNOWN && room < figures->workers)) {
        return OPS_BOUND_DATABASE;
    }
    if (figures->waiting == OPS_UNKNOWN || figures->unacked == OPS_UNKNOWN ||
        figures->workers <= 0) {
        return OPS_BOUND_UNKNOWN;
    }
    bool is_idle = figures->waiting > 0 && figures->unacked < figures->workers * IDLE_FACTOR;
    return is_idle ? OPS_BOUND_BROKER : OPS_BOUND_WORKERS;
}

static int64_t find_needed(const struct ops_scale_figures *figures)
{
    if (figures->backlog == OPS_UNKNOWN || figures->in_milli == OPS_UNKNOWN ||
        figures->out_milli == OPS_UNKNOWN || figures->out_milli == 0 || figures->workers <= 0) {
        return OPS_UNKNOWN;
    }
    int64_t wanted_milli = figures->backlog * MILLI / figures->target_s + figures->in_milli;
    int64_t one_milli = figures->out_milli / figures->workers;
    return one_milli == 0 ? OPS_UNKNOWN : (wanted_milli + one_milli - 1) / one_milli;
}

static int64_t find_room(const struct ops_scale_figures *figures)
{
    if (figures->budget == OPS_UNKNOWN || figures->others == OPS_UNKNOWN) {
        return OPS_UNKNOWN;
    }
    int64_t left = figures->budget - figures->others - figures->headroom;
    return left <= 0 ? 0 : left / OPS_WORKER_SESSIONS;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
