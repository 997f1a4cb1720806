/*
 * help - what `sluice help` prints: examples first, then the commands or the flags.
 *
 * Threads: one.
 */
#ifndef OPS_HELP_H
#define OPS_HELP_H

#include <stdio.h>

#include "ops/command.h"

/* All commands, by what they are for. */
void ops_help_overview(FILE *stream);
/* The commands that begin with this word. */
void ops_help_noun(const char *noun, FILE *stream);
/* One command, to stdout. */
void ops_help_command(const struct ops_command *command);

#endif
