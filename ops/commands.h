/*
 * commands - how a command is found in what was typed, and how a failure is told.
 *
 * Grammar: sluice <noun> [verb] [ARG…] [flags]. Help starts with examples. An unknown word gets the nearest known command; nothing is
 * abbreviated. Help that was asked for goes to stdout, everything said about a mistake to stderr.
 * Threads: one.
 */
#ifndef OPS_COMMANDS_H
#define OPS_COMMANDS_H

#include "shared/err.h"

/* Runs the command that argv names; returns its exit status. */
int ops_commands_run(int argc, char **argv);

/*
 * Prints "sluice <command>: <what went wrong>" (and where to look: the help for a wrong flag, the doctor for a server that is away) and returns the
 * exit status for it.
 */
int ops_report(const char *command, const struct sl_err *err);

#endif
