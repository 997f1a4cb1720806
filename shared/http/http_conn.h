/*
 * http_conn - one connection of http_server: bytes in, requests out, one answer back.
 *
 * Private to http_server.c (deadlines, drain), http_accept.c (listeners), http_conn.c (one connection), http_read.c (its input) and
 * http_request.c. The server owns the listener, the limits, the lists and the clock; a connection owns its
 * socket and the request that is being read on it. A request that was handed out belongs to the handler until it is answered, and
 * outlives its connection and its server.
 *
 * A connection is in exactly one phase, and so in exactly one list of the server. Every phase has one fixed time limit, so each
 * list is in the order of its deadlines and the whole server needs one timer.
 * Threads: belongs to the server's loop.
 */
#ifndef SHARED_HTTP_CONN_H
#define SHARED_HTTP_CONN_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "shared/buf.h"
#include "shared/http/http_peers.h"
#include "shared/http/http_render.h"
#include "shared/http/http_server.h"

struct bufferevent;
struct evconnlistener;
struct sockaddr;

enum sl_http_phase {
    SL_HTTP_SHAKING, /* TLS is being agreed on */
    SL_HTTP_IDLE,    /* no byte of a request yet */
    SL_HTTP_HEADING, /* part of a head */
    SL_HTTP_BODYING, /* head complete, body not */
    SL_HTTP_HANDED,  /* with the handler; no limit here */
    SL_HTTP_WRITING, /* the kernel has not taken the whole answer */
    SL_HTTP_LINGERING, /* answered for the last time; reads on, so that a reset does not overtake the answer */
    SL_HTTP_PHASES
};

/* What follows the answer that is being written. */
enum sl_http_after { SL_HTTP_THEN_KEEP, SL_HTTP_THEN_CLOSE, SL_HTTP_THEN_LINGER };

struct sl_http_request {
    struct sl_http_server *server; /* NULL once the server is freed */
    struct sl_http_conn *conn;     /* NULL once the client is gone */
    struct sl_http_head head;      /* borrows from head_bytes */
    struct sl_buf head_bytes;
    struct sl_buf body;
    int64_t received_us;
    int64_t started_us;
    char peer[INET6_ADDRSTRLEN];
    TAILQ_ENTRY(sl_http_request) in_list; /* of the unanswered, or of the spare */
};
TAILQ_HEAD(sl_http_request_list, sl_http_request);

struct sl_http_conn {
    struct sl_http_server *server;
    struct bufferevent *bev;
    struct sl_http_request *request; /* NULL, or being read, or (HANDED) with the handler */
    struct sl_http_chunks chunks;
    enum sl_http_phase phase;
    enum sl_http_after after;
    bool is_advancing; /* inside sl_http_conn_advance, which then disposes of it */
    bool is_dead;      /* to be closed as soon as nobody is inside */
    bool is_ready;     /* in the server's ready list */
    bool is_paused;    /* not reading: enough is pipelined behind the request with the handler */
    bool peer_is_done; /* the client has closed its sending side */
    bool is_tls;
    int64_t deadline_ms;
    int64_t body_since_ms; /* end of the head */
    int64_t received_us;   /* first byte of the request being read; 0: none yet */
    int64_t started_us;
    size_t answered;        /* requests on this connection */
    size_t searched_bytes;  /* of an unfinished head, known to hold no new line end */
    size_t discarded_bytes; /* while lingering */
    char peer[INET6_ADDRSTRLEN];
    struct sl_http_peer *counted; /* NULL: its address is not counted */
    TAILQ_ENTRY(sl_http_conn) in_phase;
    TAILQ_ENTRY(sl_http_conn) in_ready;
};
TAILQ_HEAD(sl_http_conn_list, sl_http_conn);

struct sl_http_listener {
    struct sl_http_server *server;
    struct evconnlistener *listener;
    struct sl_tls_server *tls; /* NULL: without TLS */
};

/* Counted by all servers that share it; each limit is compared with these. */
struct sl_http_totals {
    struct sl_http_peers *peers;
    _Atomic size_t connections;
    _Atomic size_t inflight;
    _Atomic size_t bodies_bytes; /* of all requests that are not recycled */
};

