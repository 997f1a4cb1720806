#include "ops/queue/drain_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BAR_WIDTH    24
#define WHY_BYTES    224u
#define NUMBER_BYTES 24u
#define MILLI        1000
#define RATE(milli)  (milli) / MILLI, (milli) % MILLI / 100

static void say_why(const struct ops_drain_view *view, char out[WHY_BYTES]);
static void say_not_draining(const struct ops_drain_view *view, char out[WHY_BYTES]);
static void say_when(const struct ops_drain_view *view, char out[WHY_BYTES]);
static void put(char out[NUMBER_BYTES], int64_t number);

void ops_drain_line(const struct ops_drain_view *view, char out_line[OPS_DRAIN_LINE_BYTES])
{
    const struct ops_queue_facts *facts = view->facts;
    bool is_known = facts->waiting != OPS_UNKNOWN && facts->unacked != OPS_UNKNOWN &&
                    facts->delayed != OPS_UNKNOWN;
    char bar[BAR_WIDTH + 16] = "";
    char why[WHY_BYTES] = "";
    char replays[NUMBER_BYTES + 16] = "";
    char waiting[NUMBER_BYTES], unacked[NUMBER_BYTES], delayed[NUMBER_BYTES];
    if (view->has_bar && is_known && view->most > 0) {
        int64_t left = facts->waiting + ops_queue_replays(facts) + facts->unacked + facts->delayed;
        int done = (int)((view->most - left) * BAR_WIDTH / view->most);
        done = done < 0 ? 0 : done;
        snprintf(bar, sizeof bar, "[%.*s%.*s] %3d %%  ", done, "########################",
                 BAR_WIDTH - done, "------------------------",
                 (int)((view->most - left) * 100 / view->most));
    }
    put(waiting, facts->waiting);
    put(unacked, facts->unacked);
    put(delayed, facts->delayed);
    if (ops_queue_replays(facts) > 0) {
        snprintf(replays, sizeof replays, ", %" PRId64 " to replay", facts->replays);
    }
    say_why(view, why);
    snprintf(out_line, OPS_DRAIN_LINE_BYTES, "%s: %s%s waiting, %s in hand, %s delayed%s; %s",
             facts->subsystem->name, bar, waiting, unacked, delayed, replays, why);
}

static void say_why(const struct ops_drain_view *view, char out[WHY_BYTES])
{
    const struct ops_queue_facts *facts = view->facts;
    if (view->broker_err->code != SL_E_NONE) {
        snprintf(out, WHY_BYTES, "the broker does not tell: %.100s", view->broker_err->text);
    } else if (strstr(facts->note, "paused") != NULL) {
        snprintf(out, WHY_BYTES, "not draining: paused; sluice queue resume %.40s",
                 facts->subsystem->name);
    } else if (facts->consumers == 0) {
        snprintf(out, WHY_BYTES, "not draining: nobody consumes it");
    } else if (ops_queue_is_stuck(facts, view->stuck_s)) {
        snprintf(out, WHY_BYTES, "stuck: nothing was settled for %" PRId64 " s%s%.120s%s",
                 facts->idle_s, facts->wedged[0] == '\0' ? "" : "; ", facts->wedged,
                 facts->wedged[0] == '\0' ? "" : " holds deliveries: restart that one");
    } else if (facts->waiting + ops_queue_replays(facts) == 0 && facts->unacked == 0 &&
               facts->first > 0 && facts->first == facts->delayed) {
        snprintf(out, WHY_BYTES, "all that is left waits for its first try, at most %" PRId64 " s",
                 facts->first_wait_s);
    } else if (view->outlook.verdict == OPS_PACE_NOT_DRAINING) {
        say_not_draining(view, out);
    } else if (view->outlook.verdict == OPS_PACE_DRAINING && view->outlook.soonest_s >= 0) {
        say_when(view, out);
    } else {
        snprintf(out, WHY_BYTES, "looking");
    }
}

/* More workers are named only where they help. */
static void say_not_draining(const struct ops_drain_view *view, char out[WHY_BYTES])
{
    const struct ops_scale_advice *advice = &view->advice;
    int64_t workers = view->facts->workers;
    int used = snprintf(out, WHY_BYTES, "not draining");
    if (view->flow.in_milli != OPS_UNKNOWN) {
        used += snprintf(out + used, WHY_BYTES - (size_t)used,
                         ": %" PRId64 ".%" PRId64 "/s in, %" PRId64 ".%" PRId64 "/s out",
                         RATE(view->flow.in_milli), RATE(view->flow.out_milli));
    }
    if (advice->bound == OPS_BOUND_WORKERS && advice->needed != OPS_UNKNOWN &&
        advice->needed > workers) {
        snprintf(out + used, WHY_BYTES - (size_t)used, "; needs %" PRId64 " more workers",
                 advice->needed - workers);
    } else if (advice->bound != OPS_BOUND_UNKNOWN) {
        snprintf(out + used, WHY_BYTES - (size_t)used,
                 "; bound by the %s; sluice queue diagnose %.40s",
                 ops_constraint_name(advice->bound), view->facts->subsystem->name);
    }
}

static void say_when(const struct ops_drain_view *view, char out[WHY_BYTES])
{
    const struct ops_pace_outlook *outlook = &view->outlook;
    char bound[48] = "";
    if (view->advice.bound != OPS_BOUND_UNKNOWN) {
        snprintf(bound, sizeof bound, "; bound by the %s", ops_constraint_name(view->advice.bound));
    }
    if (outlook->latest_s >= 0) {
        snprintf(out, WHY_BYTES, "empty in %" PRId64 " to %" PRId64 " s%s", outlook->soonest_s,
                 outlook->latest_s, bound);
    } else {
        snprintf(out, WHY_BYTES, "empty in %" PRId64 " s at best%s", outlook->soonest_s, bound);
    }
}

static void put(char out[NUMBER_BYTES], int64_t number)
{
    if (number == OPS_UNKNOWN) {
        snprintf(out, NUMBER_BYTES, "unknown");
    } else {
        snprintf(out, NUMBER_BYTES, "%" PRId64, number);
    }
}
