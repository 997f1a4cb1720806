/*
 * manual - `sluice man [publisher|consumer]`: the manual pages sluice(1), sluice-publisher(8) and sluice-consumer(8).
 *
 * Made from the table of commands and the tables of configuration keys.
 * mdoc, for `sluice man | man -l -` or a file sluice.1. Says what --help says, in one place.
 * Threads: one.
 */
#ifndef OPS_MANUAL_H
#define OPS_MANUAL_H

#include <stdbool.h>
#include <stdio.h>

#include "shared/scope.h"

/* As struct ops_command wants it. */
int ops_manual(int argc, char **argv);

void ops_manual_write(FILE *out);

#endif
