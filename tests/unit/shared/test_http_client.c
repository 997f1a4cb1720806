#include "shared/http/http_client.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/http/http_server.h"
#include "tests/support/claims.h"

#define PATIENCE_MS 120000
#define ANSWERS_MAX 32

struct told {
    int status;
    enum sl_code code;
    char body[2048];
    int64_t elapsed_us;
};

/* Client and server on one loop. */
struct world {
    struct sl_loop *loop;
    struct sl_http_server *server;
    struct sl_http_client *client;
    struct sl_http_request *held[ANSWERS_MAX]; /* requests to /held */
    size_t held_count;
    size_t most_connections;
    char target[64];
    struct told told[ANSWERS_MAX];
    size_t told_count;
    size_t calls_left; /* on_answer_again starts so many more */
};

static void answer(struct sl_http_request *request)
{
    const struct sl_http_head *head = sl_http_request_head(request);
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, 1u << 20);
    struct sl_http_reply reply = { .status = 200, .content_type = "text/plain" };
    if (sl_span_is(head->path, "/teapot")) {
        reply.status = 409;
    } else if (sl_span_is(head->path, "/moved")) {
        reply.status = 302;
    } else if (sl_span_is(head->path, "/large")) {
        char *room = sl_buf_reserve(&text, 4097);
        memset(room, 'x', 4097);
        sl_buf_commit(&text, 4097);
    }
    if (text.used_bytes == 0) {
        sl_buf_printf(&text, "%.*s %.*s", SL_SPAN_ARGS(head->method), SL_SPAN_ARGS(head->path));
        static const char *const shown[] = { "Content-Type", "Content-Length", "Authorization",
                                             "Expect", "X-One" };
        for (size_t i = 0; i < SL_COUNT(shown); i++) {
            struct sl_span value = sl_http_field(head, shown[i]);
            if (value.data != NULL) {
                sl_buf_printf(&text, " %s=%.*s", shown[i], SL_SPAN_ARGS(value));
            }
        }
        struct sl_span body = sl_http_request_body(request);
        sl_buf_printf(&text, " body=%.*s", body.bytes > 64 ? 64 : (int)body.bytes, body.data);
    }
    reply.body = sl_buf_span(&text);
    sl_http_reply(request, &reply);
}

static void on_request(struct sl_http_request *request, void *arg)
{
    struct world *world = arg;
    size_t connections = sl_http_server_connections(world->server);
    if (connections > world->most_connections) {
        world->most_connections = connections;
    }
    if (sl_span_is(sl_http_request_head(request)->path, "/held")) {
        CU_ASSERT_FATAL(world->held_count < ANSWERS_MAX);
        world->held[world->held_count++] = request;
    } else {
        answer(request);
    }
}

static void open_world(struct world *world, int64_t total_ms)
{
    static const char *const proxies[] = { "http_proxy", "all_proxy", "ALL_PROXY" };
    for (size_t i = 0; i < SL_COUNT(proxies); i++) {
        unsetenv(proxies[i]);
    }
    struct sl_err err = { 0 };
    *world = (struct world){ .loop = sl_loop_new(&err) };
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->loop);
    struct sl_http_server_opts server = { .loop = world->loop,
                                          .listen = "127.0.0.1:0",
                                          .limits = sl_http_limits_default,
                                          .on_request = on_request,
                                          .arg = world };
    world->server = sl_http_server_new(&server, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->server);
    struct sl_http_client_opts client = { .loop = world->loop,
                                          .transfers_max = 8,
                                          .connections_max = 2,
                                          .connect_ms = total_ms,
                                          .total_ms = total_ms,
                                          .answer_bytes_max = 4096 };
    world->client = sl_http_client_new(&client, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->client);
}

static void close_world(struct world *world)
{
    sl_http_client_free(world->client);
    sl_http_server_free(world->server);
    for (size_t i = 0; i < world->held_count; i++) {
        answer(world->held[i]);
    }
    sl_loop_free(world->loop);
}

static const char *url(struct world *world, const char *path)
{
    snprintf(world->target, sizeof world->target, "http://127.0.0.1:%u%s",
             sl_http_server_port(world->server), path);
    return world->target;
}

static void on_answer(const struct sl_http_answer *given, void *arg)
{
    struct world *world = arg;
    CU_ASSERT_FATAL(world->told_count < ANSWERS_MAX);
    struct told *told = &world->told[world->told_count++];
    *told = (struct told){ .status = given->status, .elapsed_us = given->elapsed_us };
    snprintf(told->body, sizeof told->body, "%.*s", SL_SPAN_ARGS(given->body));
    CU_ASSERT_EQUAL(given->status == 0, given->err != NULL);
    told->code = given->err == NULL ? SL_E_NONE : given->err->code;
}

