/*
 * dev_home - the directory of one local stack and the names in it.
 *
 *     lock          held by the supervisor (ops/stack.h)
 *     stack.env     addresses, there while the stack serves and kept for the next run
 *     status        one line a process: name state pid since starts
 *     hold/NAME     present: NAME shall not run
 *     run/NAME.pid  process ids, for what a killed supervisor leaves behind
 *     scripts/      how the two servers are run
 *     logs/         one file a process
 *     data/         what publisher and consumer keep (SLUICE_STATE_DIR)
 *     rabbitmq/ postgres/
 *
 * Threads: no state.
 */
#ifndef OPS_DEV_HOME_H
#define OPS_DEV_HOME_H

#include "ops/stack.h"

struct dev_home {
    char dir[PATH_MAX];
    char programs[PATH_MAX]; /* where sluice, sluice-publisher and sluice-consumer lie */
};

/* Finds both directories; creates nothing. */
bool dev_home_find(struct dev_home *out_home, struct sl_err *err) SL_MUST;
/*
 * Creates what is missing, takes the lock and writes the scripts; the lock's descriptor, to be kept open, or -1. Refuses a
 * directory that holds other things, and one whose stack runs.
 */
int dev_home_claim(const struct dev_home *home, struct sl_err *err) SL_MUST;
/* Removes everything listed above, and the directory when nothing else is in it. */
bool dev_home_remove(const struct dev_home *home, struct sl_err *err) SL_MUST;

/* A path below the directory; names are short constants, so it always fits. */
void dev_home_path(const struct dev_home *home, char out_path[PATH_MAX], const char *fmt, ...)
    SL_PRINTF(3, 4);

/* Of the log of that name. One that has grown large is put aside before it is continued. */
void dev_log_path(const struct dev_home *home, const char *name, char out_path[PATH_MAX]);

#endif
