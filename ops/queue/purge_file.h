/*
 * purge_file - the file that purged messages are kept in.
 *
 * Made anew and for its owner alone, since it holds what customers did; what was written is on the disk when ops_purge_file_sync says so, the file's name included.
 * Threads: one owner.
 */
#ifndef OPS_PURGE_FILE_H
#define OPS_PURGE_FILE_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/span.h"

struct ops_purge_file {
    FILE *stream;
    char path[PATH_MAX]; /* from the root */
    int64_t bytes;
};

/* path NULL: "<queue>-<time>.ndjson" here. SL_E_CREATE when it cannot be, or is there already. Close with ops_purge_file_done. */
bool ops_purge_file_make(struct ops_purge_file *file, const char *path, const char *queue,
                         struct sl_err *err) SL_MUST;
bool ops_purge_file_write(struct ops_purge_file *file, struct sl_span line,
                          struct sl_err *err) SL_MUST;
/* On the disk, or not at all. */
bool ops_purge_file_sync(struct ops_purge_file *file, struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void ops_purge_file_done(struct ops_purge_file *file);

#endif
