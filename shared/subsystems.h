/*
 * subsystems - the file that says which consumers exist.
 *
 * Decides only (sl_subsystems_parse); sl_subsystems_load reads the file or the shipped default. One section per subsystem: bindings,
 * handler, enabled, prefetch, batch, workers. Mistakes name file, line and the nearest known key.
 * Law: DESIGN of the topology in schemas/topology.md: each subsystem owns the queue sluice.<name>.
 * Threads: read once at start.
 */
#ifndef SHARED_SUBSYSTEMS_H
#define SHARED_SUBSYSTEMS_H

#include <stdint.h>

#include "shared/buf.h"

#define SL_SUBSYSTEMS_MAX          32u
#define SL_SUBSYSTEM_NAME_BYTES    64u
#define SL_SUBSYSTEM_BINDINGS_MAX  16u
#define SL_SUBSYSTEM_BINDING_BYTES 128u

enum sl_handler { SL_HANDLER_BILLING };

struct sl_subsystem {
    char name[SL_SUBSYSTEM_NAME_BYTES]; /* [a-z][a-z0-9-]*; the queue is "sluice." + name */
    char queue[SL_SUBSYSTEM_NAME_BYTES + 8];
    bool enabled;
    enum sl_handler handler;
    char bindings[SL_SUBSYSTEM_BINDINGS_MAX]
                 [SL_SUBSYSTEM_BINDING_BYTES]; /* topic patterns on sluice.events */
    size_t binding_count;
    uint16_t prefetch; /* default 2 * batch */
    uint16_t batch;    /* default 500, 1..1000 */
    uint16_t workers;  /* default 1, 1..16 */
};

struct sl_subsystems {
    struct sl_subsystem items[SL_SUBSYSTEMS_MAX];
    size_t count;
};

/* out is filled as far as it is right; mistakes say the rest. */
void sl_subsystems_parse(struct sl_span text, const char *file, struct sl_subsystems *out,
                         struct sl_buf *mistakes);
/* path NULL: the default compiled into the program, passed as fallback. */
void sl_subsystems_load(const char *path, struct sl_span fallback, struct sl_subsystems *out,
                        struct sl_buf *mistakes);
/* NULL when there is none of that name. */
const struct sl_subsystem *sl_subsystems_find(const struct sl_subsystems *subsystems,
                                              struct sl_span name);

#endif
