#include "ops/gameday/gameday_scenario.h"

#include <string.h>

#include "shared/nearest.h"

static const struct ops_gameday_scenario scenarios[] = {
#define GAMEDAY(id, name, needs, repeats, storm, what, expect, page)                               \
    { OPS_GAMEDAY_##id, name, needs, repeats, OPS_GAMEDAY_STORM_##storm, what, expect, page },
#include "ops/gameday/gameday_scenario.def"
#undef GAMEDAY
};

static const char *name_at(const void *unused, size_t i);

const struct ops_gameday_scenario *ops_gameday_scenario_at(size_t i)
{
    return i < SL_COUNT(scenarios) ? &scenarios[i] : NULL;
}

const struct ops_gameday_scenario *ops_gameday_scenario_find(const char *name, struct sl_err *err)
{
    for (size_t i = 0; i < SL_COUNT(scenarios); i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return &scenarios[i];
        }
    }
    const char *nearest = sl_nearest_of(sl_span_of(name), name_at, NULL);
    sl_fail(err, SL_E_USAGE, "there is no scenario '%.60s'%s%s%s", name,
            nearest == NULL ? "; sluice gameday list shows what there is" : "; did you mean ",
            nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
    return NULL;
}

static const char *name_at(const void *unused, size_t i)
{
    (void)unused;
    return i < SL_COUNT(scenarios) ? scenarios[i].name : NULL;
}
