#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "shared/clock.h"
#include "shared/http/http_conn.h"

/* Memory for a body that is only announced; more is taken as its bytes arrive. */
#define BODY_BYTES_FIRST 4096u

/* Every step returns true when there may be more to do with the input at hand. */
static bool read_head(struct sl_http_conn *conn);
static bool has_news(struct sl_http_conn *conn, size_t have);
static enum sl_http_parse parse_first(struct sl_http_conn *conn, struct sl_http_request *request,
                                      size_t bytes, int *out_status, const char **out_why);
static bool keep_head(struct sl_http_request *request, struct sl_span bytes);
static bool begin_body(struct sl_http_conn *conn);
static bool read_body(struct sl_http_conn *conn);
static bool read_counted(struct sl_http_conn *conn, struct sl_http_request *request);
static bool read_chunked(struct sl_http_conn *conn, struct sl_http_request *request);
static bool has_room(const struct sl_http_server *server, size_t bytes);
static void add_bytes(struct sl_http_totals *totals, size_t bytes);
static bool hand_out(struct sl_http_conn *conn);
static bool wait_in(struct sl_http_conn *conn, enum sl_http_phase phase);
static bool refuse(struct sl_http_conn *conn, int status, const char *why);

bool sl_http_read_step(struct sl_http_conn *conn)
{
    return conn->request == NULL ? read_head(conn) : read_body(conn);
}

static bool read_head(struct sl_http_conn *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t have = evbuffer_get_length(input);
    if (have == 0) {
        conn->is_dead = conn->peer_is_done;
        return false;
    }
    if (conn->started_us == 0) {
        conn->started_us = sl_clock_mono_us();
        conn->received_us = sl_clock_wall_us();
    }
    if (!has_news(conn, have)) {
        return wait_in(conn, SL_HTTP_HEADING);
    }
    struct sl_http_request *request = sl_http_request_take(conn->server);
    if (request == NULL) {
        return refuse(conn, 503, "no memory");
    }

    /* Nearly always the first contiguous piece is enough, and nothing has to be moved. */
    int status = 0;
    const char *why = NULL;
    size_t first = evbuffer_get_contiguous_space(input);
    enum sl_http_parse verdict = parse_first(conn, request, first, &status, &why);
    if (verdict == SL_HTTP_MORE && first < have) {
        verdict = parse_first(conn, request, have, &status, &why);
    }
    if (verdict == SL_HTTP_DONE) {
        conn->request = request;
        return begin_body(conn);
    }
    sl_http_request_recycle(conn->server, request);
    return verdict == SL_HTTP_BAD ? refuse(conn, status, why) : wait_in(conn, SL_HTTP_HEADING);
}

/* A head can only be complete at a line end, so a head that drips in is parsed once a line, not once a byte. */
static bool has_news(struct sl_http_conn *conn, size_t have)
{
    size_t searched = conn->searched_bytes;
    conn->searched_bytes = have;
    if (searched == 0 || have >= SL_HTTP_HEAD_BYTES_MAX) {
        return true;
    }
    const unsigned char *bytes = evbuffer_pullup(bufferevent_get_input(conn->bev), (ssize_t)have);
    return bytes == NULL || memchr(bytes + searched, '\n', have - searched) != NULL;
}

/* Parses the first bytes of the input; a complete head is copied into the request and leaves the input. */
static enum sl_http_parse parse_first(struct sl_http_conn *conn, struct sl_http_request *request,
                                      size_t bytes, int *out_status, const char **out_why)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    struct sl_span span = sl_span_make(evbuffer_pullup(input, (ssize_t)bytes), bytes);
    size_t used = 0;
    *out_status = 503;
    *out_why = "no memory";
    if (span.data == NULL) {
        return SL_HTTP_BAD;
    }
    enum sl_http_parse verdict =
        sl_http_parse_head(span, &request->head, &used, out_status, out_why);
    if (verdict != SL_HTTP_DONE) {
        return verdict;
    }
    if (!keep_head(request, sl_span_make(span.data, used))) {
        return SL_HTTP_BAD;
    }
    evbuffer_drain(input, used);
    conn->searched_bytes = 0;
    return SL_HTTP_DONE;
}

/* The head's bytes move into the request, and every span with them. */
static bool keep_head(struct sl_http_request *request, struct sl_span bytes)
{
    struct sl_http_head *head = &request->head;
    if (!sl_buf_append_span(&request->head_bytes, bytes)) {
        return false;
    }
    const char *kept = request->head_bytes.data;
    head->method.data = kept + (head->method.data - bytes.data);
    head->path.data = kept + (head->path.data - bytes.data);
    if (head->query.data != NULL) {
        head->query.data = kept + (head->query.data - bytes.data);
    }
    for (size_t i = 0; i < head->field_count; i++) {
        head->fields[i].name.data = kept + (head->fields[i].name.data - bytes.data);
        head->fields[i].value.data = kept + (head->fields[i].value.data - bytes.data);
    }
    return true;
}

