/*
 * The path of a good request: bytes arrive (on_read), http_read takes them out of the input and hands the request out; the answer is
 * sent at once if the socket takes it, and the connection is idle again.
 * What can go wrong: a malformed or oversized part (sl_http_conn_refuse: fixed answer, then linger), a deadline (sl_http_conn_expire),
 * a client that has gone (on_event). Nothing closes a connection while sl_http_conn_advance is inside it; it is marked dead instead.
 */
#include "shared/http/http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "shared/clock.h"
#include "shared/tls.h"

/* A connection's unread input: one head, and what is pipelined behind the request with the handler. */
#define INPUT_BYTES_MAX (2u * SL_HTTP_HEAD_BYTES_MAX)
/* Read and thrown away behind a last answer: enough for a client that sends its whole upload before it looks. */
#define LINGER_BYTES_MAX (8u * 1024u * 1024u)

static struct bufferevent *open_bev(const struct sl_http_listener *listener, int fd);
static void on_read(struct bufferevent *bev, void *arg);
static void on_written(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);
static void copy_peer(const struct sockaddr *peer, char out_text[INET6_ADDRSTRLEN]);
static void discard_input(struct sl_http_conn *conn);
static void look_at_body(struct sl_http_conn *conn);
static void send_answer(struct sl_http_conn *conn, const struct sl_http_reply *reply,
                        enum sl_http_connection connection, bool with_body);
static bool send_bytes(struct sl_http_conn *conn, struct iovec *parts, int part_count);
static void finish_answer(struct sl_http_conn *conn);
static void settle(struct sl_http_conn *conn);
static bool has_output(const struct sl_http_conn *conn);

struct sl_http_conn *sl_http_conn_open(const struct sl_http_listener *listener, int fd,
                                       const struct sockaddr *peer)
{
    struct sl_http_server *server = listener->server;
    struct sl_http_conn *conn = calloc(1, sizeof *conn);
    struct bufferevent *bev = open_bev(listener, fd);
    if (conn == NULL || bev == NULL) {
        free(conn);
        if (bev != NULL) {
            bufferevent_free(bev);
        }
        return NULL;
    }
    conn->server = server;
    conn->bev = bev;
    conn->is_tls = listener->tls != NULL;
    conn->counted = sl_http_peers_take(server->totals->peers, peer);
    copy_peer(peer, conn->peer);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bufferevent_setcb(bev, on_read, on_written, on_event, conn);
    bufferevent_enable(bev, EV_READ);

    conn->phase = conn->is_tls ? SL_HTTP_SHAKING : SL_HTTP_IDLE;
    TAILQ_INSERT_TAIL(&server->phases[conn->phase], conn, in_phase);
    server->connections++;
    atomic_fetch_add_explicit(&server->totals->connections, 1, memory_order_relaxed);
    sl_http_server_move(conn, conn->phase);
    return conn;
}

/* Takes fd, also when it fails. */
static struct bufferevent *open_bev(const struct sl_http_listener *listener, int fd)
{
    struct event_base *base = sl_loop_base(listener->server->opts.loop);
    if (listener->tls != NULL) {
        return sl_tls_server_open(listener->tls, base, fd);
    }
    struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        evutil_closesocket(fd);
    }
    return bev;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct sl_http_conn *conn = arg;
    if (conn->phase != SL_HTTP_HANDED && conn->phase != SL_HTTP_WRITING) {
        sl_http_conn_advance(conn);
    } else if (evbuffer_get_length(bufferevent_get_input(bev)) >= INPUT_BYTES_MAX) {
        /* Instead of a high watermark, at which libevent 2.1 calls back in every turn, and for which it takes memory without looking whether it got any. */
        conn->is_paused = true;
        bufferevent_disable(bev, EV_READ);
    }
}

static void on_written(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct sl_http_conn *conn = arg;
    if (conn->phase == SL_HTTP_WRITING) {
        finish_answer(conn);
        sl_http_conn_advance(conn);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct sl_http_conn *conn = arg;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        sl_http_server_move(conn, SL_HTTP_IDLE);
        return;
    }
    if (conn->phase == SL_HTTP_SHAKING) {
        sl_http_server_count_refusal(conn->server, 400, "TLS could not be agreed on");
    }
    /* TLS ends both ways at once (the library stops writing too): who has said goodbye reads no answer. */
    if ((what & BEV_EVENT_EOF) == 0 || conn->is_tls) {
        sl_http_conn_close(conn);
        return;
    }
    conn->peer_is_done = true; /* what it has sent before still gets its answers */
    if (conn->phase != SL_HTTP_HANDED && conn->phase != SL_HTTP_WRITING) {
        sl_http_conn_advance(conn);
    }
}

