/*
 * The path of a request: bytes arrive (on_read), a whole line is taken, answered by the desk and written; the next line is taken when its answer has
 * left (on_written), so that a client that only asks cannot fill our memory.
 * What can go wrong: a line that is too long or too many connections (one answer that says so, then close), silence (on_patience), a client that has gone.
 */
#include "shared/control/control.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/control/control_socket.h"

#define CONNECTIONS_MAX 16u
#define PATIENCE_MS     10000
/* Without file descriptors the listener stays readable; accepting again at once would spin. */
#define ACCEPT_PAUSE_MS 200

struct conn {
    struct sl_control *control;
    struct bufferevent *bev;
    struct sl_timer *patience;
    unsigned uid;
    bool is_ended; /* nothing more comes; closes when all is answered */
    TAILQ_ENTRY(conn) in_list;
};

struct sl_control {
    struct sl_control_opts opts;
    struct sl_control_socket socket;
    struct evconnlistener *listener;
    struct sl_timer *accept_timer;
    struct sl_control_desk desk;
    struct sl_buf answer;
    TAILQ_HEAD(, conn) conns;
    size_t conn_count;
};

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
                      int peer_bytes, void *arg);
static void on_accept_error(struct evconnlistener *listener, void *arg);
static void on_accept_pause_over(void *arg);
static struct conn *open_conn(struct sl_control *control, evutil_socket_t fd);
static bool may_ask(evutil_socket_t fd, unsigned *out_uid);
static void on_read(struct bufferevent *bev, void *arg);
static void on_written(struct bufferevent *bev, void *arg);
static void on_event(struct bufferevent *bev, short what, void *arg);
static void on_patience(void *arg);
static void advance(struct conn *conn);
static void refuse(struct conn *conn, const char *why);
static bool has_output(const struct conn *conn);
static void close_conn(struct conn *conn);

struct sl_control *sl_control_new(const struct sl_control_opts *opts, struct sl_err *err)
{
    SL_AUTO(sl_control_free) struct sl_control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the control socket");
        return NULL;
    }
    control->opts = *opts;
    control->opts.patience_ms = opts->patience_ms == 0 ? PATIENCE_MS : opts->patience_ms;
    TAILQ_INIT(&control->conns);
    sl_buf_init(&control->answer, SL_CONTROL_LINE_BYTES_MAX);
    if (!sl_control_desk_init(&control->desk, opts->commands, opts->command_count, opts->arg,
                              err) ||
        !sl_control_socket_open(&control->socket, opts->state_dir, opts->program, err)) {
        return NULL;
    }
    control->accept_timer = sl_timer_new(opts->loop, on_accept_pause_over, control);
    control->listener =
        evconnlistener_new(sl_loop_base(opts->loop), on_accept, control,
                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, control->socket.fd);
    if (control->listener == NULL || control->accept_timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for the control socket");
        return NULL;
    }
    evconnlistener_set_error_cb(control->listener, on_accept_error);
    return SL_TAKE(control);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
                      int peer_bytes, void *arg)
{
    (void)listener;
    (void)peer;
    (void)peer_bytes;
    struct sl_control *control = arg;
    if (control->conn_count >= 2 * CONNECTIONS_MAX) {
        evutil_closesocket(fd);
        return;
    }
    struct conn *conn = open_conn(control, fd);
    if (conn == NULL) {
        evutil_closesocket(fd);
    } else if (control->conn_count > CONNECTIONS_MAX) {
        refuse(conn, "too many connections");
    }
}

static struct conn *open_conn(struct sl_control *control, evutil_socket_t fd)
{
    unsigned uid = 0;
    struct conn *conn = may_ask(fd, &uid) ? calloc(1, sizeof *conn) : NULL;
    if (conn == NULL) {
        return NULL;
    }
    *conn = (struct conn){ .control = control, .uid = uid };
    conn->patience = sl_timer_new(control->opts.loop, on_patience, conn);
    conn->bev =
        conn->patience == NULL || evutil_make_socket_nonblocking(fd) != 0
            ? NULL
            : bufferevent_socket_new(sl_loop_base(control->opts.loop), fd, BEV_OPT_CLOSE_ON_FREE);
    if (conn->bev == NULL) {
        sl_timer_free(conn->patience);
        free(conn);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&control->conns, conn, in_list);
    control->conn_count++;
    bufferevent_setcb(conn->bev, on_read, on_written, on_event, conn);
    bufferevent_setwatermark(conn->bev, EV_READ, 0, SL_CONTROL_LINE_BYTES_MAX + 1);
    bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
    sl_timer_arm(conn->patience, control->opts.patience_ms);
    return conn;
}

