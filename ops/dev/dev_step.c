#include "ops/dev/dev_step.h"

#include "shared/scope.h"

#define PAUSE_FIRST_MS 1000
#define PAUSE_MAX_MS   10000

/* Rows are states, columns events: WANTED, HELD, SERVES, EXITED, DUE. */
/* clang-format off */
static const struct dev_rule rules[DEV_STATES][DEV_EVENTS] = {
    [DEV_STOPPED] = {
        [DEV_EV_WANTED] = { DEV_STARTING, DEV_DO_SPAWN },
        [DEV_EV_HELD]   = { DEV_STOPPED,  DEV_DO_NOTHING },
        [DEV_EV_SERVES] = { DEV_STOPPED,  DEV_DO_NOTHING },
        [DEV_EV_EXITED] = { DEV_STOPPED,  DEV_DO_NOTHING },
        [DEV_EV_DUE]    = { DEV_STOPPED,  DEV_DO_NOTHING },
    },
    [DEV_STARTING] = {
        [DEV_EV_WANTED] = { DEV_STARTING, DEV_DO_NOTHING },
        [DEV_EV_HELD]   = { DEV_STOPPING, DEV_DO_STOP },
        [DEV_EV_SERVES] = { DEV_READY,    DEV_DO_SERVE },
        [DEV_EV_EXITED] = { DEV_PAUSED,   DEV_DO_PAUSE },
        [DEV_EV_DUE]    = { DEV_STARTING, DEV_DO_NOTHING },
    },
    [DEV_READY] = {
        [DEV_EV_WANTED] = { DEV_READY,    DEV_DO_NOTHING },
        [DEV_EV_HELD]   = { DEV_STOPPING, DEV_DO_STOP },
        [DEV_EV_SERVES] = { DEV_READY,    DEV_DO_NOTHING },
        [DEV_EV_EXITED] = { DEV_PAUSED,   DEV_DO_PAUSE },
        [DEV_EV_DUE]    = { DEV_READY,    DEV_DO_NOTHING },
    },
    [DEV_STOPPING] = {
        [DEV_EV_WANTED] = { DEV_STOPPING, DEV_DO_NOTHING },
        [DEV_EV_HELD]   = { DEV_STOPPING, DEV_DO_NOTHING },
        [DEV_EV_SERVES] = { DEV_STOPPING, DEV_DO_NOTHING },
        [DEV_EV_EXITED] = { DEV_STOPPED,  DEV_DO_REST },
        [DEV_EV_DUE]    = { DEV_STOPPING, DEV_DO_KILL },
    },
    [DEV_PAUSED] = {
        [DEV_EV_WANTED] = { DEV_PAUSED,   DEV_DO_NOTHING },
        [DEV_EV_HELD]   = { DEV_STOPPED,  DEV_DO_REST },
        [DEV_EV_SERVES] = { DEV_PAUSED,   DEV_DO_NOTHING },
        [DEV_EV_EXITED] = { DEV_PAUSED,   DEV_DO_NOTHING },
        [DEV_EV_DUE]    = { DEV_STARTING, DEV_DO_SPAWN },
    },
};
/* clang-format on */

struct dev_rule dev_step(enum dev_state state, enum dev_event event)
{
    SL_ASSERT(state < DEV_STATES);
    SL_ASSERT(event < DEV_EVENTS);
    return rules[state][event];
}

const char *dev_state_word(enum dev_state state)
{
    switch (state) {
    case DEV_STOPPED:
        return "stopped";
    case DEV_STARTING:
        return "starting";
    case DEV_READY:
        return "ready";
    case DEV_STOPPING:
        return "stopping";
    case DEV_PAUSED:
        return "restarting";
    case DEV_STATES:
        break;
    }
    return "unknown";
}

int64_t dev_restart_pause_ms(unsigned deaths)
{
    int64_t pause_ms = PAUSE_FIRST_MS;
    for (unsigned i = 1; i < deaths && pause_ms < PAUSE_MAX_MS; i++) {
        pause_ms *= 2;
    }
    return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}
