/*
 * dev_step - what becomes of one supervised process of the local stack.
 *
 * Decides only: no clock, no process. The supervisor tells what happened and does what the rule says.
 * Law: a process that is wanted runs; one that dies is started again after a pause that grows; one that is
 * held is asked to stop, and made to after a while.
 * Threads: constant data.
 */
#ifndef OPS_DEV_STEP_H
#define OPS_DEV_STEP_H

#include <stdint.h>

enum dev_state {
    DEV_STOPPED,  /* no process, none wanted */
    DEV_STARTING, /* process lives, does not serve yet */
    DEV_READY,    /* serves */
    DEV_STOPPING, /* asked to stop */
    DEV_PAUSED,   /* died; waits before the next start */
    DEV_STATES
};

enum dev_event {
    DEV_EV_WANTED, /* may run and should */
    DEV_EV_HELD,   /* should not run */
    DEV_EV_SERVES, /* a probe got the right answer */
    DEV_EV_EXITED, /* the process is gone */
    DEV_EV_DUE,    /* the timer ran out */
    DEV_EVENTS
};

enum dev_action {
    DEV_DO_NOTHING,
    DEV_DO_SPAWN, /* start a process, no timer */
    DEV_DO_STOP,  /* send the stop signal, arm the stop timer */
    DEV_DO_KILL,  /* send the next harder signal, arm the stop timer */
    DEV_DO_PAUSE, /* report the death, arm the restart timer */
    DEV_DO_REST,  /* report that it is down, no timer */
    DEV_DO_SERVE, /* report that it serves */
};

struct dev_rule {
    enum dev_state to;
    enum dev_action action;
};

/* Total: every state takes every event; what does not concern it changes nothing. */
struct dev_rule dev_step(enum dev_state state, enum dev_event event);

/* One word, as `sluice dev status` prints it. */
const char *dev_state_word(enum dev_state state);

/* Pause before start number `deaths` + 1 after `deaths` deaths in a row: 1 s, doubled each time, at most 10 s. */
int64_t dev_restart_pause_ms(unsigned deaths);

#endif
