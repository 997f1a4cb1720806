#include "ops/gameday/gameday_step.h"

#define STEADY OPS_GAMEDAY_STEADY
#define BEGIN  OPS_GAMEDAY_BEGIN
#define HOLD   OPS_GAMEDAY_HOLD
#define END    OPS_GAMEDAY_END
#define CALM   OPS_GAMEDAY_CALM
#define OVER   OPS_GAMEDAY_OVER

/* A stop while a command runs waits for it: killed half way, it would leave a fault that nobody knows. */
static const enum ops_gameday_phase next[OPS_GAMEDAY_PHASES][OPS_GAMEDAY_EVENTS] = {
    /*            DUE     DONE    FAILED  STOP    WELL */
    [STEADY] = { BEGIN, STEADY, STEADY, OVER, STEADY },
    [BEGIN] = { END, HOLD, END, BEGIN, BEGIN },
    [HOLD] = { END, HOLD, END, END, HOLD },
    [END] = { CALM, CALM, CALM, END, END },
    [CALM] = { OVER, CALM, CALM, OVER, OVER },
    [OVER] = { OVER, OVER, OVER, OVER, OVER },
};

static const char *const words[OPS_GAMEDAY_PHASES] = {
    [STEADY] = "steady load", [BEGIN] = "the fault begins", [HOLD] = "the fault holds",
    [END] = "the fault ends", [CALM] = "until all is well", [OVER] = "the load ends",
};

enum ops_gameday_phase ops_gameday_step(enum ops_gameday_phase phase, enum ops_gameday_event event)
{
    return next[phase][event];
}

const char *ops_gameday_phase_word(enum ops_gameday_phase phase)
{
    return words[phase];
}
