/*
 * pg_link_parts - the inside of a database link, shared by its four files and nobody else.
 *
 *   pg_link.c          life, attempts, the socket, reconnecting
 *   pg_link_session.c  from an address to a session that is prepared
 *   pg_link_script.c   scripts: sending steps, reading results, settling
 *   pg_link_answer.c   what libpq and the server say, as our errors and values
 *
 * They are the only ones that include libpq; this header names its types without it.
 * Happy path: timer -> (resolve) -> PQconnectPoll until it is open -> one pipeline with the session's settings and the owner's statements ->
 * up. A script is written into libpq's buffer at once; after that the socket drives: what can be read is consumed before and after what can
 * be written is flushed, so that a server that answers while we still send never waits for us.
 * Failure: everything that ends a connection goes through sl_pg_go_down, which closes, settles the running script, picks the next address or
 * a wait, and tells the owner. A call of the owner that finds the connection dead leaves this to the next turn of the loop.
 */
#ifndef SHARED_PG_LINK_PARTS_H
#define SHARED_PG_LINK_PARTS_H

#include "shared/backoff.h"
#include "shared/pg/pg_hosts.h"
#include "shared/pg/pg_link.h"
#include "shared/resolve.h"

struct event;
struct pg_conn;           /* PGconn */
struct pg_result;         /* PGresult */
struct _PQconninfoOption; /* PQconninfoOption */

enum sl_pg_link_state {
    SL_PG_LINK_WAITING,
    SL_PG_LINK_RESOLVING,
    SL_PG_LINK_CONNECTING,
    SL_PG_LINK_PREPARING,
    SL_PG_LINK_UP
};

struct sl_pg_script {
    size_t count; /* steps; 0: no script */
    size_t at;    /* the step whose results are being read */
    bool is_text; /* simple protocol: one step, any number of results */
    bool has_result;
    struct sl_pg_result **results;
    const char **names; /* of prepared statements, NULL for SQL texts; the names are the owner's */
    struct pg_result *failure; /* the first error */
    size_t failed_step;
    sl_pg_done_fn *on_done;
    void *arg;
};

struct sl_pg_link {
    struct sl_pg_link_opts opts;
    struct _PQconninfoOption *options; /* DATABASE_URL, parsed; holds the password */
    struct sl_pg_hosts hosts;
    size_t host_at;
    struct sl_addresses addresses; /* of hosts.items[host_at] */
    size_t address_at;
    struct sl_resolver *resolver;
    struct sl_timer
        *timer; /* waiting: next attempt; connecting: its deadline; busy: the script's deadline */
    struct sl_backoff backoff;
    struct event *io;
    short watching; /* EV_READ, EV_WRITE; 0: nothing */
    struct pg_conn *conn;
    enum sl_pg_link_state state;
    bool has_tried;
    bool is_broken;  /* found dead while the owner was calling; the timer is armed to say so */
    bool is_entered; /* below one of our loop callbacks */
    bool is_doomed;  /* freed by the owner below one of our loop callbacks */
    unsigned stale_sessions;
    int64_t up_since_ms;
    char parting[192]; /* what the server said before it closed an idle session */
    struct sl_err why; /* of the last failure */
    struct sl_pg_script script;
};

/* pg_link.c */
void sl_pg_watch(struct sl_pg_link *link, short what); /* EV_READ, EV_WRITE */
void sl_pg_go_up(struct sl_pg_link *link);
/* Frees the connection, settles what ran on it, arms the next attempt and tells the owner; the last thing a callback does. */
void sl_pg_go_down(struct sl_pg_link *link, const struct sl_err *why);

/* pg_link_session.c */
bool sl_pg_read_address(struct sl_pg_link *link, const char *conninfo, struct sl_err *err);
void sl_pg_forget_address(struct sl_pg_link *link);
/* One value of the parsed address; NULL when it was not given. */
const char *sl_pg_option(const struct sl_pg_link *link, const char *keyword);
void sl_pg_connect_to(struct sl_pg_link *link, const char *address);
void sl_pg_poll_connection(struct sl_pg_link *link);

/* pg_link_script.c */
bool sl_pg_script_init(struct sl_pg_script *script, size_t count);
void sl_pg_script_done(struct sl_pg_script *script);
void sl_pg_pump(struct sl_pg_link *link, bool can_read);
/* The connection cannot be used any more; says why as exactly as is known. */
void sl_pg_lost(struct sl_pg_link *link);
/* Tells the owner how its script ended; why is NULL when the connection is still there. */
void sl_pg_settle(struct sl_pg_link *link, struct sl_pg_script *script, const struct sl_err *why);

/* pg_link_answer.c */
void sl_pg_describe(const struct sl_pg_link *link, const struct sl_pg_script *script,
                    struct sl_pg_error *out);
bool sl_pg_ends_session(const struct pg_result *failure);
bool sl_pg_is_stale(const struct pg_result *failure);
void sl_pg_fail_from_conn(const struct sl_pg_link *link, struct sl_err *err);
/* A server's message as a text of ours: one line, without the address's secrets. */
void sl_pg_clean(const struct sl_pg_link *link, const char *message, char *out, size_t out_bytes);

#endif
