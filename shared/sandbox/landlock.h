/*
 * landlock - gives up all files but those of a list, for this thread and those it starts.
 *
 * Takes as many of the rights as the kernel's version knows (ABI 1: 5.13; 2: moving between folders; 3: truncation; 5: device commands; 6: signals to
 * outsiders). Paths that do not exist are left out. What is open already stays usable.
 * Source: landlock(7), Documentation/userspace-api/landlock.rst.
 * Threads: works on the calling one.
 */
#ifndef SHARED_LANDLOCK_H
#define SHARED_LANDLOCK_H

#include "shared/sandbox/sandbox_paths.h"

/* The ABI in force. 0: the kernel has none, *out_why says so; nothing was given up. Needs no-new-privileges. */
int sl_landlock_enter(const struct sl_sandbox_paths *paths, const char **out_why);

#endif
