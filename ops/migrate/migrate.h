/*
 * migrate - brings a database to the schema of this program, and says how far it is.
 *
 * Each migration runs in one transaction together with its row in sluice_migration(version, name, checksum, applied_at), in order, under an
 * advisory lock, so that any number of deployments may run at once and each migration runs once.
 * Refuses: going on after drift (an edited file, a database newer than this program); going down: undoing is a new migration.
 * Law: ops/migrate/migration_plan.h.
 * Threads: one.
 */
#ifndef OPS_MIGRATE_H
#define OPS_MIGRATE_H

#include "ops/migrate/migration_plan.h"

struct ops_migrate_opts {
    const char *conninfo;
    const struct sl_embedded *files;
    size_t file_count;
    int64_t wait_ms;    /* for another migration that is at work */
    int64_t timeout_ms; /* one migration */
    void *arg;
    /* Each may be NULL. Somebody else holds the lock; who: "process 12 (psql) from 10.0.0.1, for 3 s". */
    void (*on_waiting)(const char *who, void *arg);
    void (*on_applied)(const struct ops_migration *migration, int64_t took_ms, void *arg);
};

/* Applies what is pending. out_version (the database's, afterwards) is set on success; what was applied before an error stays. */
bool ops_migrate_apply(const struct ops_migrate_opts *opts, int64_t *out_version,
                       struct sl_err *err) SL_MUST;
/* Reads only; a standby will do. Drift is in the plan, not an error. */
bool ops_migrate_read(const struct ops_migrate_opts *opts, struct ops_migration_plan *out_plan,
                      struct sl_err *err) SL_MUST;

/*
 * The commands. Flags of both: --database-url URL, -o table|json. Of up: --wait DURATION, --timeout DURATION.
 * up: 0, also when there was nothing to do. status: 0 up to date, 2 something is pending, 78 drift.
 */
int ops_migrate_up(int argc, char **argv);
int ops_migrate_status(int argc, char **argv);

#endif