static void on_answer_again(const struct sl_http_answer *given, void *arg)
{
    struct world *world = arg;
    on_answer(given, arg);
    if (world->calls_left > 0) {
        world->calls_left--;
        struct sl_http_call call = { .method = "GET", .url = url(world, "/again") };
        CU_ASSERT(sl_http_client_call(world->client, &call, on_answer_again, world, NULL));
    }
}

static void wait_for(struct world *world, size_t told_count)
{
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    while (world->told_count < told_count && sl_clock_mono_ms() < until_ms) {
        event_base_loop(sl_loop_base(world->loop), EVLOOP_NONBLOCK);
    }
    CU_ASSERT_EQUAL_FATAL(world->told_count, told_count);
}

static const struct told *call_once(struct world *world, const struct sl_http_call *call)
{
    struct sl_err err = { 0 };
    size_t before = world->told_count;
    CU_ASSERT_FATAL(sl_http_client_call(world->client, call, on_answer, world, &err));
    CU_ASSERT_EQUAL(world->told_count, before); /* never from inside the call */
    wait_for(world, before + 1);
    return &world->told[before];
}

CLAIM(http_client__sends_what_it_is_told_and_nothing_else)
{
    struct world world;
    open_world(&world, 60000);
    static const char *const fields[] = { "X-One: two", NULL };
    static const char *const typed[] = { "content-type: application/json", NULL };
    const struct {
        struct sl_http_call call;
        const char *echo;
    } cases[] = {
        { { .method = "GET", .url = "/a" }, "GET /a body=" },
        { { .method = "DELETE", .url = "/a", .fields = fields }, "DELETE /a X-One=two body=" },
        { { .method = "POST", .url = "/a" }, "POST /a Content-Length=0 body=" },
        { { .method = "POST", .url = "/a", .body = SL_SPAN_LITERAL("hi"), .fields = typed },
          "POST /a Content-Type=application/json Content-Length=2 body=hi" },
        { { .method = "PUT", .url = "/a", .body = SL_SPAN_LITERAL("{}"), .fields = fields },
          "PUT /a Content-Length=2 X-One=two body={}" },
        { { .method = "GET", .url = "/a", .user = "guest", .password = "guest" },
          "GET /a Authorization=Basic Z3Vlc3Q6Z3Vlc3Q= body=" },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct sl_http_call call = cases[i].call;
        call.url = url(&world, call.url);
        const struct told *told = call_once(&world, &call);
        CU_ASSERT_EQUAL(told->status, 200);
        CU_ASSERT_STRING_EQUAL(told->body, cases[i].echo);
        CU_ASSERT(told->elapsed_us > 0);
    }
    CU_ASSERT_EQUAL(world.most_connections, 1); /* one connection served them all */
    CU_ASSERT_EQUAL(sl_http_client_running(world.client), 0);
    close_world(&world);
}

CLAIM(http_client__a_body_of_over_a_mebibyte_is_not_held_back)
{
    struct world world;
    open_world(&world, 60000);
    const size_t bytes = sl_http_limits_default.body_bytes_max;
    char *body = malloc(bytes);
    memset(body, 'x', bytes);
    struct sl_http_call call = { .method = "POST",
                                 .url = url(&world, "/a"),
                                 .body = sl_span_make(body, bytes) };
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(sl_http_client_call(world.client, &call, on_answer, &world, &err));
    free(body); /* it was copied */
    wait_for(&world, 1);
    CU_ASSERT_EQUAL(strncmp(world.told[0].body, "POST /a Content-Length=1048576 body=xxx", 39), 0);
    close_world(&world);
}

CLAIM(http_client__statuses_are_answers_and_redirects_are_not_followed)
{
    struct world world;
    open_world(&world, 60000);
    struct sl_http_call call = { .method = "GET", .url = url(&world, "/teapot") };
    CU_ASSERT_EQUAL(call_once(&world, &call)->status, 409);
    call.url = url(&world, "/moved");
    CU_ASSERT_EQUAL(call_once(&world, &call)->status, 302);
    close_world(&world);
}

CLAIM(http_client__an_answer_over_the_limit_is_an_error)
{
    struct world world;
    open_world(&world, 60000);
    struct sl_http_call call = { .method = "GET", .url = url(&world, "/large") };
    const struct told *told = call_once(&world, &call);
    CU_ASSERT_EQUAL(told->status, 0);
    CU_ASSERT_EQUAL(told->code, SL_E_LIMIT);
    close_world(&world);
}

CLAIM(http_client__a_silent_server_ends_at_the_deadline)
{
    struct world world;
    open_world(&world, 50);
    struct sl_http_call call = { .method = "GET", .url = url(&world, "/held") };
    const struct told *told = call_once(&world, &call);
    CU_ASSERT_EQUAL(told->code, SL_E_DEADLINE);
    CU_ASSERT(told->elapsed_us >= 50000);
    close_world(&world);
}

