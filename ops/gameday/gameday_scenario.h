/*
 * gameday_scenario - what can be rehearsed, as data (ops/gameday/gameday_scenario.def).
 *
 * Decides only. Threads: constant data.
 */
#ifndef OPS_GAMEDAY_SCENARIO_H
#define OPS_GAMEDAY_SCENARIO_H

#include "shared/err.h"

enum ops_gameday_id {
#define GAMEDAY(id, name, needs, repeats, storm, what, expect, page) OPS_GAMEDAY_##id,
#include "ops/gameday/gameday_scenario.def"
#undef GAMEDAY
    OPS_GAMEDAY_COUNT
};

enum ops_gameday_storm {
    OPS_GAMEDAY_STORM_NONE,
    OPS_GAMEDAY_STORM_PRODUCER,
    OPS_GAMEDAY_STORM_POISON,
    OPS_GAMEDAY_STORM_RETRY,
};

struct ops_gameday_scenario {
    enum ops_gameday_id id;
    const char *name;
    bool needs_commands; /* servers are touched */
    bool repeats_begin;  /* the begin command runs again and again while the fault holds */
    enum ops_gameday_storm storm;
    const char *what;   /* a clause, as in "RabbitMQ is stopped" */
    const char *expect; /* what a well system does */
    const char *page;   /* below runbooks/ */
};

/* NULL behind the last. */
const struct ops_gameday_scenario *ops_gameday_scenario_at(size_t i);
/* NULL with SL_E_USAGE and the nearest name. */
const struct ops_gameday_scenario *ops_gameday_scenario_find(const char *name, struct sl_err *err);

#endif
