/*
 * control_socket - a listening Unix socket under a fixed name, and its end.
 *
 * The name appears in one step (rename), already listening and readable by this user only. What a killed process left under the name is replaced; a socket
 * that somebody serves, and a file that is no socket, are left alone and reported.
 * Refuses: names that do not fit a socket's address (control_path).
 * Threads: no shared state.
 */
#ifndef SHARED_CONTROL_SOCKET_H
#define SHARED_CONTROL_SOCKET_H

#include <sys/types.h>

#include "shared/control/control_path.h"

struct sl_control_socket {
    int fd; /* non-blocking, listening; -1: closed */
    char path[SL_CONTROL_PATH_BYTES];
    dev_t device; /* what our name pointed to when we made it */
    ino_t inode;
};

/* SL_E_NET_LISTEN: another process serves there, or the folder cannot be written. SL_E_CONFIG: the name does not fit. */
bool sl_control_socket_open(struct sl_control_socket *out_socket, const char *state_dir,
                            const char *program, struct sl_err *err) SL_MUST;
/* Removes the name when it is still ours; the descriptor is its holder's to close. Does nothing for zeroed storage. */
void sl_control_socket_remove(const struct sl_control_socket *held);

#endif