/* The file's mode says the same; a folder that was opened to others by mistake must not open this door. */
static bool may_ask(evutil_socket_t fd, unsigned *out_uid)
{
    struct ucred who = { 0 };
    socklen_t bytes = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0 ||
        (who.uid != 0 && who.uid != geteuid())) {
        return false;
    }
    *out_uid = who.uid;
    return true;
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct sl_control *control = arg;
    evconnlistener_disable(listener);
    sl_timer_arm(control->accept_timer, ACCEPT_PAUSE_MS);
}

static void on_accept_pause_over(void *arg)
{
    struct sl_control *control = arg;
    evconnlistener_enable(control->listener);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    advance(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    (void)bev;
    advance(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct conn *conn = arg;
    if ((what & BEV_EVENT_EOF) == 0) {
        close_conn(conn);
        return;
    }
    conn->is_ended = true; /* it may still read */
    advance(conn);
}

static void on_patience(void *arg)
{
    close_conn(arg);
}

/* Answers the next line, once the answer before it has left. */
static void advance(struct conn *conn)
{
    struct sl_control *control = conn->control;
    if (has_output(conn)) {
        return;
    }
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t line_bytes = 0;
    char *line = evbuffer_readln(input, &line_bytes, EVBUFFER_EOL_LF);
    if (line == NULL && conn->is_ended) {
        close_conn(conn);
        return;
    }
    if (line == NULL) {
        if (evbuffer_get_length(input) > SL_CONTROL_LINE_BYTES_MAX) {
            refuse(conn, "a request has at most 64 KiB");
        }
        return;
    }
    sl_timer_arm(conn->patience, control->opts.patience_ms);
    sl_control_desk_answer(&control->desk, sl_span_trim(sl_span_make(line, line_bytes)), conn->uid,
                           &control->answer);
    free(line);
    bufferevent_write(conn->bev, control->answer.data, control->answer.used_bytes);
}

static void refuse(struct conn *conn, const char *why)
{
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, 256);
    sl_buf_printf(&text, "{\"ok\":false,\"code\":\"%s\",\"error\":\"%s\"}\n",
                  sl_code_name(SL_E_LIMIT), why);
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    bufferevent_disable(conn->bev, EV_READ);
    evbuffer_drain(input, evbuffer_get_length(input));
    conn->is_ended = true;
    bufferevent_write(conn->bev, text.data, text.used_bytes);
}

static bool has_output(const struct conn *conn)
{
    return evbuffer_get_length(bufferevent_get_output(conn->bev)) > 0;
}

static void close_conn(struct conn *conn)
{
    TAILQ_REMOVE(&conn->control->conns, conn, in_list);
    conn->control->conn_count--;
    bufferevent_free(conn->bev);
    sl_timer_free(conn->patience);
    free(conn);
}

void sl_control_free(struct sl_control *control)
{
    if (control == NULL) {
        return;
    }
    sl_control_socket_remove(&control->socket); /* first: nobody is to find it and be let down */
    struct conn *conn = NULL;
    while ((conn = TAILQ_FIRST(&control->conns)) != NULL) {
        close_conn(conn);
    }
    if (control->listener != NULL) {
        evconnlistener_free(control->listener);
    } else if (control->socket.path[0] != '\0') {
        (void)close(control->socket.fd);
    }
    sl_timer_free(control->accept_timer);
    sl_control_desk_done(&control->desk);
    sl_buf_done(&control->answer);
    free(control);
}

const char *sl_control_where(const struct sl_control *control)
{
    return control->socket.path;
}
