/*
 * kept - events that met no broker, as the publisher of this machine wrote them down: its journal, what it set aside there, and its drop log.
 *
 * Reads only, also while the publisher writes. A line of the drop log that cannot be read is counted, not believed.
 * Refuses: showing a body.
 * Threads: one.
 */
#ifndef OPS_KEPT_H
#define OPS_KEPT_H

#include <stdint.h>

#include "shared/err.h"
#include "shared/span.h"

enum ops_kept {
    OPS_KEPT_WAITING,   /* in the journal, not published yet */
    OPS_KEPT_PUBLISHED, /* in the journal still, but published */
    OPS_KEPT_ASIDE,     /* in poison/: cannot be published as it is */
    OPS_KEPT_DROPPED,   /* only this line is left of it */
};

struct ops_kept_event {
    enum ops_kept state;
    struct sl_span id; /* absent when it cannot be read */
    struct sl_span type;
    struct sl_span source;
    struct sl_span object; /* absent for a drop */
    struct sl_span reason; /* of a drop */
    int64_t received_us;
};

struct ops_kept_found {
    bool has_journal; /* there is one, and it could be read */
    bool has_drops;
    int64_t strange; /* lines of the drop log that cannot be read */
};

/* visit borrows its event until it returns. flag: --state-dir, or NULL. A journal or a drop log that is not there is no error. */
bool ops_kept_visit(const char *flag, void (*visit)(void *arg, const struct ops_kept_event *event),
                    void *arg, struct ops_kept_found *out_found, struct sl_err *err) SL_MUST;

const char *ops_kept_name(enum ops_kept state);

#endif
