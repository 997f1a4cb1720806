/*
 * conf_source - where the values of a configuration come from: the environment first, then an optional file.
 *
 * SLUICE_CONFIG names a file of NAME=value lines. A SLUICE_* name that no program knows is a mistake; with one that is near it, that is said.
 * Refuses: knowing what a name means (conf does).
 * Threads: read at start and on a reload; then const for everyone else.
 */
#ifndef SHARED_CONF_SOURCE_H
#define SHARED_CONF_SOURCE_H

#include <stdint.h>

#include "shared/buf.h"

struct sl_conf_entry {
    char *name;
    char *value;
};

struct sl_conf_source {
    char *const *environment;      /* borrowed, NULL-terminated NAME=value */
    struct sl_conf_entry *entries; /* owned: the file's lines */
    size_t entry_count;
};

/* Opens the file named by SLUICE_CONFIG, if any, and reports SLUICE_* names that no program knows. */
void sl_conf_source_init(struct sl_conf_source *source, char *const *environment,
                         struct sl_buf *mistakes);
void sl_conf_source_done(struct sl_conf_source *source);

/* The value of a name in environment or file; NULL when unset. Empty counts as unset. */
const char *sl_conf_lookup(const struct sl_conf_source *source, const char *name);

#endif
