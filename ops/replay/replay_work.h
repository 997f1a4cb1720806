/*
 * replay_work - one process at work on a replay run: canary, ramp, the rest, and what became of it.
 *
 *   1. lock the run, so that nobody else works on it, and say in the audit that work begins
 *   2. publish the canary, wait for its outcome, ask the gate
 *   3. publish the rest, as fast as the pace allows
 *   4. wait a while for the outcome of the last
 * Before every portion it looks whether somebody has paused or aborted the run. Killed anywhere, the run is `running` without a process, and
 * ops_replay_work goes on with it: what was confirmed is noted, and what was confirmed but not noted is published once more, which the inbox absorbs.
 * Ctrl-C pauses the run.
 * Threads: one; owns the process's SIGINT and SIGTERM.
 */
#ifndef OPS_REPLAY_WORK_H
#define OPS_REPLAY_WORK_H

#include "ops/replay/replay_run.h"

struct ops_replay_job {
    struct ops_pg_session *session;
    const struct ops_address *address;
    struct ops_replay_run run; /* as loaded, or just made */
    int64_t wait_ms;           /* for the canary's outcome, and for that of the last letters */
    const char *actor;
    const char *reason;              /* may be NULL */
    bool is_canary_waived;           /* a person goes on whatever became of it */
    struct ops_replay_counts counts; /* filled */
};

bool ops_replay_work(struct ops_replay_job *job, struct sl_err *err) SL_MUST;
/* One row to stdout, and what to do next to stderr. */
bool ops_replay_tell(const struct ops_replay_job *job, enum ops_output output,
                     struct sl_err *err) SL_MUST;
/* 0 all replayed, 3 some failed again, 75 not all decided, 130 stopped before all were published. */
int ops_replay_exit_status(const struct ops_replay_job *job);

#endif
