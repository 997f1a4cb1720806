#include "ops/queue/queue_pace.h"

#include <stdlib.h>

#define MILLI 1000

static size_t paces(const struct ops_pace *pace, int64_t *out_milli);
static int ascending(const void *a, const void *b);
static int64_t left_s(int64_t backlog, int64_t milli);

void ops_pace_note(struct ops_pace *pace, int64_t at_ms, int64_t backlog)
{
    size_t place = pace->count % OPS_PACE_WINDOW;
    pace->samples[place].at_ms = at_ms;
    pace->samples[place].backlog = backlog;
    pace->count++;
}

struct ops_pace_outlook ops_pace_look(const struct ops_pace *pace)
{
    int64_t milli[OPS_PACE_WINDOW];
    size_t count = paces(pace, milli);
    if (count < OPS_PACE_LEAST) {
        return (struct ops_pace_outlook){ .verdict = OPS_PACE_UNKNOWN };
    }
    int64_t backlog = pace->samples[(pace->count - 1) % OPS_PACE_WINDOW].backlog;
    qsort(milli, count, sizeof milli[0], ascending);
    int64_t slow = milli[count / 5];
    int64_t fast = milli[count - 1 - count / 5];
    if (milli[count / 2] <= 0 && backlog > 0) {
        return (struct ops_pace_outlook){ .verdict = OPS_PACE_NOT_DRAINING };
    }
    return (struct ops_pace_outlook){ .verdict = OPS_PACE_DRAINING,
                                      .soonest_s = left_s(backlog, fast),
                                      .latest_s = left_s(backlog, slow) };
}

/* Messages a second by which the backlog shrank between neighbours, in thousandths. */
static size_t paces(const struct ops_pace *pace, int64_t *out_milli)
{
    size_t held = pace->count < OPS_PACE_WINDOW ? pace->count : OPS_PACE_WINDOW;
    size_t first = pace->count - held;
    size_t count = 0;
    for (size_t i = first + 1; i < pace->count; i++) {
        size_t now = i % OPS_PACE_WINDOW;
        size_t before = (i - 1) % OPS_PACE_WINDOW;
        int64_t took_ms = pace->samples[now].at_ms - pace->samples[before].at_ms;
        if (took_ms > 0) {
            out_milli[count++] = (pace->samples[before].backlog - pace->samples[now].backlog) *
                                 MILLI * MILLI / took_ms;
        }
    }
    return count;
}

static int ascending(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static int64_t left_s(int64_t backlog, int64_t milli)
{
    return milli <= 0 ? -1 : (backlog * MILLI + milli - 1) / milli;
}
