/*
 * A connection comes in: count it, make room for it, or say why not.
 * What can go wrong: too many connections overall or of one address (a short answer for the first of them, then closed unread), no file
 * descriptors (an idle connection makes room; when there is none, accepting pauses, for the listener stays readable and trying again at
 * once would spin).
 */
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/http/http_conn.h"
#include "shared/listen.h"

#define ACCEPT_PAUSE_MS 100
/* Over connections_max, or over per_peer_max, so many connections get an answer before the rest is closed unanswered. */
#define REFUSED_CONNECTIONS_MAX 64u
#define REFUSED_PER_PEER_MAX    8u
/* At connections_max, a connection idle for this long makes room for a new one. */
#define IDLE_EVICT_MS 1000

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
                      int peer_bytes, void *arg);
static bool is_over_peer_max(const struct sl_http_conn *conn, size_t extra);
static bool evict_idle(struct sl_http_server *server, int64_t idle_ms_min);
static void on_accept_error(struct evconnlistener *listener, void *arg);

bool sl_http_server_listen(struct sl_http_server *server, const struct sl_http_listen *listen,
                           struct sl_err *err)
{
    SL_ASSERT(server->listener_count < SL_HTTP_LISTENERS_MAX);
    int fd = listen->fd > 0 ? listen->fd : sl_listen_open(listen->address, listen->is_shared, err);
    if (fd < 0) {
        return false;
    }
    struct sl_http_listener *listener = &server->listeners[server->listener_count];
    *listener = (struct sl_http_listener){ .server = server, .tls = listen->tls };
    listener->listener = evconnlistener_new(sl_loop_base(server->opts.loop), on_accept, listener,
                                            LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (listener->listener == NULL) {
        close(fd);
        return sl_fail(err, SL_E_MEMORY, "no memory for a listener");
    }
    evconnlistener_set_error_cb(listener->listener, on_accept_error);
    server->listener_count++;
    if (server->port == 0) {
        server->port = sl_listen_port(fd);
    }
    return true;
}

bool sl_http_server_join(struct sl_http_server *server, const struct sl_http_server *other,
                         struct sl_err *err)
{
    for (size_t i = 0; i < other->listener_count; i++) {
        const struct sl_http_listener *at = &other->listeners[i];
        const struct sl_http_listen listen = {
            .fd = sl_listen_beside(evconnlistener_get_fd(at->listener), err), .tls = at->tls
        };
        if (listen.fd < 0 || !sl_http_server_listen(server, &listen, err)) {
            return false;
        }
    }
    return true;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
                      int peer_bytes, void *arg)
{
    (void)listener;
    (void)peer_bytes;
    const struct sl_http_listener *at = arg;
    struct sl_http_server *server = at->server;
    size_t connections_max = server->opts.limits.connections_max;
    if (sl_http_totals_connections(server->totals) >= connections_max &&
        !evict_idle(server, IDLE_EVICT_MS) &&
        sl_http_totals_connections(server->totals) >= connections_max + REFUSED_CONNECTIONS_MAX) {
        sl_http_server_count_refusal(server, 503, "too many connections");
        evutil_closesocket(fd);
        return;
    }
    struct sl_http_conn *conn = sl_http_conn_open(at, fd, peer);
    if (conn == NULL) {
        return;
    }
    if (is_over_peer_max(conn, REFUSED_PER_PEER_MAX)) {
        sl_http_server_count_refusal(server, 429, "too many connections of one address");
        sl_http_conn_close(conn);
    } else if (is_over_peer_max(conn, 0)) {
        sl_http_conn_refuse(conn, 429, "too many connections of one address");
    } else if (sl_http_totals_connections(server->totals) > connections_max) {
        sl_http_conn_refuse(conn, 503, "too many connections");
    }
}

static bool is_over_peer_max(const struct sl_http_conn *conn, size_t extra)
{
    size_t per_peer_max = conn->server->opts.limits.per_peer_max;
    return per_peer_max > 0 && conn->counted != NULL &&
           sl_http_peer_connections(conn->counted) > per_peer_max + extra;
}

/* Closes the connection that has been idle longest; a flood of idle ones must not keep senders out. */
static bool evict_idle(struct sl_http_server *server, int64_t idle_ms_min)
{
    struct sl_http_conn *oldest = TAILQ_FIRST(&server->phases[SL_HTTP_IDLE]);
    int64_t idle_since_ms = oldest == NULL ? 0 : oldest->deadline_ms - server->opts.limits.idle_ms;
    if (oldest == NULL || oldest->is_ready || sl_clock_mono_ms() - idle_since_ms < idle_ms_min) {
        return false;
    }
    sl_http_conn_close(oldest);
    return true;
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)listener;
    struct sl_http_server *server = ((const struct sl_http_listener *)arg)->server;
    if (evict_idle(server, IDLE_EVICT_MS)) {
        return; /* the listener is readable still, and finds a descriptor in the next turn */
    }
    for (size_t i = 0; i < server->listener_count; i++) {
        evconnlistener_disable(server->listeners[i].listener);
    }
    sl_timer_arm(server->accept_timer, ACCEPT_PAUSE_MS);
}

void sl_http_accept_again(void *arg)
{
    struct sl_http_server *server = arg;
    for (size_t i = 0; i < server->listener_count; i++) {
        evconnlistener_enable(server->listeners[i].listener);
    }
}

void sl_http_accept_stop(struct sl_http_server *server)
{
    while (server->listener_count > 0) {
        evconnlistener_free(server->listeners[--server->listener_count].listener);
    }
}
