#include "ops/plan.h"

#include <stdio.h>
#include <sysexits.h>

int ops_plan_end(bool has_work, const char *how)
{
    if (!has_work) {
        fputs("nothing to do\n", stderr);
        return EX_OK;
    }
    fprintf(stderr, "nothing was changed; to do it: %s\n", how);
    return OPS_PLAN_HAS_WORK;
}
