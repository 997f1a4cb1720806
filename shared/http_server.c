#include "shared/http_server.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "shared/http_conn.h"

#define LISTEN_BACKLOG  1024
#define LISTEN_TEXT_MAX 128u
/* Without file descriptors the listener stays readable; accepting again at once would spin. */
#define ACCEPT_PAUSE_MS 100
/* Over connections_max, so many connections get a 503 before the rest is closed unanswered. */
#define REFUSED_CONNECTIONS_MAX 64u
/* At connections_max, a connection idle for this long makes room for a new one. */
#define IDLE_EVICT_MS 1000
/* From the last answer to the close; clients that follow the protocol need one round trip. */
#define LINGER_MS 2000

const struct sl_http_limits sl_http_limits_default = {
    .body_bytes_max = 1024u * 1024u,
    .bodies_bytes_max = 64u * 1024u * 1024u,
    .connections_max = 10000,
    .inflight_max = 4096,
    .head_ms = 5000,
    .body_ms = 10000,
    .idle_ms = 75000,
    .write_ms = 5000,
};

static bool has_limits(const struct sl_http_limits *limits);
static bool start_timers(struct sl_http_server *server, struct sl_err *err);
static bool start_listening(struct sl_http_server *server, struct sl_err *err);
static bool parse_listen(const char *listen, struct sockaddr_storage *out_address, int *out_bytes);
static unsigned port_of(int fd);
static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
                      int peer_bytes, void *arg);
static bool evict_idle(struct sl_http_server *server);
static void on_accept_error(struct evconnlistener *listener, void *arg);
static void on_accept_pause_over(void *arg);
static void on_deadline(void *arg);
static int64_t phase_ms(const struct sl_http_server *server, enum sl_http_phase phase);
static void arm_deadline(struct sl_http_server *server, int64_t deadline_ms, int64_t now_ms);
static void on_ready(void *arg);

struct sl_http_server *sl_http_server_new(const struct sl_http_server_opts *opts,
                                          struct sl_err *err)
{
    SL_ASSERT(opts->on_request != NULL);
    SL_ASSERT(has_limits(&opts->limits));
    SL_AUTO(sl_http_server_free) struct sl_http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for an HTTP server");
        return NULL;
    }
    server->opts = *opts;
    server->deadline_timer_ms = INT64_MAX;
    for (size_t i = 0; i < SL_HTTP_PHASES; i++) {
        TAILQ_INIT(&server->phases[i]);
    }
    TAILQ_INIT(&server->ready);
    TAILQ_INIT(&server->unanswered);
    TAILQ_INIT(&server->spare);
    if (!start_timers(server, err) || !start_listening(server, err)) {
        return NULL;
    }
    return SL_TAKE(server);
}

static bool has_limits(const struct sl_http_limits *limits)
{
    return limits->body_bytes_max > 0 && limits->bodies_bytes_max >= limits->body_bytes_max &&
           limits->connections_max > 0 && limits->inflight_max > 0 && limits->head_ms > 0 &&
           limits->body_ms > 0 && limits->idle_ms > 0 && limits->write_ms > 0;
}

static bool start_timers(struct sl_http_server *server, struct sl_err *err)
{
    server->deadline_timer = sl_timer_new(server->opts.loop, on_deadline, server);
    server->accept_timer = sl_timer_new(server->opts.loop, on_accept_pause_over, server);
    server->ready_timer = sl_timer_new(server->opts.loop, on_ready, server);
    if (server->deadline_timer == NULL || server->accept_timer == NULL ||
        server->ready_timer == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for an HTTP server");
    }
    return true;
}

static bool start_listening(struct sl_http_server *server, struct sl_err *err)
{
    struct sockaddr_storage address = { 0 };
    int bytes = 0;
    if (!parse_listen(server->opts.listen, &address, &bytes)) {
        return sl_fail(err, SL_E_CONFIG,
                       "\"%.80s\" is not a listen address such as 127.0.0.1:8080 or [::1]:8080",
                       server->opts.listen);
    }
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    if (server->opts.reuse_port) {
        flags |= LEV_OPT_REUSEABLE_PORT;
    }
    errno = 0;
    server->listener =
        evconnlistener_new_bind(sl_loop_base(server->opts.loop), on_accept, server, flags,
                                LISTEN_BACKLOG, (const struct sockaddr *)&address, bytes);
    if (server->listener == NULL) {
        return sl_fail(err, SL_E_NET_LISTEN, "cannot listen on %.80s: %s", server->opts.listen,
                       errno == 0 ? "unknown reason" : strerror(errno));
    }
    evconnlistener_set_error_cb(server->listener, on_accept_error);
    server->port = port_of(evconnlistener_get_fd(server->listener));
    server->opts.listen = NULL; /* was borrowed */
    return true;
}

