/*
 * breaker_database - what an operator orders of a breaker, as it is told; and the database's breaker, as it is set: for all consumers with a row of sluice_control, and where Postgres cannot take one,
 * of this machine's consumer alone at its control socket.
 *
 * Threads: one.
 */
#ifndef OPS_BREAKER_DATABASE_H
#define OPS_BREAKER_DATABASE_H

#include "ops/daemon.h"
#include "ops/table.h"

struct ops_breaker_wish {
    bool is_trip;       /* else it is closed */
    const char *reason; /* NULL: none */
    int64_t for_ms;     /* 0: until it is closed */
    bool dry_run;       /* only says what it would do; *out_status 2 */
    enum ops_output output;
    struct ops_daemon_where where; /* this machine's consumer */
};

/* What was done, or would be: a sentence for people, a row for programs. */
struct ops_breaker_told {
    const char *subsystem;
    const char *type;
    const char *scope; /* " of …"; NULL: of all consumers */
    const char *what;
};
bool ops_breaker_tell(const struct ops_breaker_wish *wish, const struct ops_breaker_told *told,
                      struct sl_err *err) SL_MUST;

/* Says what it did. *out_status: 75 when not all follow yet. */
bool ops_breaker_database(const struct ops_breaker_wish *wish, int *out_status,
                          struct sl_err *err) SL_MUST;

/* Is this failure of Postgres one where the socket is asked instead? */
bool ops_breaker_is_away(const struct sl_err *why);
/* A row in the columns of `breaker list` for the breaker of this machine's consumer, when it is not closed. */
bool ops_breaker_database_show(const struct ops_daemon_where *where, struct ops_table *table,
                               struct sl_err *err) SL_MUST;

#endif
