/*
 * dev_process - starting, probing and describing processes of the local stack.
 *
 * Every process gets its own group (so that Ctrl-C in the terminal reaches the supervisor alone), no input, and a
 * signal from the kernel when its parent dies, however it dies.
 * Refuses: signalling a process that has not proved to belong to the stack.
 * Threads: one; the supervisor must not have any other when it spawns.
 */
#ifndef OPS_DEV_PROCESS_H
#define OPS_DEV_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "shared/buf.h"

#define DEV_EXIT_TEXT_BYTES 64u

struct dev_spawn {
    const char *const *argv; /* argv[0] is a path; NULL-terminated */
    char *const *environment;
    const char *log_path; /* output is appended here; NULL: the caller's own stdout and stderr */
    int death_signal;     /* sent to it when the caller dies */
    int output;           /* a descriptor for its stdout; 0: as above */
};

/* The process id, -1 on failure. */
pid_t dev_process_spawn(const struct dev_spawn *spawn, struct sl_err *err) SL_MUST;

/*
 * Runs to the end and appends its stdout to `out`; stderr stays the caller's unless a log is named. False when it cannot start, when
 * its output does not fit, or when it takes longer than wait_ms (it is killed then); the status is for the caller to judge.
 */
bool dev_process_capture(const struct dev_spawn *spawn, int64_t wait_ms, struct sl_buf *out,
                         int *out_status, struct sl_err *err) SL_MUST;

/* True once when the process has ended; then out_status is as waitpid gives it. */
bool dev_process_has_ended(pid_t pid, int *out_status) SL_MUST;

/* Waits for the end; false when it takes longer than wait_ms. */
bool dev_process_wait(pid_t pid, int64_t wait_ms, int *out_status) SL_MUST;

/* "exit status 3" or "killed by signal 9, Killed". */
void dev_process_describe(int status, char out_text[DEV_EXIT_TEXT_BYTES]);

/*
 * Ends the process recorded in a pid file if its environment holds the line `proof`: TERM, then KILL. Removes the file.
 * True when there was one.
 */
bool dev_process_end_leftover(const char *pid_path, const char *proof);

/* Copies the last lines of a log to stderr, indented. */
void dev_process_show_tail(const char *log_path);

/* Status of GET http://127.0.0.1:port/path, 0 when there is no answer within a quarter of a second. */
int dev_process_http_status(uint16_t port, const char *path);

#endif
