/*
 * dev_control - what another shell can do to a running local stack.
 *
 * Stopping one process means leaving a note (hold/NAME) that the supervisor acts on within two ticks; both stop and start wait for
 * the outcome. Each function prints its result and returns the exit status of the command.
 * Threads: no state.
 */
#ifndef OPS_DEV_CONTROL_H
#define OPS_DEV_CONTROL_H

#include "ops/dev/dev_supervise.h"
#include "ops/flags.h"

int dev_control_stop(const struct dev_home *home, enum dev_who who);
int dev_control_start(const struct dev_home *home, enum dev_who who);
/* Ends the supervisor and all it started. */
int dev_control_stop_all(const struct dev_home *home);
/* 0 when everything is ready, else 1. */
int dev_control_status(const struct dev_home *home, enum ops_output output);
/* Lines for `eval "$(sluice dev env)"`. */
int dev_control_env(const struct dev_home *home);
/* Removes the directory of a stack that is not running. */
int dev_control_reset(const struct dev_home *home);
/* Replaces this process by rabbitmqctl against the stack's broker. */
int dev_control_rabbitmqctl(const struct dev_home *home, int argc, char **argv);

#endif