/* IPv4 in IPv6 is shown as IPv4, so that one address has one text. */
static void copy_peer(const struct sockaddr *peer, char out_text[INET6_ADDRSTRLEN])
{
    const void *address = NULL;
    int family = peer->sa_family;
    if (family == AF_UNIX) {
        snprintf(out_text, INET6_ADDRSTRLEN, "local");
        return;
    }
    if (family == AF_INET) {
        address = &((const struct sockaddr_in *)(const void *)peer)->sin_addr;
    } else if (family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(six);
        family = is_mapped ? AF_INET : AF_INET6;
        address = is_mapped ? six->s6_addr + 12 : six->s6_addr;
    }
    if (address == NULL || inet_ntop(family, address, out_text, INET6_ADDRSTRLEN) == NULL) {
        snprintf(out_text, INET6_ADDRSTRLEN, "unknown");
    }
}

void sl_http_conn_close(struct sl_http_conn *conn)
{
    SL_ASSERT(!conn->is_advancing);
    struct sl_http_server *server = conn->server;
    if (conn->request != NULL && conn->phase == SL_HTTP_HANDED) {
        conn->request->conn = NULL;
    } else if (conn->request != NULL) {
        sl_http_request_recycle(server, conn->request);
    }
    sl_tls_close(conn->bev);
    bufferevent_free(conn->bev);
    sl_http_server_forget(conn);
    sl_http_peer_give(conn->counted);
    free(conn);
}

void sl_http_conn_advance(struct sl_http_conn *conn)
{
    SL_ASSERT(!conn->is_advancing);
    conn->is_advancing = true;
    bool goes_on = true;
    while (goes_on && !conn->is_dead) {
        switch (conn->phase) {
        case SL_HTTP_IDLE:
        case SL_HTTP_HEADING:
        case SL_HTTP_BODYING:
            goes_on = sl_http_read_step(conn);
            break;
        case SL_HTTP_LINGERING:
            discard_input(conn);
            goes_on = false;
            break;
        case SL_HTTP_SHAKING:
        case SL_HTTP_HANDED:
        case SL_HTTP_WRITING:
        case SL_HTTP_PHASES:
            goes_on = false;
            break;
        }
    }
    conn->is_advancing = false;
    if (conn->is_dead) {
        sl_http_conn_close(conn);
    }
}

static void discard_input(struct sl_http_conn *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t have = evbuffer_get_length(input);
    evbuffer_drain(input, have);
    conn->discarded_bytes += have;
    conn->is_dead = conn->peer_is_done || conn->discarded_bytes > LINGER_BYTES_MAX;
}

void sl_http_conn_expire(struct sl_http_conn *conn)
{
    switch (conn->phase) {
    case SL_HTTP_SHAKING:
        sl_http_server_count_refusal(conn->server, 408, "TLS handshake too slow");
        sl_http_conn_close(conn);
        return;
    case SL_HTTP_HEADING:
        sl_http_conn_refuse(conn, 408, "head too slow");
        return;
    case SL_HTTP_BODYING:
        look_at_body(conn);
        return;
    case SL_HTTP_IDLE:
    case SL_HTTP_WRITING:
    case SL_HTTP_LINGERING:
        sl_http_conn_close(conn);
        return;
    case SL_HTTP_HANDED:
    case SL_HTTP_PHASES:
        break;
    }
    SL_ASSERT(false);
}

static void look_at_body(struct sl_http_conn *conn)
{
    int64_t elapsed_ms = sl_clock_mono_ms() - conn->body_since_ms;
    if (sl_http_is_body_too_slow(&conn->server->opts.limits, conn->request->body.used_bytes,
                                 elapsed_ms)) {
        sl_http_conn_refuse(conn, 408, "body too slow");
        return;
    }
    sl_http_server_move(conn, SL_HTTP_BODYING);
}

/* The reason stays with us; the client gets the status only. */
void sl_http_conn_refuse(struct sl_http_conn *conn, int status, const char *why)
{
    sl_http_server_count_refusal(conn->server, status, why);
    if (conn->request != NULL) {
        sl_http_request_recycle(conn->server, conn->request);
        conn->request = NULL;
    }
    char body[96];
    int bytes = snprintf(body, sizeof body, "{\"error\":\"%s\"}", sl_http_status_text(status));
    struct sl_http_reply reply = { .status = status,
                                   .body = sl_span_make(body, (size_t)bytes),
                                   .retry_after_s = status == 503 || status == 429 ? 1 : 0 };
    conn->after = SL_HTTP_THEN_LINGER;
    send_answer(conn, &reply, SL_HTTP_CLOSE, true);
    settle(conn);
}

void sl_http_conn_continue(struct sl_http_conn *conn)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec part = { .iov_base = (void *)(uintptr_t)go_on, .iov_len = sizeof go_on - 1 };
    conn->is_dead = !send_bytes(conn, &part, 1);
}

