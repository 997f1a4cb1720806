/*
 * dev_env - the environment a process of the local stack is started with.
 *
 * Starts either empty or from the caller's own environment without everything that would lead a program away from the stack: addresses,
 * libpq's variables, secrets of another endpoint, names of the supervisor. Owns its strings. A set that has no memory marks the
 * list as failed; check once with dev_env_list.
 * Threads: one owner.
 */
#ifndef OPS_DEV_ENV_H
#define OPS_DEV_ENV_H

#include "shared/err.h"

#define DEV_ENV_MAX 1024u

struct dev_env {
    char *items[DEV_ENV_MAX + 1]; /* NAME=value, NULL-terminated */
    unsigned count;
    bool failed;
};

/* Copies what of the caller's environment does not concern addresses. */
void dev_env_inherit(struct dev_env *env);
/* Sets or replaces one name. */
void dev_env_set(struct dev_env *env, const char *name, const char *fmt, ...) SL_PRINTF(3, 4);
/* The list for execve; NULL when it is incomplete. */
char *const *dev_env_list(const struct dev_env *env, struct sl_err *err) SL_MUST;
/* Wipes and frees; accepts zeroed storage. */
void dev_env_done(struct dev_env *env);

#endif