/* Numeric addresses only; a port is required; no address is all of IPv4. */
static bool parse_listen(const char *listen, struct sockaddr_storage *out_address, int *out_bytes)
{
    if (listen == NULL || strlen(listen) >= LISTEN_TEXT_MAX) {
        return false;
    }
    const char *colon = strrchr(listen, ':');
    bool is_bracketed = listen[0] == '[' && colon > listen && colon[-1] == ']';
    if (colon == NULL || colon[1] < '0' || colon[1] > '9' ||
        (!is_bracketed && strchr(listen, ':') != colon)) {
        return false;
    }
    /* libevent takes no port for port 0. */
    int bytes = strcmp(colon, ":0") == 0 ? (int)(colon - listen) : (int)strlen(listen);
    char text[LISTEN_TEXT_MAX + sizeof "0.0.0.0"];
    snprintf(text, sizeof text, "%s%.*s", colon == listen ? "0.0.0.0" : "", bytes, listen);
    *out_bytes = (int)sizeof *out_address;
    return evutil_parse_sockaddr_port(text, (struct sockaddr *)out_address, out_bytes) == 0;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t bytes = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) {
        return 0;
    }
    return address.ss_family == AF_INET6
               ? ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port)
               : ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
                      int peer_bytes, void *arg)
{
    (void)listener;
    (void)peer_bytes;
    struct sl_http_server *server = arg;
    size_t connections_max = server->opts.limits.connections_max;
    if (server->connections >= connections_max && !evict_idle(server) &&
        server->connections >= connections_max + REFUSED_CONNECTIONS_MAX) {
        sl_http_server_count_refusal(server, 503, "too many connections");
        evutil_closesocket(fd);
        return;
    }
    struct sl_http_conn *conn = sl_http_conn_open(server, fd, peer);
    if (conn != NULL && server->connections > connections_max) {
        sl_http_conn_refuse(conn, 503, "too many connections");
    }
}

/* Closes the connection that has been idle longest; a flood of idle ones must not keep senders out. */
static bool evict_idle(struct sl_http_server *server)
{
    struct sl_http_conn *oldest = TAILQ_FIRST(&server->phases[SL_HTTP_IDLE]);
    int64_t idle_since_ms = oldest == NULL ? 0 : oldest->deadline_ms - server->opts.limits.idle_ms;
    if (oldest == NULL || oldest->is_ready || sl_clock_mono_ms() - idle_since_ms < IDLE_EVICT_MS) {
        return false;
    }
    sl_http_conn_close(oldest);
    return true;
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct sl_http_server *server = arg;
    evconnlistener_disable(listener);
    sl_timer_arm(server->accept_timer, ACCEPT_PAUSE_MS);
}

static void on_accept_pause_over(void *arg)
{
    struct sl_http_server *server = arg;
    if (server->listener != NULL) {
        evconnlistener_enable(server->listener);
    }
}

void sl_http_server_free(struct sl_http_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->listener != NULL) {
        evconnlistener_free(server->listener);
    }
    for (size_t i = 0; i < SL_HTTP_PHASES; i++) {
        struct sl_http_conn *conn = NULL;
        while ((conn = TAILQ_FIRST(&server->phases[i])) != NULL) {
            sl_http_conn_close(conn);
        }
    }
    struct sl_http_request *request = NULL;
    TAILQ_FOREACH(request, &server->unanswered, in_list)
    {
        request->server = NULL;
    }
    while ((request = TAILQ_FIRST(&server->spare)) != NULL) {
        TAILQ_REMOVE(&server->spare, request, in_list);
        sl_http_request_free(request);
    }
    sl_timer_free(server->deadline_timer);
    sl_timer_free(server->accept_timer);
    sl_timer_free(server->ready_timer);
    free(server);
}

void sl_http_server_drain(struct sl_http_server *server, void (*on_drained)(void *), void *arg)
{
    server->is_draining = true;
    server->on_drained = on_drained;
    server->drained_arg = arg;
    if (server->listener != NULL) {
        evconnlistener_free(server->listener);
        server->listener = NULL;
    }
    struct sl_http_conn *next = NULL;
    for (struct sl_http_conn *conn = TAILQ_FIRST(&server->phases[SL_HTTP_IDLE]); conn != NULL;
         conn = next) {
        next = TAILQ_NEXT(conn, in_phase);
        if (!conn->is_ready && !sl_http_conn_has_unread(conn)) {
            sl_http_conn_close(conn);
        }
    }
    sl_http_server_look_whether_drained(server);
}

unsigned sl_http_server_port(const struct sl_http_server *server)
{
    return server->port;
}

size_t sl_http_server_connections(const struct sl_http_server *server)
{
    return server->connections;
}

