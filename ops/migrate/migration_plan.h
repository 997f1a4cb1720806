/*
 * migration_plan - the migrations of this program against those a database says it has.
 *
 * Decides only. A migration is known by its number; its text is known by a SHA-256, so that a file that was edited after it ran is seen.
 * Refuses: numbers out of order, twice, or missing below one that ran.
 * Threads: no state.
 */
#ifndef OPS_MIGRATION_PLAN_H
#define OPS_MIGRATION_PLAN_H

#include "shared/digest.h"
#include "shared/embed.h"

#define OPS_MIGRATIONS_MAX           256u
#define OPS_MIGRATION_NAME_BYTES     96u
#define OPS_MIGRATION_CHECKSUM_BYTES SL_SHA256_HEX_BYTES

enum ops_migration_state {
    OPS_MIGRATION_APPLIED,
    OPS_MIGRATION_PENDING, /* to be applied */
    OPS_MIGRATION_EDITED,  /* applied with another text */
    OPS_MIGRATION_UNKNOWN, /* applied, and this program has no such file: the program is older than the database */
    OPS_MIGRATION_MISSED, /* not applied, although a later one is */
};

/* A row of table sluice_migration. */
struct ops_migration_applied {
    int64_t version;
    char name[OPS_MIGRATION_NAME_BYTES];
    char checksum[OPS_MIGRATION_CHECKSUM_BYTES];
    char applied_at[40];
};

struct ops_migration {
    int64_t version;
    char name[OPS_MIGRATION_NAME_BYTES];         /* "0001_sluice.sql" */
    char checksum[OPS_MIGRATION_CHECKSUM_BYTES]; /* of our file; the recorded one when UNKNOWN */
    char recorded
        [OPS_MIGRATION_CHECKSUM_BYTES]; /* what the database recorded; "" when not applied */
    char applied_at[40];                /* "" when not applied */
    const struct sl_embedded *file;     /* NULL when UNKNOWN */
    enum ops_migration_state state;
};

struct ops_migration_plan {
    struct ops_migration items[OPS_MIGRATIONS_MAX]; /* by version */
    size_t count;
    size_t pending_count;
    int64_t version; /* the highest applied; 0 for none */
};

/* "applied", "pending", "edited", "unknown", "missed". */
const char *ops_migration_state_name(enum ops_migration_state state);

/* Files are named NNNN_what.sql, in ascending order; applied rows are in ascending order of version. */
bool ops_migration_plan_make(const struct sl_embedded *files, size_t file_count,
                             const struct ops_migration_applied *applied, size_t applied_count,
                             struct ops_migration_plan *out, struct sl_err *err) SL_MUST;

/* False with SL_E_PG_DRIFT when database and program do not fit; says which migration and what to do. */
bool ops_migration_plan_verdict(const struct ops_migration_plan *plan, struct sl_err *err) SL_MUST;

#endif
