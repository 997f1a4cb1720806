#include "shared/http/http_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "shared/http/http_conn.h"

/* How often a body that is being read is looked at; the lists of http_conn.h want one fixed time for all. */
#define BODY_LOOK_MS 1000
/* A body may begin slowly for so long. */
#define BODY_GRACE_MS 2000
/* From the last answer to the close; clients that follow the protocol need one round trip. */
#define LINGER_MS 2000

const struct sl_http_limits sl_http_limits_default = {
    .body_bytes_max = 1024u * 1024u,
    .bodies_bytes_max = 64u * 1024u * 1024u,
    .connections_max = 10000,
    .per_peer_max = 256,
    .inflight_max = 4096,
    .requests_max = 1000,
    .body_rate_min = 1024,
    .head_ms = 5000,
    .body_ms = 10000,
    .idle_ms = 75000,
    .write_ms = 5000,
};

static bool has_limits(const struct sl_http_limits *limits);
static bool start_timers(struct sl_http_server *server, struct sl_err *err);
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
    server->own_totals = opts->totals == NULL ? sl_http_totals_new(err) : NULL;
    server->totals = opts->totals == NULL ? server->own_totals : opts->totals;
    const struct sl_http_listen first = { .address = opts->listen };
    server->opts.listen = NULL; /* was borrowed */
    if (server->totals == NULL || !start_timers(server, err) ||
        (first.address != NULL && !sl_http_server_listen(server, &first, err))) {
        return NULL;
    }
    return SL_TAKE(server);
}

struct sl_http_totals *sl_http_totals_new(struct sl_err *err)
{
    SL_AUTO(sl_http_totals_free) struct sl_http_totals *totals = calloc(1, sizeof *totals);
    if (totals == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory to count connections");
        return NULL;
    }
    totals->peers = sl_http_peers_new(err);
    return totals->peers == NULL ? NULL : SL_TAKE(totals);
}

void sl_http_totals_free(struct sl_http_totals *totals)
{
    if (totals != NULL) {
        sl_http_peers_free(totals->peers);
        free(totals);
    }
}

size_t sl_http_totals_connections(const struct sl_http_totals *totals)
{
    return atomic_load_explicit(&totals->connections, memory_order_relaxed);
}

static bool has_limits(const struct sl_http_limits *limits)
{
    return limits->body_bytes_max > 0 && limits->bodies_bytes_max >= limits->body_bytes_max &&
           limits->connections_max > 0 && limits->inflight_max > 0 && limits->requests_max > 0 &&
           limits->head_ms > 0 && limits->body_ms > 0 && limits->idle_ms > 0 &&
           limits->write_ms > 0;
}

static bool start_timers(struct sl_http_server *server, struct sl_err *err)
{
    server->deadline_timer = sl_timer_new(server->opts.loop, on_deadline, server);
    server->accept_timer = sl_timer_new(server->opts.loop, sl_http_accept_again, server);
    server->ready_timer = sl_timer_new(server->opts.loop, on_ready, server);
    if (server->deadline_timer == NULL || server->accept_timer == NULL ||
        server->ready_timer == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for an HTTP server");
    }
    return true;
}

void sl_http_server_free(struct sl_http_server *server)
{
    if (server == NULL) {
        return;
    }
    sl_http_accept_stop(server);
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
    sl_http_totals_free(server->own_totals);
    free(server);
}

void sl_http_server_drain(struct sl_http_server *server, void (*on_drained)(void *), void *arg)
{
    server->is_draining = true;
    server->on_drained = on_drained;
    server->drained_arg = arg;
    sl_http_accept_stop(server);
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
    case SL_HTTP_SHAKING:
    case SL_HTTP_HEADING:
        return server->opts.limits.head_ms;
    case SL_HTTP_BODYING:
        return server->opts.limits.body_ms < BODY_LOOK_MS ? server->opts.limits.body_ms
                                                          : BODY_LOOK_MS;
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

bool sl_http_is_body_too_slow(const struct sl_http_limits *limits, size_t body_bytes,
                              int64_t elapsed_ms)
{
    int64_t counted_ms = elapsed_ms - BODY_GRACE_MS;
    return elapsed_ms >= limits->body_ms ||
           (counted_ms > 0 &&
            (int64_t)body_bytes < (int64_t)limits->body_rate_min * counted_ms / 1000);
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
    atomic_fetch_sub_explicit(&server->totals->connections, 1, memory_order_relaxed);
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
