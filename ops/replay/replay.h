/*
 * replay - the commands on replay runs: list, show, verify (reading), pause, resume, abort (acting).
 *
 * A run is made by `dead replay`. Pausing and aborting stop a run, wherever it is worked on, and act at once; resuming publishes, so it shows what is
 * left and acts with --yes.
 * Threads: one.
 */
#ifndef OPS_REPLAY_H
#define OPS_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/flags.h"

struct ops_replay_resume_wish {
    const char *run;
    const char *reason; /* may be NULL */
    int64_t wait_ms;
    bool past_canary;
    bool yes;
    enum ops_output output;
};

int ops_replay_list(int argc, char **argv);
int ops_replay_show(int argc, char **argv);
int ops_replay_pause(int argc, char **argv);
int ops_replay_resume(int argc, char **argv);
int ops_replay_abort(int argc, char **argv);
int ops_replay_verify(int argc, char **argv);

/* What `replay resume` does once its flags are read; command is named in an error. Returns an exit status. */
int ops_replay_resume_run(const char *command, const struct ops_replay_resume_wish *wish);

extern const char ops_replay_list_usage[];
extern const char ops_replay_show_usage[];
extern const char ops_replay_pause_usage[];
extern const char ops_replay_resume_usage[];
extern const char ops_replay_abort_usage[];
extern const char ops_replay_verify_usage[];

#endif
