#include <stdlib.h>

#include "shared/http/http_conn.h"

/* Requests kept for reuse, and the largest body buffer kept with each. */
#define SPARE_REQUESTS_MAX 128u
#define SPARE_BODY_MAX     (16u * 1024u)

const struct sl_http_head *sl_http_request_head(const struct sl_http_request *request)
{
    return &request->head;
}

struct sl_span sl_http_request_body(const struct sl_http_request *request)
{
    return sl_buf_span(&request->body);
}

int64_t sl_http_request_received_us(const struct sl_http_request *request)
{
    return request->received_us;
}

int64_t sl_http_request_started_us(const struct sl_http_request *request)
{
    return request->started_us;
}

const char *sl_http_request_peer(const struct sl_http_request *request)
{
    return request->peer;
}

void sl_http_reply(struct sl_http_request *request, const struct sl_http_reply *reply)
{
    struct sl_http_server *server = request->server;
    if (server == NULL) {
        sl_http_request_free(request);
        return;
    }
    TAILQ_REMOVE(&server->unanswered, request, in_list);
    server->inflight--;
    atomic_fetch_sub_explicit(&server->totals->inflight, 1, memory_order_relaxed);
    if (server->opts.on_answered != NULL) {
        server->opts.on_answered(request, reply->status, server->opts.arg);
    }
    if (request->conn != NULL) {
        sl_http_conn_answer(request->conn, reply);
    }
    sl_http_request_recycle(server, request);
    sl_http_server_look_whether_drained(server);
}

struct sl_http_request *sl_http_request_take(struct sl_http_server *server)
{
    struct sl_http_request *request = TAILQ_FIRST(&server->spare);
    if (request != NULL) {
        TAILQ_REMOVE(&server->spare, request, in_list);
        server->spare_count--;
        return request;
    }
    request = calloc(1, sizeof *request);
    if (request != NULL) {
        request->server = server;
        sl_buf_init(&request->head_bytes, SL_HTTP_HEAD_BYTES_MAX);
        sl_buf_init(&request->body, server->opts.limits.body_bytes_max);
    }
    return request;
}

void sl_http_request_recycle(struct sl_http_server *server, struct sl_http_request *request)
{
    atomic_fetch_sub_explicit(&server->totals->bodies_bytes, request->body.used_bytes,
                              memory_order_relaxed);
    if (server->spare_count >= SPARE_REQUESTS_MAX) {
        sl_http_request_free(request);
        return;
    }
    request->conn = NULL;
    sl_buf_reset(&request->head_bytes);
    if (request->body.room_bytes > SPARE_BODY_MAX) {
        sl_buf_done(&request->body);
        sl_buf_init(&request->body, server->opts.limits.body_bytes_max);
    }
    sl_buf_reset(&request->body);
    TAILQ_INSERT_HEAD(&server->spare, request, in_list);
    server->spare_count++;
}

void sl_http_request_free(struct sl_http_request *request)
{
    sl_buf_done(&request->head_bytes);
    sl_buf_done(&request->body);
    free(request);
}

void sl_http_request_hand_out(struct sl_http_server *server, struct sl_http_request *request)
{
    TAILQ_INSERT_TAIL(&server->unanswered, request, in_list);
    server->inflight++;
    atomic_fetch_add_explicit(&server->totals->inflight, 1, memory_order_relaxed);
    server->opts.on_request(request, server->opts.arg);
}
