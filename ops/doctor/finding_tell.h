/*
 * finding_tell - findings for people: two lines each, since they are sentences and a fix is there to be copied.
 *
 * Threads: no state.
 */
#ifndef OPS_DOCTOR_FINDING_TELL_H
#define OPS_DOCTOR_FINDING_TELL_H

#include "ops/doctor/check.h"

void ops_finding_print(const char *name, const struct ops_finding *finding);

#endif
