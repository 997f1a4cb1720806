/*
 * pg_link - one connection to Postgres, non-blocking, kept alive for ever.
 *
 * Connects to one resolved address at a time with our own deadline (libpq's asynchronous connect ignores connect_timeout and its DNS blocks),
 * tries every host and address of DATABASE_URL in turn, sets the session (read-write, UTF8, time zone UTC, statement_timeout, lock_timeout),
 * prepares the owner's statements, and reconnects with full-jitter backoff up to 30 s for ever. Work is handed over as a script: a list of
 * statements sent as one pipeline whose results come back together, or one error.
 * A lost connection, a missed deadline or a read-only server settles the running script with a TRANSIENT error; whether its COMMIT happened is
 * then unknown, and the owner runs it again (the inbox decides).
 * Every callback comes from the loop, never from inside a call the owner makes. The owner may run the next script, or free the link, in any
 * of them.
 * Refuses: COPY, LISTEN, service files (their host names would be resolved by libpq, blocking). Never puts the password, or a value that
 * was sent, into an error text.
 * Its four files (pg_link_parts.h names them) are the only ones that include libpq.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_PG_LINK_H
#define SHARED_PG_LINK_H

#include <stdint.h>

#include "shared/loop.h"
#include "shared/pg/sqlstate.h"
#include "shared/span.h"

struct sl_pg_link;
struct sl_pg_result;

/* A statement prepared on every new connection. */
struct sl_pg_statement {
    const char *name;
    const char *sql;
};

struct sl_pg_param {
    struct sl_span value; /* absent: NULL; as text it may hold no NUL byte */
    bool is_binary;
};
#define SL_PG_PARAMS_MAX 64u
#define SL_PG_STEPS_MAX  256u
/* All parameters and texts of one script. */
#define SL_PG_SCRIPT_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* One step of a script: either a prepared statement by name, or one statement as SQL text (name NULL), with parameters. */
struct sl_pg_step {
    const char *name;
    const char *sql; /* NULL when name is given */
    const struct sl_pg_param *params;
    size_t param_count;
};

/* What went wrong in the database; all texts borrowed during the callback, "" when unknown. */
struct sl_pg_error {
    /* The fault decides. PG_* by shared/pg/sqlstate.def; without a SQLSTATE PG_UNREACHABLE, or DEADLINE when script_ms has passed. */
    struct sl_err err;
    char sqlstate[SL_SQLSTATE_BYTES]; /* "": none, the connection failed */
    const char *constraint;
    const char *table;
    const char *column;
    const char *detail;
    size_t step;     /* index of the step that failed */
    size_t position; /* 1-based character of the SQL text the server points at; 0 unknown */
};

struct sl_pg_link_opts {
    struct sl_loop *loop;
    const char *conninfo; /* DATABASE_URL: URI or key=value, several hosts allowed; copied */
    const char *application_name; /* shown in pg_stat_activity; borrowed for the link's life */
    const struct sl_pg_statement *statements; /* borrowed for the link's life */
    size_t statement_count;
    int64_t attempt_ms;   /* per address, DNS included; default 5 s */
    int64_t script_ms;    /* longest run of a script; default 30 s */
    int64_t statement_ms; /* statement_timeout; default 20 s */
    int64_t lock_ms;      /* lock_timeout; default 5 s */
    bool read_only;       /* accept a standby; default false: read-write required */

    void *arg;
    void (*on_up)(struct sl_pg_link *link, void *arg);
    /* Also after a failed attempt. wait_ms until the next one: 0 while hosts of this round are left. */
    void (*on_down)(struct sl_pg_link *link, const struct sl_err *why, int64_t wait_ms, void *arg);
};

struct sl_pg_link *sl_pg_link_new(const struct sl_pg_link_opts *opts, struct sl_err *err) SL_MUST;
/* Accepts NULL. The running script is not called back. */
void sl_pg_link_free(struct sl_pg_link *link);
bool sl_pg_link_is_up(const struct sl_pg_link *link);
/* A first round over all hosts has ended, up or failed. */
bool sl_pg_link_has_tried(const struct sl_pg_link *link);
/* A script is running. */
bool sl_pg_link_is_busy(const struct sl_pg_link *link);

/*
 * results[i] belongs to step i (count = steps) and lives during the callback; after an error it is NULL from the failed step on, which the
 * functions below take as empty. error is NULL on success.
 */
typedef void sl_pg_done_fn(struct sl_pg_link *link, struct sl_pg_result *const *results,
                           size_t count, const struct sl_pg_error *error, void *arg);

/*
 * Sends the steps as one pipeline ending in a sync. Without BEGIN and COMMIT among them they are one implicit transaction. At the first error
 * the rest is skipped by the server; what the script began must then be rolled back by the owner (run "ROLLBACK"), unless the connection is
 * gone. Parameters are copied or sent before this returns. on_done runs exactly once, later, unless the link is freed first.
 * False: not started, and on_done is never called: SL_E_PG_UNREACHABLE while down, SL_E_BUG while busy, SL_E_LIMIT over a ceiling,
 * SL_E_PG_PERMANENT for a NUL byte in a text parameter.
 */
bool sl_pg_run(struct sl_pg_link *link, const struct sl_pg_step *steps, size_t count,
               sl_pg_done_fn *on_done, void *arg, struct sl_err *err) SL_MUST;

/*
 * Sends a text of several statements as it is, by the simple protocol; for migration files, never for text with values in it. Everything else
 * is as for sl_pg_run with one step, whose result is that of the last statement.
 */
bool sl_pg_run_text(struct sl_pg_link *link, const char *sql, sl_pg_done_fn *on_done, void *arg,
                    struct sl_err *err) SL_MUST;

/* Whether an address holds a password (or cannot be parsed, and then may): such a text must not come from argv. */
bool sl_pg_has_password(const char *conninfo);

/* Results are in text format. */
size_t sl_pg_rows(const struct sl_pg_result *result);
size_t sl_pg_columns(const struct sl_pg_result *result);
/* Absent for NULL. */
struct sl_span sl_pg_value(const struct sl_pg_result *result, size_t row, size_t column);
/* Rows changed, for commands that change rows. */
int64_t sl_pg_changed(const struct sl_pg_result *result);

SL_DEFINE_AUTO(struct sl_pg_link *, sl_pg_link_free)

#endif
