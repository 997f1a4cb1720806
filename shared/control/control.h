/*
 * control - the Unix socket at which a running daemon is asked and told.
 *
 * $SLUICE_STATE_DIR/<program>.sock, for this user and root only. One request a line, one answer a line (control_command), any number of them on a
 * connection. Bounded: connections, line, answer, and the time in which a request must come and its answer must be read.
 * Refuses: other users, commands that wait (a command answers at once).
 * Threads: belongs to its loop.
 */
#ifndef SHARED_CONTROL_H
#define SHARED_CONTROL_H

#include "shared/control/control_command.h"
#include "shared/loop.h"

struct sl_control;

struct sl_control_opts {
    struct sl_loop *loop;
    const char *state_dir;
    const char *program;                       /* "sluice-publisher" */
    const struct sl_control_command *commands; /* borrowed for its life */
    size_t command_count;
    void *arg;           /* of the commands */
    int64_t patience_ms; /* for a whole request, and for its answer to be read; 0: 10 s */
};

/* The errors are those of control_socket; a daemon warns and goes on without. */
struct sl_control *sl_control_new(const struct sl_control_opts *opts, struct sl_err *err) SL_MUST;
/* Closes every connection and removes the socket. Not from inside a command. Accepts NULL. */
void sl_control_free(struct sl_control *control);
/* Where it listens. */
const char *sl_control_where(const struct sl_control *control);

SL_DEFINE_AUTO(struct sl_control *, sl_control_free)

#endif