static bool begin_body(struct sl_http_conn *conn)
{
    const struct sl_http_head *head = &conn->request->head;
    conn->chunks = (struct sl_http_chunks){ 0 };
    if (head->content_length > conn->server->opts.limits.body_bytes_max) {
        return refuse(conn, 413, "body too large");
    }
    if (head->expects_continue && (head->is_chunked || head->content_length > 0) &&
        !sl_http_conn_has_input(conn)) {
        sl_http_conn_continue(conn);
    }
    return true;
}

static bool read_body(struct sl_http_conn *conn)
{
    struct sl_http_request *request = conn->request;
    return request->head.is_chunked ? read_chunked(conn, request) : read_counted(conn, request);
}

static bool read_counted(struct sl_http_conn *conn, struct sl_http_request *request)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t left = (size_t)request->head.content_length - request->body.used_bytes;
    size_t have = evbuffer_get_length(input);
    size_t take = left < have ? left : have;
    size_t announced = left < BODY_BYTES_FIRST ? left : BODY_BYTES_FIRST;
    if (!has_room(conn->server, take)) {
        return refuse(conn, 503, "bodies too large together");
    }
    if (left > 0) {
        char *room = sl_buf_reserve(&request->body, take < announced ? announced : take);
        if (room == NULL) {
            return refuse(conn, 503, "no memory");
        }
        evbuffer_remove(input, room, take);
        sl_buf_commit(&request->body, take);
        add_bytes(conn->server->totals, take);
    }
    return take == left ? hand_out(conn) : wait_in(conn, SL_HTTP_BODYING);
}

/* Many slow uploads must not add up to all of the memory. */
static bool has_room(const struct sl_http_server *server, size_t bytes)
{
    size_t used_bytes = atomic_load_explicit(&server->totals->bodies_bytes, memory_order_relaxed);
    return used_bytes + bytes <= server->opts.limits.bodies_bytes_max;
}

static void add_bytes(struct sl_http_totals *totals, size_t bytes)
{
    atomic_fetch_add_explicit(&totals->bodies_bytes, bytes, memory_order_relaxed);
}

static bool read_chunked(struct sl_http_conn *conn, struct sl_http_request *request)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t have = evbuffer_get_contiguous_space(input);
    if (have == 0) {
        return wait_in(conn, SL_HTTP_BODYING);
    }
    struct sl_span bytes = sl_span_make(evbuffer_pullup(input, (ssize_t)have), have);
    struct sl_span body = { 0 };
    size_t used = 0;
    int status = 0;
    const char *why = NULL;
    enum sl_http_parse verdict =
        sl_http_parse_chunks(&conn->chunks, bytes, &body, &used, &status, &why);
    if (verdict == SL_HTTP_BAD) {
        return refuse(conn, status, why);
    }
    size_t room = conn->server->opts.limits.body_bytes_max - request->body.used_bytes;
    if (body.bytes > room || conn->chunks.left > room - body.bytes) {
        return refuse(conn, 413, "body too large");
    }
    if (!has_room(conn->server, body.bytes)) {
        return refuse(conn, 503, "bodies too large together");
    }
    if (!sl_buf_append_span(&request->body, body)) {
        return refuse(conn, 503, "no memory");
    }
    add_bytes(conn->server->totals, body.bytes);
    evbuffer_drain(input, used);
    return verdict == SL_HTTP_DONE ? hand_out(conn) : true;
}

static bool hand_out(struct sl_http_conn *conn)
{
    struct sl_http_server *server = conn->server;
    struct sl_http_request *request = conn->request;
    if (atomic_load_explicit(&server->totals->inflight, memory_order_relaxed) >=
        server->opts.limits.inflight_max) {
        static const char full[] = "{\"error\":\"Service Unavailable\"}";
        struct sl_http_reply reply = { .status = 503,
                                       .body = SL_SPAN_LITERAL(full),
                                       .retry_after_s = 1 };
        sl_http_server_count_refusal(server, 503, "too many requests in flight");
        sl_http_conn_answer(conn, &reply);
        sl_http_request_recycle(server, request);
        return true;
    }
    request->conn = conn;
    request->started_us = conn->started_us;
    request->received_us = conn->received_us;
    memcpy(request->peer, conn->peer, sizeof request->peer);
    sl_http_server_move(conn, SL_HTTP_HANDED);
    sl_http_request_hand_out(server, request);
    return true;
}

static bool wait_in(struct sl_http_conn *conn, enum sl_http_phase phase)
{
    if (conn->peer_is_done) {
        conn->is_dead = true;
    } else if (conn->phase != phase) {
        if (phase == SL_HTTP_BODYING) {
            conn->body_since_ms = sl_clock_mono_ms();
        }
        sl_http_server_move(conn, phase);
    }
    return false;
}

static bool refuse(struct sl_http_conn *conn, int status, const char *why)
{
    sl_http_conn_refuse(conn, status, why);
    return true;
}
