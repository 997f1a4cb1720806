/*
 * commands - which commands there are, how one is found, and how a failure is told.
 *
 * Grammar: sluice <noun> [verb] [ARG…] [flags]. Help starts with examples. An unknown word gets the nearest known command; nothing is
 * abbreviated. Help that was asked for goes to stdout, everything said about a mistake to stderr.
 * Threads: one.
 */
#ifndef OPS_COMMANDS_H
#define OPS_COMMANDS_H

#include "ops/command.h"
#include "shared/err.h"

/* Runs the command that argv names; returns its exit status. */
int ops_commands_run(int argc, char **argv);

/* The command of that name, or NULL. */
const struct ops_command *ops_commands_find(const char *name);
/* The i-th command, or NULL behind the last. */
const struct ops_command *ops_commands_at(size_t i);

/* Prints "sluice <command>: <what went wrong>" (and, for a wrong flag, where the help is) and returns the exit status for it. */
int ops_report(const char *command, const struct sl_err *err);

#endif
