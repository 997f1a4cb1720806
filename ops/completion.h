/*
 * completion - `sluice completion bash|zsh|fish`: a script with which the shell completes commands, verbs, flags and their values.
 *
 * Made from the table of commands and the flags their help lists, so it knows what help knows.
 * Refuses: asking a server while somebody types.
 * Threads: one.
 */
#ifndef OPS_COMPLETION_H
#define OPS_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

/* As struct ops_command wants it. */
int ops_completion(int argc, char **argv);

/* The script for that shell; false when the shell is not known. */
bool ops_completion_write(const char *shell, FILE *out);

#endif
