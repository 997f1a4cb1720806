/*
 * file - a small file as bytes.
 *
 * Refuses: more than the buffer's ceiling.
 * Threads: no state. Blocks: for start-up and tools.
 */
#ifndef SHARED_FILE_H
#define SHARED_FILE_H

#include "shared/buf.h"

/* Appends the whole file. False: errno says why, unless the buffer has failed (too large, no memory). */
bool sl_file_read(const char *path, struct sl_buf *out) SL_MUST;

#endif