/* Services of the server to its connections. */

void sl_http_server_move(struct sl_http_conn *conn, enum sl_http_phase phase)
{
    struct sl_http_server *server = conn->server;
    TAILQ_REMOVE(&server->phases[conn->phase], conn, in_phase);
    TAILQ_INSERT_TAIL(&server->phases[phase], conn, in_phase);
    conn->phase = phase;
    if (phase != SL_HTTP_HANDED) {
        int64_t now_ms = sl_clock_mono_ms();
        conn->deadline_ms = now_ms + phase_ms(server, phase);
        arm_deadline(server, conn->deadline_ms, now_ms);
    }
}

static int64_t phase_ms(const struct sl_http_server *server, enum sl_http_phase phase)
{
    switch (phase) {
    case SL_HTTP_IDLE:
        return server->opts.limits.idle_ms;
    case SL_HTTP_HEADING:
        return server->opts.limits.head_ms;
    case SL_HTTP_BODYING:
        return server->opts.limits.body_ms;
    case SL_HTTP_WRITING:
        return server->opts.limits.write_ms;
    case SL_HTTP_LINGERING:
        return LINGER_MS;
    case SL_HTTP_HANDED:
    case SL_HTTP_PHASES:
        break;
    }
    return INT64_MAX / 2;
}

/* The timer may be early, never late: most deadlines are left before they are due, and then cost nothing more. */
static void arm_deadline(struct sl_http_server *server, int64_t deadline_ms, int64_t now_ms)
{
    if (deadline_ms < server->deadline_timer_ms) {
        server->deadline_timer_ms = deadline_ms;
        sl_timer_arm(server->deadline_timer, deadline_ms > now_ms ? deadline_ms - now_ms : 0);
    }
}

static void on_deadline(void *arg)
{
    struct sl_http_server *server = arg;
    int64_t now_ms = sl_clock_mono_ms();
    server->deadline_timer_ms = INT64_MAX;
    for (enum sl_http_phase phase = 0; phase < SL_HTTP_PHASES; phase++) {
        if (phase == SL_HTTP_HANDED) {
            continue;
        }
        struct sl_http_conn *conn = NULL;
        while ((conn = TAILQ_FIRST(&server->phases[phase])) != NULL &&
               conn->deadline_ms <= now_ms) {
            sl_http_conn_expire(conn);
        }
    }
    for (enum sl_http_phase phase = 0; phase < SL_HTTP_PHASES; phase++) {
        const struct sl_http_conn *conn = TAILQ_FIRST(&server->phases[phase]);
        if (phase != SL_HTTP_HANDED && conn != NULL) {
            arm_deadline(server, conn->deadline_ms, now_ms);
        }
    }
}

void sl_http_server_ready(struct sl_http_conn *conn)
{
    struct sl_http_server *server = conn->server;
    if (!conn->is_ready) {
        conn->is_ready = true;
        TAILQ_INSERT_TAIL(&server->ready, conn, in_ready);
        sl_timer_arm(server->ready_timer, 0);
    }
}

static void on_ready(void *arg)
{
    struct sl_http_server *server = arg;
    struct sl_http_conn *conn = NULL;
    while ((conn = TAILQ_FIRST(&server->ready)) != NULL) {
        TAILQ_REMOVE(&server->ready, conn, in_ready);
        conn->is_ready = false;
        sl_http_conn_advance(conn);
    }
    if (server->on_drained != NULL && server->connections == 0 && server->inflight == 0) {
        void (*on_drained)(void *) = server->on_drained;
        server->on_drained = NULL;
        on_drained(server->drained_arg); /* may free the server */
    }
}

void sl_http_server_look_whether_drained(struct sl_http_server *server)
{
    if (server->on_drained != NULL && server->connections == 0 && server->inflight == 0) {
        sl_timer_arm(server->ready_timer, 0);
    }
}

void sl_http_server_forget(struct sl_http_conn *conn)
{
    struct sl_http_server *server = conn->server;
    TAILQ_REMOVE(&server->phases[conn->phase], conn, in_phase);
    if (conn->is_ready) {
        TAILQ_REMOVE(&server->ready, conn, in_ready);
    }
    server->connections--;
    sl_http_server_look_whether_drained(server);
}

void sl_http_server_count_refusal(struct sl_http_server *server, int status, const char *why)
{
    if (server->opts.on_refused != NULL) {
        server->opts.on_refused(status, why, server->opts.arg);
    }
}

const char *sl_http_server_date(struct sl_http_server *server)
{
    int64_t now_s = sl_clock_wall_us() / 1000000;
    if (now_s != server->date_s) {
        server->date_s = now_s;
        sl_http_date(now_s, server->date);
    }
    return server->date;
}
