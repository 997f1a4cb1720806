/*
 * pg_link - one connection to Postgres, non-blocking, kept alive for ever.
 *
 * Connects to one resolved host at a time with our own deadline (libpq's asynchronous connect ignores connect_timeout), rotates over the
 * hosts of DATABASE_URL, sets the session (read-write, time zone UTC, statement_timeout, lock_timeout), prepares the owner's statements, and
 * reconnects with full-jitter backoff up to 30 s for ever. Work is handed over as a script: a list of statements sent as one pipeline whose
 * results come back together, or one error.
 * A lost connection, a missed deadline or a read-only server settles the running script with a TRANSIENT error; whether its COMMIT happened is
 * then unknown, and the owner runs it again (the inbox decides).
 * The only file that includes libpq.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_PG_LINK_H
#define SHARED_PG_LINK_H

#include <stdint.h>

#include "shared/loop.h"
#include "shared/span.h"

struct sl_pg_link;
struct sl_pg_result;

/* A statement prepared on every new connection. */
struct sl_pg_statement {
    const char *name;
    const char *sql;
};

struct sl_pg_param {
    struct sl_span value; /* absent: NULL */
    bool is_binary;
};
#define SL_PG_PARAMS_MAX 64u

/* One step of a script: either a prepared statement by name, or plain SQL text (name NULL) with parameters. */
struct sl_pg_step {
    const char *name;
    const char *sql;
    const struct sl_pg_param *params;
    size_t param_count;
};

/* What went wrong in the database; all texts borrowed during the callback, "" when unknown. */
struct sl_pg_error {
    struct sl_err err; /* fault decides; code is PG_* by the SQLSTATE table */
    char sqlstate[6];
    const char *constraint;
    const char *table;
    const char *column;
    const char *detail;
    size_t step; /* index of the step that failed */
};

struct sl_pg_link_opts {
    struct sl_loop *loop;
    const char *conninfo; /* DATABASE_URL: URI or key=value, several hosts allowed; borrowed */
    const char *application_name;             /* shown in pg_stat_activity */
    const struct sl_pg_statement *statements; /* borrowed for the link's life */
    size_t statement_count;
    int64_t attempt_ms;   /* per host; default 5 s */
    int64_t script_ms;    /* longest run of a script; default 30 s */
    int64_t statement_ms; /* statement_timeout; default 20 s */
    int64_t lock_ms;      /* lock_timeout; default 5 s */
    bool read_only;       /* accept a standby; default false: read-write required */

    void *arg;
    void (*on_up)(struct sl_pg_link *link, void *arg);
    /* Also after a failed attempt. */
    void (*on_down)(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg);
};

struct sl_pg_link *sl_pg_link_new(const struct sl_pg_link_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. The running script is not called back. */
void sl_pg_link_free(struct sl_pg_link *link);
bool sl_pg_link_is_up(const struct sl_pg_link *link);
bool sl_pg_link_has_tried(const struct sl_pg_link *link);
/* A script is running. */
bool sl_pg_link_is_busy(const struct sl_pg_link *link);

/*
 * Sends the steps as one pipeline ending in a sync. At the first error the rest is skipped by the server; what the script began must then be
 * rolled back by the owner (run "ROLLBACK"), unless the connection is gone. Parameters are copied or sent before this returns. on_done runs
 * exactly once, later: results[i] belongs to step i (count = steps) and lives during the callback; error is NULL on success.
 * False: not started (SL_E_PG_UNREACHABLE while down, SL_E_BUG while busy).
 */
bool sl_pg_run(struct sl_pg_link *link, const struct sl_pg_step *steps, size_t count,
               void (*on_done)(struct sl_pg_link *link, struct sl_pg_result *const *results,
                               size_t count, const struct sl_pg_error *error, void *arg),
               void *arg, struct sl_err *err) SL_MUST;

/* Results are in text format. */
size_t sl_pg_rows(const struct sl_pg_result *result);
size_t sl_pg_columns(const struct sl_pg_result *result);
/* Absent for NULL. */
struct sl_span sl_pg_value(const struct sl_pg_result *result, size_t row, size_t column);
/* Rows changed, for commands that change rows. */
int64_t sl_pg_changed(const struct sl_pg_result *result);

SL_DEFINE_AUTO(struct sl_pg_link *, sl_pg_link_free)

#endif
