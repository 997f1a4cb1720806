/*
 * gameday_drive - holds one game day: sends the load, begins the fault, and ends it whatever happens.
 *
 * Acts as ops/gameday/gameday_step.h says. Looks at both programs' /health meanwhile. The end command runs once the begin command was started: after the
 * time, after a signal (SIGINT, SIGTERM, SIGHUP), and when anything fails. Only SIGKILL of this process can leave the fault standing.
 * Threads: one loop.
 */
#ifndef OPS_GAMEDAY_DRIVE_H
#define OPS_GAMEDAY_DRIVE_H

#include "ops/gameday/gameday_commands.h"
#include "ops/gameday/gameday_wave.h"

#define OPS_GAMEDAY_NEVER (-1)

struct ops_gameday_drive_opts {
    const struct ops_gameday_scenario *scenario;
    struct ops_gameday_command command;
    const struct ops_address *address;
    uint64_t rate_per_s;
    int64_t hold_ms;
    int64_t calm_ms; /* longest wait until both programs are well */
};

struct ops_gameday_course {
    struct ops_gameday_wave steady;
    struct ops_gameday_wave storm; /* zeroed when the scenario has none */
    int64_t started_us;            /* wall clock */
    int64_t begun_us;              /* 0: the fault was never begun */
    int64_t ended_us;              /* the end command was done; 0: it never was */
    int64_t degraded_ms;           /* from the fault's begin to the first sign of it; or NEVER */
    int64_t normal_ms;             /* from the fault's end until all was well; or NEVER */
    bool sees_consumer;            /* its health answers here */
    bool is_interrupted;
    struct sl_err
        trouble; /* a command that failed, an event that could not be made; SL_E_NONE: none */
};

/*
 * False when nothing was begun: nobody answers, or all was not well before. Otherwise the course tells what happened, also after trouble. Zeroed storage;
 * release with ops_gameday_course_done.
 */
bool ops_gameday_drive(const struct ops_gameday_drive_opts *opts, struct ops_gameday_course *course,
                       struct sl_err *err) SL_MUST;
void ops_gameday_course_done(struct ops_gameday_course *course);

/* How many a second a storm of this kind sends beside the steady rate. */
uint64_t ops_gameday_storm_rate(enum ops_gameday_storm storm, uint64_t rate_per_s);

#endif
