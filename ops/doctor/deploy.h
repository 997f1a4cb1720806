/*
 * deploy - `sluice doctor --after-deploy`: waits until the new programs serve, for a minute at most, and says what is not so.
 *
 * Threads: one.
 */
#ifndef OPS_DOCTOR_DEPLOY_H
#define OPS_DOCTOR_DEPLOY_H

#include "ops/flags.h"

struct ops_deploy_wish {
    const char *expected; /* version; NULL: any */
    const char *log;      /* file of JSON lines; NULL: none is read */
    int64_t wait_ms;
    enum ops_output output;
};

/* Prints a row for each condition. *out_well: all that were asked are met. */
bool ops_deploy_watch(const struct ops_deploy_wish *wish, bool *out_well,
                      struct sl_err *err) SL_MUST;

#endif
