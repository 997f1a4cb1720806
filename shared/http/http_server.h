/*
 * http_server - connections, deadlines and limits around http_parse; one per loop.
 *
 * Hands each complete request to one handler, which may answer at once or later; answers go out in order. When the client has gone
 * away the answer is dropped, the event it carried goes on. One request at a time per connection is handed out (pipelined ones wait
 * in the read buffer). The handler is never called from inside sl_http_reply or sl_http_server_drain.
 * Limits, each with an answer: head 16 KiB (431), body (413, counted while reading; 503 when all bodies together pass their limit), head and body time and a
 * body's rate (408), in-flight requests and connections overall (503 + Retry-After; a connection idle for a second makes room first),
 * connections of one address (429), idle and write time (close).
 * Unframed or ambiguous requests: 400 and close. After such a last answer the connection reads on for a moment, so that a client that is
 * still sending can read it. A client that half-closes gets the answers to all it has sent.
 * Refuses: routing, policy, knowledge of what is posted. The program ignores SIGPIPE.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_HTTP_SERVER_H
#define SHARED_HTTP_SERVER_H

#include "shared/http/http_parse.h"
#include "shared/loop.h"

struct sl_http_server;
struct sl_http_totals;
struct sl_tls_server;
struct sl_http_request; /* lives from the handler call until sl_http_reply */

struct sl_http_limits {
    size_t body_bytes_max;
    size_t bodies_bytes_max; /* of all requests together, being read or not answered yet */
    size_t connections_max;
    size_t per_peer_max;  /* connections of one public address (http_peers); 0: no limit */
    size_t inflight_max;  /* requests handed out and not answered */
    size_t requests_max;  /* answered on one connection before it is closed */
    size_t body_rate_min; /* bytes a second that a body must bring after its first two seconds */
    int64_t head_ms;      /* first byte to end of head */
    int64_t body_ms;      /* end of head to end of body */
    int64_t idle_ms;      /* keep-alive without a byte */
    int64_t write_ms;     /* answer to last byte taken by the kernel */
};
/*
 * 1 MiB, 64 MiB for all, 10,000 connections, 256 of one address, 4,096 in flight, 1,000 on a connection, 1 KiB/s, 5 s, 10 s, 75 s, 5 s.
 * From its first byte to its last a request has head_ms and body_ms together, whatever it drips.
 */
extern const struct sl_http_limits sl_http_limits_default;

/* What several servers, each in a loop of its own, count together: their limits then hold for all of them. */
struct sl_http_totals *sl_http_totals_new(struct sl_err *err) SL_MUST;
/* After the servers. Accepts NULL. */
void sl_http_totals_free(struct sl_http_totals *totals);
/* Open connections of all of them. */
size_t sl_http_totals_connections(const struct sl_http_totals *totals);

/* Where connections come in. */
struct sl_http_listen {
    const char *address; /* as listen.h takes it; borrowed for the call */
    int fd;              /* > 0: this socket instead, which listens already and is taken over */
    bool is_shared;      /* several loops listen on the same TCP address */
    struct sl_tls_server *tls; /* NULL: without TLS; else borrowed, outlives the server */
};
#define SL_HTTP_LISTENERS_MAX 4u

struct sl_http_server_opts {
    struct sl_loop *loop;
    const char *listen; /* first address, as listen.h takes it; borrowed for the call; NULL: none */
    struct sl_http_limits limits;
    struct sl_http_totals *totals; /* borrowed; NULL: this server counts for itself */
    /* Must lead to exactly one sl_http_reply, now or later. */
    void (*on_request)(struct sl_http_request *request, void *arg);
    /* Requests answered without the handler (bad framing, limits): for metrics; why is a constant phrase. May be NULL. */
    void (*on_refused)(int status, const char *why, void *arg);
    /* Requests answered by the handler, just before they end: for metrics. May be NULL. */
    void (*on_answered)(const struct sl_http_request *request, int status, void *arg);
    void *arg;
};

struct sl_http_server *sl_http_server_new(const struct sl_http_server_opts *opts,
                                          struct sl_err *err) SL_MUST;
/* Listens at one more place; at most SL_HTTP_LISTENERS_MAX. */
bool sl_http_server_listen(struct sl_http_server *server, const struct sl_http_listen *listen,
                           struct sl_err *err) SL_MUST;
/*
 * Closes the listeners and every connection at once. Unanswered requests stay valid until their reply. Not from inside on_request.
 * Accepts NULL.
 */
void sl_http_server_free(struct sl_http_server *server);

/*
 * Stops accepting; connections close after their current answer, idle ones at once. on_drained runs once, later, when the last connection
 * is gone and every request handed out is answered; it may free the server. Only once per server.
 */
void sl_http_server_drain(struct sl_http_server *server, void (*on_drained)(void *), void *arg);

/*
 * Listens where another server does, which may belong to another loop: on a socket of its own where that one's TCP address is shared (SO_REUSEPORT), else
 * on the same one. Each of its listeners, with its TLS.
 */
bool sl_http_server_join(struct sl_http_server *server, const struct sl_http_server *other,
                         struct sl_err *err) SL_MUST;
/* The port in use (for listen addresses with port 0). */
unsigned sl_http_server_port(const struct sl_http_server *server);
size_t sl_http_server_connections(const struct sl_http_server *server);

/* All borrowed until sl_http_reply. */
const struct sl_http_head *sl_http_request_head(const struct sl_http_request *request);
struct sl_span sl_http_request_body(const struct sl_http_request *request);
/* Wall clock at the request's first byte, microseconds. */
int64_t sl_http_request_received_us(const struct sl_http_request *request);
/* Monotonic clock at the request's first byte, microseconds. */
int64_t sl_http_request_started_us(const struct sl_http_request *request);
/* Peer address as text, "127.0.0.1". */
const char *sl_http_request_peer(const struct sl_http_request *request);

struct sl_http_reply {
    int status;
    const char *content_type; /* NULL: "application/json" */
    struct sl_span body;      /* copied */
    unsigned retry_after_s;   /* 0: no Retry-After */
    const char *allow;        /* Allow, for 405; NULL: none */
    const char *authenticate; /* WWW-Authenticate, for 401; NULL: none */
    const char *etag;         /* ETag, with its quotes; NULL: none */
    bool close;               /* close the connection after this answer */
};
/* Ends the request. */
void sl_http_reply(struct sl_http_request *request, const struct sl_http_reply *reply);

SL_DEFINE_AUTO(struct sl_http_server *, sl_http_server_free)
SL_DEFINE_AUTO(struct sl_http_totals *, sl_http_totals_free)

#endif
