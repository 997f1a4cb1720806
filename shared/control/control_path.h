/*
 * control_path - where a program's control socket is: <state dir>/<program>.sock.
 *
 * Decides only. A path that does not fit into a socket's address (107 bytes on Linux) is an error, never cut.
 * Threads: no state.
 */
#ifndef SHARED_CONTROL_PATH_H
#define SHARED_CONTROL_PATH_H

#include "shared/err.h"

#define SL_CONTROL_PATH_BYTES 108u /* sockaddr_un.sun_path, with the NUL; unix(7) */

/* SL_E_CONFIG when it does not fit. */
bool sl_control_path(const char *state_dir, const char *program,
                     char out_path[SL_CONTROL_PATH_BYTES], struct sl_err *err) SL_MUST;

#endif
