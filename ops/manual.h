/*
 * manual - `sluice man`: the manual page sluice(1), made from the table of commands and the table of configuration keys.
 *
 * mdoc, for `sluice man | man -l -` or a file sluice.1. Says what --help says, in one place.
 * Threads: one.
 */
#ifndef OPS_MANUAL_H
#define OPS_MANUAL_H

#include <stdio.h>

/* As struct ops_command wants it. */
int ops_manual(int argc, char **argv);

void ops_manual_write(FILE *out);

#endif
