/*
 * levels - the two log levels that can be changed while the program runs.
 *
 * LOG_LEVEL, and EVENTBUS_DEGRADED_LOG_LEVEL for the lines that report degradation. A change is one log line.
 * Threads: belongs to its loop; any loop reads `degraded`.
 */
#ifndef PUBLISHER_LEVELS_H
#define PUBLISHER_LEVELS_H

#include "shared/log.h"

struct pub_levels {
    struct sl_log *log; /* borrowed */
    enum sl_level level;
    _Atomic int degraded; /* an enum sl_level; read by every loop */
};

/* who: "an operator" or "a reload". Nothing happens, and nothing is said, when it is so already. */
void pub_levels_set(struct pub_levels *levels, enum sl_level level, const char *who);
void pub_levels_set_degraded(struct pub_levels *levels, enum sl_level level, const char *who);

#endif
