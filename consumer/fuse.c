#include "consumer/fuse.h"

#include <string.h>

#include "shared/scope.h"

#define LENGTHEN_DIVISOR 4    /* at most a quarter is added */
#define FORCED_LOOK_MS   1000 /* forced open: ask again, the force may have ended */

/* What concerns everybody who uses the database. Grave: one is enough, since trying again soon cannot help and may do harm. */
static const struct cause {
    const char *prefix;
    bool is_grave;
} causes[] = {
    { "08", false },    /* connection */
    { "25006", true },  /* read-only: a standby, or a server that became one */
    { "40003", false }, /* whether it was done is not known */
    { "53", false },    /* memory, connections */
    { "53100", true },  /* disk full */
    { "57P", false },   /* shutting down, starting up */
    { "57P02", true },  /* crashed */
    { "58", false },    /* I/O, files */
    { "XX001", true },  /* data corrupted */
};

static enum con_breaker_change close_it(struct con_fuse *fuse);
static bool is_grave(const char *sqlstate);
static const struct cause *find(const char *sqlstate);
static void open_for(struct con_fuse *fuse, int64_t wait_ms, int64_t now_ms, uint64_t random);

void con_fuse_init(struct con_fuse *fuse, const struct con_fuse_policy *policy)
{
    SL_ASSERT(policy->consecutive > 0);
    SL_ASSERT(policy->probe_ms > 0);
    SL_ASSERT(policy->probe_ms_max >= policy->probe_ms);
    *fuse = (struct con_fuse){ .policy = *policy };
}

enum con_admission con_fuse_admit(struct con_fuse *fuse, const void *who, int64_t now_ms)
{
    if (fuse->state == CON_BREAKER_CLOSED) {
        return CON_ADMIT;
    }
    if (fuse->force == CON_FORCE_OPEN) {
        return CON_ADMIT_NOT;
    }
    if (fuse->state == CON_BREAKER_HALF_OPEN && fuse->prober == who) {
        return CON_ADMIT_PROBE;
    }
    if (now_ms < fuse->probe_at_ms) {
        return CON_ADMIT_NOT;
    }
    fuse->state = CON_BREAKER_HALF_OPEN;
    fuse->prober = who;
    fuse->probe_at_ms = now_ms + fuse->policy.probe_ms;
    return CON_ADMIT_PROBE;
}

int64_t con_fuse_wait_ms(const struct con_fuse *fuse, int64_t now_ms)
{
    if (fuse->state == CON_BREAKER_CLOSED) {
        return 0;
    }
    if (fuse->force == CON_FORCE_OPEN) {
        return FORCED_LOOK_MS;
    }
    return fuse->probe_at_ms > now_ms ? fuse->probe_at_ms - now_ms : 1;
}

enum con_breaker_change con_fuse_passed(struct con_fuse *fuse)
{
    fuse->failed_in_a_row = 0;
    if (fuse->state != CON_BREAKER_HALF_OPEN) {
        return CON_BREAKER_SAME; /* open: begun before, the probe will tell */
    }
    return close_it(fuse);
}

static enum con_breaker_change close_it(struct con_fuse *fuse)
{
    fuse->state = CON_BREAKER_CLOSED;
    fuse->prober = NULL;
    return CON_BREAKER_CLOSES;
}

enum con_breaker_change con_fuse_failed(struct con_fuse *fuse, const char *sqlstate, int64_t now_ms,
                                        uint64_t random)
{
    if (fuse->force != CON_FORCE_NONE) {
        return CON_BREAKER_SAME;
    }
    switch (fuse->state) {
    case CON_BREAKER_CLOSED:
        fuse->failed_in_a_row++;
        if (fuse->failed_in_a_row < fuse->policy.consecutive && !is_grave(sqlstate)) {
            return CON_BREAKER_SAME;
        }
        fuse->since_ms = now_ms;
        open_for(fuse, fuse->policy.probe_ms, now_ms, random);
        return CON_BREAKER_OPENED;
    case CON_BREAKER_OPEN: /* begun before it opened */
        return CON_BREAKER_SAME;
    case CON_BREAKER_HALF_OPEN:
        open_for(fuse, fuse->wait_ms * 2, now_ms, random);
        return CON_BREAKER_SAME;
    }
    return CON_BREAKER_SAME;
}

static bool is_grave(const char *sqlstate)
{
    const struct cause *cause = find(sqlstate);
    return cause != NULL && cause->is_grave;
}

/* The longest prefix that fits; NULL: none does. */
static const struct cause *find(const char *sqlstate)
{
    const struct cause *best = NULL;
    for (size_t i = 0; i < SL_COUNT(causes); i++) {
        size_t bytes = strlen(causes[i].prefix);
        if (strncmp(sqlstate, causes[i].prefix, bytes) == 0 &&
            (best == NULL || bytes > strlen(best->prefix))) {
            best = &causes[i];
        }
    }
    return best;
}

bool con_fuse_counts(const char *sqlstate)
{
    return sqlstate[0] == '\0' || find(sqlstate) != NULL;
}

static void open_for(struct con_fuse *fuse, int64_t wait_ms, int64_t now_ms, uint64_t random)
{
    fuse->wait_ms = wait_ms < fuse->policy.probe_ms_max ? wait_ms : fuse->policy.probe_ms_max;
    uint64_t choices = (uint64_t)(fuse->wait_ms / LENGTHEN_DIVISOR) + 1;
    fuse->probe_at_ms = now_ms + fuse->wait_ms + (int64_t)(random % choices);
    fuse->state = CON_BREAKER_OPEN;
    fuse->prober = NULL;
}

enum con_breaker_change con_fuse_wrote(struct con_fuse *fuse, int64_t now_ms)
{
    bool is_tried = fuse->state == CON_BREAKER_HALF_OPEN;
    int64_t unused_ms = is_tried ? fuse->policy.probe_ms_max : fuse->policy.probe_ms;
    if (fuse->state == CON_BREAKER_CLOSED || fuse->force == CON_FORCE_OPEN ||
        now_ms < fuse->probe_at_ms + unused_ms) {
        return CON_BREAKER_SAME;
    }
    fuse->failed_in_a_row = 0;
    return close_it(fuse);
}

enum con_breaker_change con_fuse_force(struct con_fuse *fuse, enum con_force force, int64_t now_ms)
{
    bool was_open = fuse->force == CON_FORCE_OPEN;
    if (fuse->force == force) {
        return CON_BREAKER_SAME;
    }
    fuse->force = force;
    switch (force) {
    case CON_FORCE_OPEN:
        fuse->since_ms = now_ms;
        fuse->state = CON_BREAKER_OPEN;
        fuse->prober = NULL;
        return CON_BREAKER_OPENED;
    case CON_FORCE_CLOSED:
        fuse->failed_in_a_row = 0;
        return fuse->state == CON_BREAKER_CLOSED ? CON_BREAKER_SAME : close_it(fuse);
    case CON_FORCE_NONE:
        if (was_open) {
            fuse->wait_ms = fuse->policy.probe_ms;
            fuse->probe_at_ms = now_ms;
        }
        return CON_BREAKER_SAME;
    }
    return CON_BREAKER_SAME;
}

void con_fuse_reached(struct con_fuse *fuse, int64_t now_ms)
{
    if (fuse->state == CON_BREAKER_OPEN && fuse->probe_at_ms > now_ms) {
        fuse->probe_at_ms = now_ms;
    }
}
