/*
 * sandbox - what the program gives up at its start, so that whoever takes it over through the network gets little.
 *
 * No new privileges; no core and no debugger (a core would hold secrets); Landlock: no file but those that it needs, and nothing executed;
 * seccomp: no system call but those that it needs. A call that no part of it ever makes (running another program, tracing, modules) ends the process;
 * others that are not on the list fail with EPERM. Entered once, before the first thread, and inherited by all.
 * Law: "auto" takes what the kernel has and says what is missing; "require" refuses to start without all of it.
 * Not in builds with sanitizers: their leak check at the end traces its own process, which is just what is forbidden here.
 * Threads: call before there is a second one.
 */
#ifndef SHARED_SANDBOX_H
#define SHARED_SANDBOX_H

#include "shared/buf.h"
#include "shared/sandbox/sandbox_paths.h"

/* In the order of the words auto|require|off. */
enum sl_sandbox_mode { SL_SANDBOX_AUTO, SL_SANDBOX_REQUIRE, SL_SANDBOX_OFF };

struct sl_sandbox {
    bool has_no_new_privileges;
    bool has_no_core;
    int landlock_abi;  /* in force; 0: not */
    bool has_seccomp;  /* in force */
    char missing[192]; /* why something is not in force; "" when all is */
};

/* The list to begin with, from this process's environment and configuration file. */
void sl_sandbox_look(struct sl_sandbox_paths *out_paths, char *const *environment);

bool sl_sandbox_enter(enum sl_sandbox_mode mode, const struct sl_sandbox_paths *paths,
                      struct sl_sandbox *out_sandbox, struct sl_err *err) SL_MUST;
/* "no new privileges, no core, landlock 7, seccomp", or "none"; at most SL_SANDBOX_TEXT_MAX. */
#define SL_SANDBOX_TEXT_MAX 128u
void sl_sandbox_describe(const struct sl_sandbox *sandbox, struct sl_buf *out);

#endif
