/*
 * http_world - an HTTP server on a free port of 127.0.0.1, the loop it lives in, and raw sockets to talk to it.
 *
 * Its handler answers "<method> <path> <body>" at once, or holds requests until the test answers them.
 */
#ifndef TESTS_UNIT_SHARED_HTTP_WORLD_H
#define TESTS_UNIT_SHARED_HTTP_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/http/http_server.h"
#include "tests/support/claims.h"

#define PATIENCE_MS 60000
#define HELD_MAX    16
#define GET         "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"

/* A server whose handler answers "<method> <path> <body>" at once, or holds requests until the test answers them. */
struct world {
    struct sl_loop *loop;
    struct sl_http_server *server;
    bool holds;
    bool replying; /* the test is inside sl_http_reply */
    size_t handled;
    struct sl_http_request *held[HELD_MAX];
    size_t held_count;
    size_t big_answer_bytes; /* answer with so many bytes instead */
    int refused_status;
    char refused_why[64];
    size_t drained;
};

static inline void echo(struct world *world, struct sl_http_request *request)
{
    const struct sl_http_head *head = sl_http_request_head(request);
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, 64u << 20);
    if (world->big_answer_bytes > 0) {
        char *room = sl_buf_reserve(&text, world->big_answer_bytes);
        memset(room, 'b', world->big_answer_bytes);
        sl_buf_commit(&text, world->big_answer_bytes);
    } else {
        sl_buf_printf(&text, "%.*s %.*s ", SL_SPAN_ARGS(head->method), SL_SPAN_ARGS(head->path));
        sl_buf_append_span(&text, sl_http_request_body(request));
    }
    struct sl_http_reply reply = { .status = 200,
                                   .content_type = "text/plain",
                                   .body = sl_buf_span(&text),
                                   .close = sl_span_is(head->path, "/close") };
    world->replying = true;
    sl_http_reply(request, &reply);
    world->replying = false;
}

static inline void on_request(struct sl_http_request *request, void *arg)
{
    struct world *world = arg;
    if (world->holds) {
        CU_ASSERT_FALSE(world->replying); /* never handed out from inside a reply */
        CU_ASSERT_FATAL(world->held_count < HELD_MAX);
        world->held[world->held_count++] = request;
    } else {
        echo(world, request);
    }
    world->handled++;
}

static inline void on_refused(int status, const char *why, void *arg)
{
    struct world *world = arg;
    world->refused_status = status;
    snprintf(world->refused_why, sizeof world->refused_why, "%s", why);
}

static inline void on_drained(void *arg)
{
    struct world *world = arg;
    world->drained++;
}

static inline void open_world_on(struct world *world, const struct sl_http_limits *limits,
                                 const char *listen)
{
    struct sl_err err = { 0 };
    *world = (struct world){ .loop = sl_loop_new(&err) };
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->loop);
    struct sl_http_server_opts opts = { .loop = world->loop,
                                        .listen = listen,
                                        .limits = *limits,
                                        .on_request = on_request,
                                        .on_refused = on_refused,
                                        .arg = world };
    world->server = sl_http_server_new(&opts, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->server);
}

static inline void open_world(struct world *world, const struct sl_http_limits *limits)
{
    open_world_on(world, limits, "127.0.0.1:0");
}

static inline void close_world(struct world *world)
{
    sl_http_server_free(world->server);
    sl_loop_free(world->loop);
}

static inline void turn(struct world *world)
{
    event_base_loop(sl_loop_base(world->loop), EVLOOP_NONBLOCK);
}

/* Runs the loop until the condition holds; fails the test when it never does. */
#define UNTIL(world, condition)                                                                    \
    do {                                                                                           \
        int64_t until_ms_ = sl_clock_mono_ms() + PATIENCE_MS;                                      \
        while (!(condition) && sl_clock_mono_ms() < until_ms_) {                                   \
            turn(world);                                                                           \
        }                                                                                          \
        CU_ASSERT_FATAL(condition);                                                                \
    } while (0)

