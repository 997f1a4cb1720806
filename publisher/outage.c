#include "publisher/outage.h"

#include "shared/scope.h"

static const struct pub_outage_rule rules[] = {
    /* from                on                       to                   do                     why */
    { PUB_OUTAGE_WAITING, PUB_OUTAGE_EV_UP, PUB_OUTAGE_UP, PUB_OUTAGE_DO_STOP, "reachable" },
    { PUB_OUTAGE_WAITING, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_WAITING, PUB_OUTAGE_DO_NOTHING,
      "an attempt failed" },
    { PUB_OUTAGE_WAITING, PUB_OUTAGE_EV_OVERDUE, PUB_OUTAGE_DEGRADED, PUB_OUTAGE_DO_TELL,
      "away for too long" },

    { PUB_OUTAGE_UP, PUB_OUTAGE_EV_UP, PUB_OUTAGE_UP, PUB_OUTAGE_DO_NOTHING,
      "another broker takes over" },
    { PUB_OUTAGE_UP, PUB_OUTAGE_EV_BLOCKED, PUB_OUTAGE_BLOCKED, PUB_OUTAGE_DO_NOTHING,
      "takes no publishes" },
    { PUB_OUTAGE_UP, PUB_OUTAGE_EV_UNBLOCKED, PUB_OUTAGE_UP, PUB_OUTAGE_DO_NOTHING,
      "was not blocked" },
    { PUB_OUTAGE_UP, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_WAITING, PUB_OUTAGE_DO_TIME, "lost" },

    { PUB_OUTAGE_BLOCKED, PUB_OUTAGE_EV_UP, PUB_OUTAGE_UP, PUB_OUTAGE_DO_NOTHING,
      "another broker takes over" },
    { PUB_OUTAGE_BLOCKED, PUB_OUTAGE_EV_BLOCKED, PUB_OUTAGE_BLOCKED, PUB_OUTAGE_DO_NOTHING,
      "still takes no publishes" },
    { PUB_OUTAGE_BLOCKED, PUB_OUTAGE_EV_UNBLOCKED, PUB_OUTAGE_UP, PUB_OUTAGE_DO_NOTHING,
      "takes publishes again" },
    { PUB_OUTAGE_BLOCKED, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_WAITING, PUB_OUTAGE_DO_TIME, "lost" },

    { PUB_OUTAGE_DEGRADED, PUB_OUTAGE_EV_UP, PUB_OUTAGE_UP, PUB_OUTAGE_DO_NOTHING,
      "reachable again" },
    { PUB_OUTAGE_DEGRADED, PUB_OUTAGE_EV_LOST, PUB_OUTAGE_DEGRADED, PUB_OUTAGE_DO_NOTHING,
      "an attempt failed" },
};

const char *pub_outage_name(enum pub_outage state)
{
    static const char *const names[PUB_OUTAGES] = {
        [PUB_OUTAGE_UP] = "up",
        [PUB_OUTAGE_BLOCKED] = "blocked",
        [PUB_OUTAGE_WAITING] = "waiting",
        [PUB_OUTAGE_DEGRADED] = "degraded",
    };
    SL_ASSERT(state < PUB_OUTAGES);
    return names[state];
}

const struct pub_outage_rule *pub_outage_step(enum pub_outage state, enum pub_outage_event event)
{
    for (size_t i = 0; i < SL_COUNT(rules); i++) {
        if (rules[i].from == state && rules[i].on == event) {
            return &rules[i];
        }
    }
    return NULL;
}
