/*
 * completion_names - names that exist here and now, for the shell's completion: subsystems, queues, event types, open breakers, groups of dead letters, replay
 * runs, game days.
 *
 * Printed one a line, at most OPS_NAMES_MAX, nothing but letters, digits and . _ - in them: the shell expands what it is given. Ends within a second whatever
 * is away, and says nothing about it: a completion that complains is worse than none.
 * Threads: one; owns SIGALRM.
 */
#ifndef OPS_COMPLETION_NAMES_H
#define OPS_COMPLETION_NAMES_H

#include <stdbool.h>

#include "ops/usage.h"

#define OPS_NAMES_MAX 300u

/* Which names an item of a command's help stands for, as a comma list for ops_completion_names_print; NULL: none. */
const char *ops_completion_names_of(const char *command, const struct ops_usage_item *item);
/* whats: "subsystems,types". Unknown words are no names. */
void ops_completion_names_print(const char *whats);

#endif
