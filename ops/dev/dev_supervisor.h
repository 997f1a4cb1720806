/*
 * dev_supervisor - what the parts of the supervisor share: dev_supervise.c (the loop), which stands on dev_setup.c (from nothing to serving), which stands on
 * dev_children.c (the four processes), which stands on dev_tell.c (what is said of the run). For these files only.
 *
 * Threads: one.
 */
#ifndef OPS_DEV_SUPERVISOR_H
#define OPS_DEV_SUPERVISOR_H

#include "ops/dev/dev_env.h"
#include "ops/dev/dev_step.h"
#include "ops/dev/dev_supervise.h"

enum dev_phase { DEV_PHASE_SETUP, DEV_PHASE_UP, DEV_PHASE_ENDING };

struct dev_child {
    enum dev_state state;
    pid_t pid;          /* 0: none */
    pid_t probe_pid;    /* 0: no probe runs */
    int64_t probe_ms;   /* not before */
    int64_t due_ms;     /* 0: no timer */
    int64_t started_ms; /* last start */
    int64_t ready_ms;   /* 0: not since the last start */
    int64_t since_us;   /* wall clock of the last change */
    unsigned deaths;    /* in a row */
    unsigned starts;
    unsigned kills; /* of this stop */
};

enum dev_task_state { DEV_TASK_IDLE, DEV_TASK_RUNS, DEV_TASK_WAITS, DEV_TASK_DONE };

/* One of our own commands that has to succeed once. */
struct dev_task {
    const char *noun;
    const char *verb;
    enum dev_who needs;
    enum dev_task_state state;
    pid_t pid;
    unsigned tries;
    int64_t due_ms;
};

#define DEV_TASKS 2u

struct dev_supervisor {
    const struct dev_home *home;
    struct dev_supervise_opts opts;
    uint16_t ports[DEV_PORTS];
    char secret[80];   /* signing secret of the webhook endpoint */
    char password[80]; /* of the broker; known once it has run */
    bool has_activity; /* the demonstration's second subsystem runs as well */
    struct dev_child children[DEV_WHO_COUNT];
    struct dev_task tasks[DEV_TASKS];
    enum dev_phase phase;
    int64_t started_ms;
    int64_t programs_from_ms; /* when publisher and consumer were let go; 0 before */
    pid_t demo_pid;           /* 0: none */
    int signals;              /* signalfd */
    unsigned stop_requests;
    int exit_status;
};

/* dev_tell.c */
/* Ends the run with this status; log_name may be NULL, else its last lines are shown. */
void dev_give_up(struct dev_supervisor *sup, int exit_status, const char *log_name);
/* What to try now. */
void dev_show_banner(const struct dev_supervisor *sup);
/* How each process is, in the file that `sluice dev status` reads. */
void dev_publish_status(const struct dev_supervisor *sup);

/* dev_children.c */
/* One look at each process: what happened, what follows. */
void dev_children_watch(struct dev_supervisor *sup);
void dev_children_kill(const struct dev_supervisor *sup);
bool dev_children_are_stopped(const struct dev_supervisor *sup);
bool dev_child_is(const struct dev_supervisor *sup, enum dev_who who, enum dev_state state);
/* The environment of anything of ours that is to use this stack. */
void dev_programs_environment(const struct dev_supervisor *sup, struct dev_env *env);
/* Starts `sluice ARG…` of this build; arguments end with NULL. The process id, -1 on failure. */
pid_t dev_spawn_sluice(const struct dev_supervisor *sup, const char *const *arguments,
                       const char *log_path, struct sl_err *err) SL_MUST;

/* dev_setup.c */
/* Ends what an earlier run left, finds ports and the signing secret. */
bool dev_setup_prepare(struct dev_supervisor *sup, struct sl_err *err) SL_MUST;
/* The next thing towards DEV_PHASE_UP, if it is its time. */
void dev_setup_advance(struct dev_supervisor *sup);

#endif