static inline int dial(struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)sl_http_server_port(world->server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Sends all of it, letting the server read meanwhile. */
static inline void say_bytes(struct world *world, int fd, struct sl_span bytes)
{
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    while (bytes.bytes > 0 && sl_clock_mono_ms() < until_ms) {
        ssize_t sent = send(fd, bytes.data, bytes.bytes, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes = sl_span_make(bytes.data + sent, bytes.bytes - (size_t)sent);
        } else if (errno != EAGAIN) {
            break;
        }
        turn(world);
    }
    CU_ASSERT_EQUAL(bytes.bytes, 0);
    turn(world);
}

static inline void say(struct world *world, int fd, const char *text)
{
    say_bytes(world, fd, sl_span_of(text));
}

struct heard {
    struct sl_buf text;
    bool at_end; /* the server has closed cleanly */
    bool reset;
};

static inline void hear_some(struct world *world, int fd, struct heard *heard)
{
    turn(world);
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    if (poll(&ready, 1, 1) <= 0) {
        return;
    }
    char part[65536];
    ssize_t got = recv(fd, part, sizeof part, 0);
    heard->at_end = got == 0;
    heard->reset = got < 0 && errno != EAGAIN;
    if (got > 0) {
        sl_buf_append(&heard->text, part, (size_t)got);
    }
}

/* Reads one answer, its Content-Length honoured; the caller frees it. */
static inline struct heard hear_answer(struct world *world, int fd)
{
    struct heard heard = { 0 };
    sl_buf_init(&heard.text, 64u << 20);
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    size_t bytes = SIZE_MAX; /* of the answer, once its head is there */
    while (sl_clock_mono_ms() < until_ms && !heard.at_end && !heard.reset) {
        hear_some(world, fd, &heard);
        const char *text = bytes == SIZE_MAX ? heard.text.data : NULL;
        const char *body = text == NULL ? NULL : strstr(text, "\r\n\r\n");
        const char *length = body == NULL ? NULL : strstr(text, "Content-Length: ");
        if (length != NULL) {
            bytes = (size_t)(body + 4 - text) + strtoul(length + 16, NULL, 10);
        }
        if (heard.text.used_bytes >= bytes) {
            break;
        }
    }
    return heard;
}

static inline struct heard hear_to_end(struct world *world, int fd)
{
    struct heard heard = { 0 };
    sl_buf_init(&heard.text, 64u << 20);
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    while (sl_clock_mono_ms() < until_ms && !heard.at_end && !heard.reset) {
        hear_some(world, fd, &heard);
    }
    return heard;
}

static inline bool has(const struct heard *heard, const char *text)
{
    return heard->text.data != NULL && strstr(heard->text.data, text) != NULL;
}

static inline size_t count_of(const struct heard *heard, const char *text)
{
    size_t count = 0;
    for (const char *at = heard->text.data; at != NULL && (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

/* Everything up to the server's close holds all of these, in this order. */
static inline void expect_to_end(struct world *world, int fd, const char *const *texts)
{
    struct heard heard = hear_to_end(world, fd);
    CU_ASSERT(heard.at_end);
    const char *at = heard.text.data;
    for (; *texts != NULL; texts++) {
        at = at == NULL ? NULL : strstr(at, *texts);
        if (at == NULL) {
            fprintf(stderr, "\nmissing \"%s\" in: %s\n", *texts,
                    heard.text.data == NULL ? "nothing" : heard.text.data);
        }
        CU_ASSERT_PTR_NOT_NULL(at);
        at = at == NULL ? NULL : at + 1;
    }
    sl_buf_done(&heard.text);
}

static inline void expect_answer(struct world *world, int fd, const char *text)
{
    struct heard heard = hear_answer(world, fd);
    if (!has(&heard, text)) {
        fprintf(stderr, "\nmissing \"%s\" in: %s\n", text,
                heard.text.data == NULL ? "nothing" : heard.text.data);
    }
    CU_ASSERT(has(&heard, text));
    sl_buf_done(&heard.text);
}

#define EXPECT_TO_END(world, fd, ...)                                                              \
    expect_to_end((world), (fd), (const char *const[]){ __VA_ARGS__, NULL })

/* Aborts with a reset instead of an orderly close. */
static inline void abort_fd(int fd)
{
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static inline struct sl_http_limits quick_limits(void)
{
    struct sl_http_limits limits = sl_http_limits_default;
    limits.head_ms = 30;
    limits.body_ms = 60;
    limits.idle_ms = 90;
    limits.write_ms = 50;
    return limits;
}

#endif
