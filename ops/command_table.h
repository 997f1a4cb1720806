/*
 * command_table - every command of the operator's tool: what it is called, what its help says, what runs it.
 *
 * The overview, the help, the manual page and the completion are made from this table.
 * Refuses: running one (commands).
 * Threads: any; it never changes.
 */
#ifndef OPS_COMMAND_TABLE_H
#define OPS_COMMAND_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "ops/command.h"

#define OPS_COMMANDS_MAX       96u
#define OPS_COMMAND_NAME_BYTES 64u

/* The command of that name, or NULL. */
const struct ops_command *ops_commands_find(const char *name);
/* The i-th command, or NULL behind the last. */
const struct ops_command *ops_commands_at(size_t i);
/* Is there a command of two words that begins with this one? */
bool ops_commands_is_noun(const char *word);

#endif
