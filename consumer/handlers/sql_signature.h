/*
 * sql_signature - what a function of a section `handler = sql` takes, and the statement that calls it for many events at once.
 *
 * Decides only: the rows of function.sql in, the statement out. A function takes any of the arguments listed here, by name, in any order; more
 * of its own need a default.
 * Law: schemas/handlers.md.
 * Threads: no state.
 */
#ifndef CONSUMER_SQL_SIGNATURE_H
#define CONSUMER_SQL_SIGNATURE_H

#include "consumer/event_columns.h"

#define CON_SQL_ARGUMENTS_MAX 100u /* FUNC_MAX_ARGS */

/* A row of function.sql. */
struct con_sql_argument {
    struct sl_span function; /* its identity */
    struct sl_span kind;     /* "f": a function */
    struct sl_span name;     /* absent: it takes none */
    struct sl_span type;
    bool returns_set;
    bool has_default;
};

struct con_sql_signature {
    enum con_event_column columns[CON_EVENT_COLUMNS]; /* parameters of the statement, in order */
    size_t column_count;
    bool takes_raw; /* so the body may be one that is not JSON */
};

/*
 * function: as in the section. out_sql gets the statement; it returns place and the function's result for each event, in order. False: it
 * cannot be called, and err says why and what is expected (SL_E_PG_UNREADY: there is none yet; SL_E_PG_HALT: a person must act).
 */
bool con_sql_signature_read(const char *function, const struct con_sql_argument *arguments,
                            size_t count, struct con_sql_signature *out, struct sl_buf *out_sql,
                            struct sl_err *err) SL_MUST;

#endif
