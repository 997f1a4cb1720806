/*
 * pg_session - a database session for a command: run this SQL, give me rows or one error, with a deadline.
 *
 * Synchronous: turns a loop of its own until the answer is there. Unlike the link beneath it, a session that is lost stays lost, since its
 * transaction and its locks are gone with it: every later call fails.
 * Refuses: answers of more than OPS_PG_ROWS_BYTES_MAX; a password on the command line, where every user of the machine can read it.
 * Threads: one owner.
 */
#ifndef OPS_PG_SESSION_H
#define OPS_PG_SESSION_H

#include "shared/arena.h"
#include "shared/pg/pg_link.h"

#define OPS_PG_ROWS_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* The jsonb of a row as every program of ours writes it: its times end in Z. The session's time zone is UTC. */
#define OPS_PG_ROW_JSON(row)                                                                       \
    "regexp_replace((" row                                                                         \
    ")::text, '(\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?)\\+00:00\"', '\\1Z\"', 'g')::jsonb"

struct ops_pg_session;

struct ops_pg_session_opts {
    const char *conninfo;         /* copied */
    const char *application_name; /* shown in pg_stat_activity; borrowed for the session's life */
    bool read_only;               /* a standby will do */
    int64_t open_ms;              /* until a session stands, over all hosts; default 15 s */
    int64_t statement_ms;         /* longest statement; default 20 s */
    int64_t lock_ms;              /* longest wait for a lock; default 5 s */
};

/* Rows of text. Zeroed storage before the first query; a later query replaces them. */
struct ops_pg_rows {
    struct sl_arena arena;
    const struct sl_span *cells; /* row by row */
    size_t row_count;
    size_t column_count;
    int64_t changed; /* rows changed by a command */
};

/*
 * The database to use, to be wiped and freed with ops_pg_address_free: the flag (may be NULL), else DATABASE_URL (environment, DATABASE_URL_FILE
 * or the SLUICE_CONFIG file), else the running local stack. NULL with SL_E_USAGE for a flag with a password, SL_E_CONFIG when nobody named one.
 */
char *ops_pg_address(const char *flag, struct sl_err *err) SL_MUST;
void ops_pg_address_free(char *address);

/* One round over the hosts; NULL with the reason of the last one. */
struct ops_pg_session *ops_pg_session_open(const struct ops_pg_session_opts *opts,
                                           struct sl_err *err) SL_MUST;
/* The same for the database that ops_pg_address finds, with the defaults above. */
struct ops_pg_session *ops_pg_session_here(const char *application_name, bool read_only,
                                           struct sl_err *err) SL_MUST;
/* Accepts NULL. What was not committed is rolled back. */
void ops_pg_session_free(struct ops_pg_session *session);

/* One statement with parameters. out_rows may be NULL; it is emptied on failure. */
bool ops_pg_query(struct ops_pg_session *session, const char *sql, const struct sl_pg_param *params,
                  size_t param_count, struct ops_pg_rows *out_rows, struct sl_err *err) SL_MUST;
/*
 * A text of several statements, as in a migration file. out_position (may be NULL): the 1-based character the server points at when it
 * fails, 0 when it points at none.
 */
bool ops_pg_text(struct ops_pg_session *session, const char *sql, size_t *out_position,
                 struct sl_err *err) SL_MUST;
/* SQLSTATE of the last failure; "" when there was none, or the connection failed. */
const char *ops_pg_sqlstate(const struct ops_pg_session *session);

/* Absent for NULL. */
struct sl_span ops_pg_cell(const struct ops_pg_rows *rows, size_t row, size_t column);
/* The cell as a NUL-terminated text, "" for NULL. */
const char *ops_pg_cell_text(const struct ops_pg_rows *rows, size_t row, size_t column);
void ops_pg_rows_done(struct ops_pg_rows *rows);

/* A text parameter. */
static inline struct sl_pg_param ops_pg_param(const char *text)
{
    return (struct sl_pg_param){ .value = sl_span_of(text) };
}

SL_DEFINE_AUTO(struct ops_pg_session *, ops_pg_session_free)
SL_DEFINE_AUTO(char *, ops_pg_address_free)

#endif
