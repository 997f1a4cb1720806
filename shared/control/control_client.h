/*
 * control_client - asks a running daemon over its control socket.
 *
 * One request, one answer, one deadline for both. Waits, so it is for commands that have nothing else to do.
 * Refuses: following, retrying: a socket that nobody serves is an answer too.
 * Threads: no shared state.
 */
#ifndef SHARED_CONTROL_CLIENT_H
#define SHARED_CONTROL_CLIENT_H

#include <stdint.h>

#include "shared/buf.h"

/*
 * Sends `request` (without a line end) and appends the answer's line to out_answer, without its end. False: SL_E_CONTROL (nobody serves
 * there, or may not be asked), SL_E_DEADLINE, SL_E_LIMIT (the answer does not fit).
 */
bool sl_control_ask(const char *path, struct sl_span request, int64_t timeout_ms,
                    struct sl_buf *out_answer, struct sl_err *err) SL_MUST;

#endif
