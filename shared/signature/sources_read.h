/*
 * sources_read - the file of SLUICE_SOURCES: one section per source.
 *
 * Decides only (sl_sources_parse); sl_sources_load reads the file. Mistakes name file, line and the nearest known key.
 * Refuses: secrets in the file (they are in variables of their own, or in the files those name).
 * Threads: read once at start.
 */
#ifndef SHARED_SOURCES_READ_H
#define SHARED_SOURCES_READ_H

#include "shared/signature/sources.h"

/* out is filled as far as it is right; mistakes say the rest. */
void sl_sources_parse(struct sl_span text, const char *file, struct sl_sources *out,
                      struct sl_buf *mistakes);
/* path NULL: the default. */
void sl_sources_load(const char *path, struct sl_sources *out, struct sl_buf *mistakes);

#endif
