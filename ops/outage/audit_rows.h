/*
 * audit_rows - the lines of an outage's audit: gathered by what happened, subsystem and type, sorted by how much they matter.
 *
 * Decides only. An event that was dropped or journaled is lost to, or late for, every subsystem that is bound to it: it counts in a line of each.
 * Threads: one owner.
 */
#ifndef OPS_AUDIT_ROWS_H
#define OPS_AUDIT_ROWS_H

#include "shared/subsystem/subsystems.h"

#define OPS_AUDIT_ROWS_MAX   512u
#define OPS_AUDIT_TYPE_BYTES 128u

/* From the worst on. */
enum ops_audit_what {
    OPS_AUDIT_DROPPED,
    OPS_AUDIT_ASIDE,
    OPS_AUDIT_GIVEN_UP,
    OPS_AUDIT_JOURNALED, /* not published yet */
    OPS_AUDIT_REFUSED,   /* 503 or 429: the sender comes again */
    OPS_AUDIT_LATE,
    OPS_AUDIT_MENDED, /* given up and replayed, or discarded, since */
};

struct ops_audit_row {
    enum ops_audit_what what;
    const struct sl_subsystem *subsystem; /* NULL: none that the file has */
    char name[SL_SUBSYSTEM_NAME_BYTES];
    char type[OPS_AUDIT_TYPE_BYTES];
    int64_t events; /* -1: not known */
    int64_t first_us;
    int64_t last_us;
};

struct ops_audit_rows {
    struct ops_audit_row items[OPS_AUDIT_ROWS_MAX];
    size_t count;
    int64_t left_out; /* events for which there was no row left */
};

/* The same line as before when there is one. name: of the subsystem. */
void ops_audit_add(struct ops_audit_rows *rows, enum ops_audit_what what,
                   const struct sl_subsystem *subsystem, const char *name, struct sl_span type,
                   int64_t events, int64_t first_us, int64_t last_us);
/* One event that met no broker, for each enabled subsystem that is bound to it; for none, as "nobody". */
void ops_audit_add_kept(struct ops_audit_rows *rows, enum ops_audit_what what,
                        const struct sl_subsystems *subsystems, struct sl_span source,
                        struct sl_span type, int64_t at_us);
/* By severity, then by what happened, then by how many. */
void ops_audit_sort(struct ops_audit_rows *rows);
const char *ops_audit_what_name(enum ops_audit_what what);

#endif