/* Two connections per host: the third call waits for one, and its time runs. */
CLAIM(http_client__waiting_for_a_connection_counts_towards_the_deadline)
{
    struct world world;
    open_world(&world, 3000);
    struct sl_http_call call = { .method = "GET", .url = url(&world, "/held") };
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT(sl_http_client_call(world.client, &call, on_answer, &world, NULL));
    }
    /* Counted before the first deadline: the server may see a new connection before the end of the one it replaces. */
    while (world.held_count < 2 && world.told_count == 0) {
        event_base_loop(sl_loop_base(world.loop), EVLOOP_NONBLOCK);
    }
    CU_ASSERT_EQUAL(world.most_connections, 2);
    wait_for(&world, 6);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(world.told[i].code, SL_E_DEADLINE);
    }
    call.url = url(&world, "/a");
    CU_ASSERT_EQUAL(call_once(&world, &call)->status, 200);
    close_world(&world);
}

CLAIM(http_client__more_than_transfers_max_are_refused)
{
    struct world world;
    open_world(&world, 60000);
    struct sl_err err = { 0 };
    struct sl_http_call call = { .method = "GET", .url = url(&world, "/held") };
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT(sl_http_client_call(world.client, &call, on_answer, &world, &err));
    }
    CU_ASSERT_FALSE(sl_http_client_call(world.client, &call, on_answer, &world, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_LIMIT);
    CU_ASSERT_EQUAL(sl_http_client_running(world.client), 8);
    close_world(&world); /* ends them without calling back */
    CU_ASSERT_EQUAL(world.told_count, 0);
}

CLAIM(http_client__an_answer_may_start_the_next_call)
{
    struct world world;
    open_world(&world, 60000);
    world.calls_left = 20;
    struct sl_http_call call = { .method = "GET", .url = url(&world, "/again") };
    CU_ASSERT(sl_http_client_call(world.client, &call, on_answer_again, &world, NULL));
    wait_for(&world, 21);
    for (size_t i = 0; i < 21; i++) {
        CU_ASSERT_EQUAL(world.told[i].status, 200);
    }
    CU_ASSERT_EQUAL(world.most_connections, 1);
    close_world(&world);
}

CLAIM(http_client__what_cannot_be_reached_is_said_by_class)
{
    struct world world;
    open_world(&world,
               20000); /* nothing here waits for it; a busy machine may take seconds for TLS */
    const struct {
        const char *url;
        enum sl_code code;
    } cases[] = {
        { "http://127.0.0.1:1/", SL_E_HTTP_UNREACHABLE },
        { "https://127.0.0.1:1/", SL_E_HTTP_UNREACHABLE },
        { "ftp://127.0.0.1/", SL_E_HTTP_MALFORMED },
        { "file:///etc/passwd", SL_E_HTTP_MALFORMED },
        { "http://", SL_E_HTTP_MALFORMED },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct sl_http_call call = { .method = "GET", .url = cases[i].url };
        const struct told *told = call_once(&world, &call);
        CU_ASSERT_EQUAL(told->status, 0);
        CU_ASSERT_EQUAL(told->code, cases[i].code);
    }
    /* A plain server does not speak TLS. */
    snprintf(world.target, sizeof world.target, "https://127.0.0.1:%u/",
             sl_http_server_port(world.server));
    struct sl_http_call call = { .method = "GET", .url = world.target };
    CU_ASSERT_EQUAL(call_once(&world, &call)->code, SL_E_HTTP_UNREACHABLE);
    close_world(&world);
}

/* Wherever this runs, with or without a resolver that answers, the loop is not held up. */
CLAIM(http_client__a_name_that_does_not_resolve_ends_by_the_deadline)
{
    struct world world;
    open_world(&world, 300);
    struct sl_http_call call = { .method = "GET", .url = "http://nobody.invalid/" };
    const struct told *told = call_once(&world, &call);
    CU_ASSERT(told->code == SL_E_NET_RESOLVE || told->code == SL_E_DEADLINE);
    CU_ASSERT(told->elapsed_us < 4500000); /* a resolver's own first try takes 5 s */
    close_world(&world);
}

CLAIM(http_client__no_value_can_end_a_line_early)
{
    struct world world;
    open_world(&world, 60000);
    static const char *const fields[] = { "X-One: two\r\nX-Evil: yes", NULL };
    const struct sl_http_call calls[] = {
        { .method = "GET", .url = "http://127.0.0.1/", .fields = fields },
        { .method = "GET", .url = "http://127.0.0.1/\r\nX: y" },
        { .method = "GET /x HTTP/1.1\r\n", .url = "http://127.0.0.1/" },
    };
    for (size_t i = 0; i < SL_COUNT(calls); i++) {
        struct sl_err err = { 0 };
        CU_ASSERT_FALSE(sl_http_client_call(world.client, &calls[i], on_answer, &world, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_HTTP_MALFORMED);
    }
    close_world(&world);
}