struct sl_http_server {
    struct sl_http_server_opts opts;
    struct sl_http_listener listeners[SL_HTTP_LISTENERS_MAX]; /* none once draining */
    size_t listener_count;
    struct sl_http_totals *totals;
    struct sl_http_totals *own_totals; /* NULL: they are several servers' */
    struct sl_timer *deadline_timer;   /* due at or before the earliest deadline */
    int64_t deadline_timer_ms;         /* INT64_MAX: not armed */
    struct sl_timer *accept_timer;     /* ends a pause of accepting */
    struct sl_timer *ready_timer;      /* armed at 0: look at the ready list, and whether drained */
    struct sl_http_conn_list phases[SL_HTTP_PHASES];
    struct sl_http_conn_list ready; /* have input that an answer given from outside made readable */
    struct sl_http_request_list unanswered;
    struct sl_http_request_list spare; /* kept with their buffers for the next requests */
    size_t spare_count;
    size_t connections;
    size_t inflight;
    unsigned port;
    bool is_draining;
    void (*on_drained)(void *);
    void *drained_arg;
    int64_t date_s; /* of date */
    char date[SL_HTTP_DATE_BYTES];
};

/* Takes fd. NULL without memory; fd is then closed. */
struct sl_http_conn *sl_http_conn_open(const struct sl_http_listener *listener, int fd,
                                       const struct sockaddr *peer) SL_MUST;
/* Whether a body of this length keeps the least rate, so long after its head. */
bool sl_http_is_body_too_slow(const struct sl_http_limits *limits, size_t body_bytes,
                              int64_t elapsed_ms);
/* Closes at once. A request with the handler goes on without its connection. */
void sl_http_conn_close(struct sl_http_conn *conn);
/* Reads and hands out as far as the input goes. May close the connection. */
void sl_http_conn_advance(struct sl_http_conn *conn);
/* Its deadline has passed: answers or closes. */
void sl_http_conn_expire(struct sl_http_conn *conn);
/* Answers without the handler, with a fixed body, and ends the connection. May close it. */
void sl_http_conn_refuse(struct sl_http_conn *conn, int status, const char *why);
/* The handler's answer to the request that was handed out; never hands out another from inside. May close the connection. */
void sl_http_conn_answer(struct sl_http_conn *conn, const struct sl_http_reply *reply);
/* Sends "100 Continue". */
void sl_http_conn_continue(struct sl_http_conn *conn);
bool sl_http_conn_has_input(const struct sl_http_conn *conn);
/* Whether the kernel holds bytes of a request that we have not read yet. */
bool sl_http_conn_has_unread(const struct sl_http_conn *conn);

/* Services of the server to its connections. */
void sl_http_server_move(struct sl_http_conn *conn, enum sl_http_phase phase);
/* Has the connection advanced in the next turn of the loop. */
void sl_http_server_ready(struct sl_http_conn *conn);
void sl_http_server_forget(struct sl_http_conn *conn);
void sl_http_server_count_refusal(struct sl_http_server *server, int status, const char *why);
/* The Date field's value, as of now. */
const char *sl_http_server_date(struct sl_http_server *server);

/* Arms on_drained when that was the last of it; never calls it from inside. */
void sl_http_server_look_whether_drained(struct sl_http_server *server);

/* http_accept.c, beside sl_http_server_listen. */
void sl_http_accept_stop(struct sl_http_server *server);
/* A timer's callback: the pause is over. */
void sl_http_accept_again(void *server);

/* http_read.c: one step of taking a request out of the input. True: there may be more to do with the input at hand. */
bool sl_http_read_step(struct sl_http_conn *conn);

/* http_request.c: requests with their buffers, reused. NULL without memory. */
struct sl_http_request *sl_http_request_take(struct sl_http_server *server) SL_MUST;
/* To the handler, which may answer before this returns. */
void sl_http_request_hand_out(struct sl_http_server *server, struct sl_http_request *request);
/* Takes back one that is answered, or that nobody will answer. */
void sl_http_request_recycle(struct sl_http_server *server, struct sl_http_request *request);
void sl_http_request_free(struct sl_http_request *request);

#endif
