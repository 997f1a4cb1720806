/*
 * subsystems - the file that says which consumers exist.
 *
 * Decides only (sl_subsystems_parse); sl_subsystems_load reads the file or the shipped default. One section per subsystem
 * (subsystem.h). Mistakes name file, line and the nearest known key.
 * Law: schemas/topology.md: each subsystem owns the queue sluice.<name>.
 * Threads: read once at start.
 */
#ifndef SHARED_SUBSYSTEMS_H
#define SHARED_SUBSYSTEMS_H

#include "shared/arena.h"
#include "shared/config/conf_source.h"
#include "shared/subsystem/subsystem.h"

#define SL_SUBSYSTEMS_MAX 32u

struct sl_subsystems {
    struct sl_subsystem items[SL_SUBSYSTEMS_MAX];
    size_t count;
    struct sl_arena texts; /* what the sections point to */
};

/* out is filled as far as it is right; mistakes say the rest. */
void sl_subsystems_parse(struct sl_span text, const char *file, struct sl_subsystems *out,
                         struct sl_buf *mistakes);
/* path NULL: the default compiled into the program, passed as fallback. */
void sl_subsystems_load(const char *path, struct sl_span fallback, struct sl_subsystems *out,
                        struct sl_buf *mistakes);
/* Enables what is enabled by a variable that is set. Of what was not loaded with it such a section stays off. */
void sl_subsystems_switch(struct sl_subsystems *subsystems, const struct sl_conf_source *source);
/* Accepts zeroed storage. */
void sl_subsystems_done(struct sl_subsystems *subsystems);
/* NULL when there is none of that name. */
const struct sl_subsystem *sl_subsystems_find(const struct sl_subsystems *subsystems,
                                              struct sl_span name);

#endif
