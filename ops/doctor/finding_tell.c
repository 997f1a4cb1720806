#include "ops/doctor/finding_tell.h"

#include <stdio.h>

#define NAME_COLUMN 24

void ops_finding_print(const char *name, const struct ops_finding *finding)
{
    printf("%-4s  %-*s %s\n", ops_verdict_name(finding->verdict), NAME_COLUMN, name, finding->text);
    if (finding->fix[0] != '\0') {
        printf("%-4s  %-*s -> %s\n", "", NAME_COLUMN, "", finding->fix);
    }
}
