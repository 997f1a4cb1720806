/*
 * input - a whole file, or standard input, with a limit.
 *
 * Refuses: directories, more bytes than the buffer takes.
 * Threads: one.
 */
#ifndef OPS_INPUT_H
#define OPS_INPUT_H

#include "shared/buf.h"

/* Appends all of path ("-": standard input) to out, byte for byte. SL_E_IO, or SL_E_LIMIT at the buffer's ceiling. */
bool ops_input_read(const char *path, struct sl_buf *out, struct sl_err *err) SL_MUST;

#endif