void sl_http_conn_answer(struct sl_http_conn *conn, const struct sl_http_reply *reply)
{
    const struct sl_http_head *head = &conn->request->head;
    enum sl_http_connection connection = SL_HTTP_CLOSE;
    bool has_input = sl_http_conn_has_input(conn);
    bool is_last = reply->close || conn->server->is_draining ||
                   ++conn->answered >= conn->server->opts.limits.requests_max;
    if (is_last || (!head->keep_alive && has_input)) {
        conn->after = SL_HTTP_THEN_LINGER; /* the client may be sending still */
    } else if (!head->keep_alive || (conn->peer_is_done && !has_input)) {
        conn->after = SL_HTTP_THEN_CLOSE;
    } else {
        conn->after = SL_HTTP_THEN_KEEP;
        connection = head->minor_version == 0 ? SL_HTTP_KEEP_ALIVE : SL_HTTP_UNSAID;
    }
    bool is_head = sl_span_is(head->method, "HEAD");
    conn->request = NULL;
    send_answer(conn, reply, connection, !is_head);
    settle(conn);
}

/* The answer to HEAD tells the length of a body that it does not have (RFC 9110 section 9.3.2). */
static void send_answer(struct sl_http_conn *conn, const struct sl_http_reply *reply,
                        enum sl_http_connection connection, bool with_body)
{
    const struct sl_http_answer_head head = {
        .status = reply->status,
        .content_type = reply->content_type == NULL ? "application/json" : reply->content_type,
        .body_bytes = reply->body.bytes,
        .retry_after_s = reply->retry_after_s,
        .allow = reply->allow,
        .authenticate = reply->authenticate,
        .etag = reply->etag,
        .date = sl_http_server_date(conn->server),
        .connection = connection,
    };
    char bytes[SL_HTTP_ANSWER_HEAD_BYTES_MAX];
    struct iovec parts[2] = {
        { .iov_base = bytes, .iov_len = sl_http_render_head(&head, bytes) },
        { .iov_base = (void *)(uintptr_t)reply->body.data, .iov_len = reply->body.bytes },
    };
    if (!send_bytes(conn, parts, with_body && reply->body.bytes > 0 ? 2 : 1)) {
        conn->is_dead = true;
    } else if (has_output(conn)) {
        sl_http_server_move(conn, SL_HTTP_WRITING);
    } else {
        finish_answer(conn);
    }
}

/*
 * One write when the socket takes all of it, which is nearly always: no readiness to register, no copy. What it does not take is
 * queued. Uses up parts. False: the client is gone, or no memory.
 */
static bool send_bytes(struct sl_http_conn *conn, struct iovec *parts, int part_count)
{
    size_t sent = 0;
    if (!conn->is_tls && !has_output(conn)) {
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)part_count };
        ssize_t result = sendmsg(bufferevent_getfd(conn->bev), &message, MSG_NOSIGNAL);
        if (result < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        sent = result < 0 ? 0 : (size_t)result;
    }
    for (int i = 0; i < part_count; i++) {
        size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        sent -= skip;
        if (skip < parts[i].iov_len &&
            bufferevent_write(conn->bev, (char *)parts[i].iov_base + skip,
                              parts[i].iov_len - skip) != 0) {
            return false;
        }
    }
    return true;
}

/* The kernel has all of the answer. */
static void finish_answer(struct sl_http_conn *conn)
{
    if (conn->is_paused) {
        conn->is_paused = false;
        bufferevent_enable(conn->bev, EV_READ);
    }
    switch (conn->after) {
    case SL_HTTP_THEN_KEEP:
        conn->started_us = 0;
        sl_http_server_move(conn, SL_HTTP_IDLE);
        return;
    case SL_HTTP_THEN_CLOSE:
        conn->is_dead = true;
        return;
    case SL_HTTP_THEN_LINGER:
        sl_tls_close(conn->bev);
        shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
        conn->is_dead = conn->peer_is_done;
        sl_http_server_move(conn, SL_HTTP_LINGERING);
        return;
    }
}

/* After an answer from outside of sl_http_conn_advance: it closes here, or goes on in the next turn of the loop. */
static void settle(struct sl_http_conn *conn)
{
    if (conn->is_advancing) {
        return;
    }
    if (conn->is_dead) {
        sl_http_conn_close(conn);
    } else if (conn->phase != SL_HTTP_WRITING &&
               (conn->peer_is_done || sl_http_conn_has_input(conn))) {
        sl_http_server_ready(conn);
    }
}

bool sl_http_conn_has_input(const struct sl_http_conn *conn)
{
    return evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0;
}

bool sl_http_conn_has_unread(const struct sl_http_conn *conn)
{
    char byte = 0;
    return recv(bufferevent_getfd(conn->bev), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool has_output(const struct sl_http_conn *conn)
{
    return evbuffer_get_length(bufferevent_get_output(conn->bev)) > 0;
}
