#include "shared/sentry/sentry.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/digest.h"
#include "shared/http/http_server.h"
#include "shared/json/json.h"
#include "shared/sentry/sentry_tally.h"
#include "tests/support/claims.h"

#define PERIOD_MS   40
#define PATIENCE_MS 120000
#define SEEN_MAX    4096

/* What the fake Sentry does with the next request. */
enum mood { TAKE, TAKE_SILENTLY, REFUSE, LIMIT, BREAK, HANG_UP };

/* A Sentry that keeps what it takes; an id it has already is taken once, as the real one does. */
struct world {
    struct sl_loop *loop;
    struct sl_http_server *server;
    struct sl_sentry *sentry;
    struct sl_json_parser *parser;
    struct sl_timer *look;
    int64_t until_ms;
    uint64_t want;          /* the sum to wait for */
    const enum mood *moods; /* of the first requests; the later ones are taken */
    size_t mood_count;
    size_t requests;
    char seen[SEEN_MAX][SL_SENTRY_ID_BYTES];
    size_t seen_count;
    uint64_t sum;
    uint64_t silently; /* taken without an answer */
    size_t failures;
    size_t recoveries;
    struct sl_err trouble;
    char last[8192]; /* the last envelope's event */
};

static bool is_seen(const struct world *world, const char *id)
{
    for (size_t i = 0; i < world->seen_count; i++) {
        if (strcmp(world->seen[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* Reads an envelope as its law says, and keeps its count. */
static void keep(struct world *world, struct sl_span envelope)
{
    struct sl_arena arena;
    sl_arena_init(&arena, 1u << 20);
    struct sl_span head = { 0 };
    struct sl_span item = { 0 };
    struct sl_err err = { 0 };
    CU_ASSERT_FATAL(sl_span_split(&envelope, '\n', &head));
    CU_ASSERT_FATAL(sl_span_split(&envelope, '\n', &item));
    const struct sl_json *top = sl_json_parse(world->parser, &arena, head, 4, 100, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(top);
    char id[SL_SENTRY_ID_BYTES] = "";
    struct sl_span text = sl_json_text(sl_json_get(top, "event_id"), &arena, true, NULL);
    CU_ASSERT_EQUAL_FATAL(text.bytes, 32);
    snprintf(id, sizeof id, "%.*s", SL_SPAN_ARGS(text));

    const struct sl_json *about = sl_json_parse(world->parser, &arena, item, 4, 100, &err);
    int64_t length = 0;
    CU_ASSERT_FATAL(sl_json_int(sl_json_get(about, "length"), &length));
    text = sl_json_text(sl_json_get(about, "type"), &arena, true, NULL);
    CU_ASSERT(sl_span_is(text, "event"));
    CU_ASSERT_EQUAL_FATAL(envelope.bytes, (size_t)length + 1);
    snprintf(world->last, sizeof world->last, "%.*s", (int)length, envelope.data);

    const struct sl_json *event = sl_json_parse(
        world->parser, &arena, sl_span_make(envelope.data, (size_t)length), 4, 100, &err);
    text = sl_json_text(sl_json_at(event, "event_id"), &arena, true, NULL);
    CU_ASSERT(sl_span_is(text, id));
    int64_t count = 0;
    CU_ASSERT_FATAL(sl_json_int(sl_json_at(event, "extra.count"), &count));
    if (!is_seen(world, id)) {
        CU_ASSERT_FATAL(world->seen_count < SEEN_MAX);
        memcpy(world->seen[world->seen_count++], id, sizeof id);
        world->sum += (uint64_t)count;
    }
    sl_arena_done(&arena);
}

static void on_request(struct sl_http_request *request, void *arg)
{
    struct world *world = arg;
    const struct sl_http_head *head = sl_http_request_head(request);
    CU_ASSERT(sl_span_is(head->method, "POST"));
    CU_ASSERT(sl_span_is(head->path, "/api/7/envelope/"));
    CU_ASSERT(sl_span_is(sl_http_field(head, "Content-Type"), "application/x-sentry-envelope"));
    CU_ASSERT(sl_span_is(sl_http_field(head, "X-Sentry-Auth"),
                         "Sentry sentry_version=7, sentry_client=sluice/9.9, sentry_key=public"));
    enum mood mood = world->requests < world->mood_count ? world->moods[world->requests] : TAKE;
    world->requests++;
    struct sl_http_reply reply = { .status = 200, .body = SL_SPAN_LITERAL("{}") };
    switch (mood) {
    case TAKE:
        keep(world, sl_http_request_body(request));
        break;
    case TAKE_SILENTLY: /* taken, but the answer says otherwise */
        keep(world, sl_http_request_body(request));
        reply.status = 502;
        break;
    case REFUSE:
        reply.status = 403;
        break;
    case LIMIT:
        reply.status = 429;
        reply.retry_after_s = 1;
        break;
    case BREAK:
        reply.status = 500;
        break;
    case HANG_UP:
        reply.status = 503;
        reply.close = true;
        break;
    }
    sl_http_reply(request, &reply);
}

static void on_change(void *arg, const struct sl_err *err, uint64_t pending)
{
    struct world *world = arg;
    (void)pending;
    world->failures += err != NULL ? 1 : 0;
    world->recoveries += err == NULL ? 1 : 0;
    if (err != NULL) {
        world->trouble = *err;
    }
}

static void on_look(void *arg)
{
    struct world *world = arg;
    bool is_reached = world->sum >= world->want && sl_sentry_pending(world->sentry) == 0;
    if (is_reached || sl_clock_mono_ms() > world->until_ms) {
        sl_loop_stop(world->loop);
        return;
    }
    sl_timer_arm(world->look, 2);
}

static void open_world(struct world *world, const enum mood *moods, size_t mood_count)
{
    struct sl_err err = { 0 };
    struct sl_sentry_dsn dsn = { 0 };
    char text[128];
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    *world = (struct world){ .loop = sl_loop_new(&err), .moods = moods, .mood_count = mood_count };
    world->parser = sl_json_parser_new(1u << 20);
    world->look = sl_timer_new(world->loop, on_look, world);
    world->server =
        sl_http_server_new(&(struct sl_http_server_opts){ .loop = world->loop,
                                                          .listen = "127.0.0.1:0",
                                                          .limits = sl_http_limits_default,
                                                          .on_request = on_request,
                                                          .arg = world },
                           &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->server);
    snprintf(text, sizeof text, "http://public@127.0.0.1:%u/7", sl_http_server_port(world->server));
    CU_ASSERT_FATAL(sl_sentry_dsn_parse(text, &dsn, &err));
    world->sentry = sl_sentry_new(&(struct sl_sentry_opts){ .loop = world->loop,
                                                            .dsn = &dsn,
                                                            .service = "test",
                                                            .version = "9.9",
                                                            .environment = "unit",
                                                            .period_ms = PERIOD_MS,
                                                            .on_change = on_change,
                                                            .arg = world },
                                  &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->sentry);
}

static void close_world(struct world *world)
{
    sl_sentry_free(world->sentry);
    sl_http_server_free(world->server);
    sl_timer_free(world->look);
    sl_json_parser_free(world->parser);
    sl_loop_free(world->loop);
}

/* Until Sentry has taken `want`. */
static void run_until(struct world *world, uint64_t want)
{
    struct sl_err err = { 0 };
    world->want = want;
    world->until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    sl_timer_arm(world->look, 0);
    CU_ASSERT(sl_loop_run(world->loop, &err));
    CU_ASSERT_EQUAL(world->sum, want);
    CU_ASSERT_EQUAL(sl_sentry_pending(world->sentry), 0);
}

static void count(struct world *world, const char *type, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        sl_sentry_count(world->sentry, SL_SPAN_LITERAL("stripe"), sl_span_of(type),
                        "broker_waiting");
    }
}

CLAIM(sentry__a_minute_is_one_event_for_each_key)
{
    static struct world world;
    open_world(&world, NULL, 0);
    count(&world, "invoice.paid", 500);
    count(&world, "customer.created", 7);
    run_until(&world, 507);
    CU_ASSERT_EQUAL(world.requests, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(world.last, "\"eventbus.status\":\"degraded\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(world.last, "\"source\":\"stripe\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(world.last, "\"reason\":\"broker_waiting\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(world.last, "\"environment\":\"unit\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(world.last, "\"release\":\"sluice@9.9\""));
    close_world(&world);
}

CLAIM(sentry__the_sum_is_right_whatever_the_answers_were)
{
    static const enum mood moods[] = {
        BREAK, TAKE_SILENTLY, REFUSE, HANG_UP,       TAKE,    REFUSE,
        BREAK, BREAK,         TAKE,   TAKE_SILENTLY, HANG_UP, REFUSE
    };
    static struct world world;
    open_world(&world, moods, SL_COUNT(moods));
    uint64_t counted = 0;
    for (unsigned round = 0; round < 8; round++) {
        count(&world, "invoice.paid", 100 + round);
        count(&world, "customer.created", round);
        count(&world, "charge.refunded", 1);
        counted += 101 + 2 * round;
        sl_timer_arm(world.look, PERIOD_MS);
        world.want = 0;
        world.until_ms = 0;
        struct sl_err err = { 0 };
        CU_ASSERT(sl_loop_run(world.loop, &err)); /* one period */
    }
    run_until(&world, counted);
    CU_ASSERT(world.requests > SL_COUNT(moods));
    CU_ASSERT(world.failures >= 1);
    CU_ASSERT(world.recoveries >= 1);
    close_world(&world);
}

CLAIM(sentry__a_limit_is_obeyed_and_nothing_is_lost)
{
    static const enum mood moods[] = { LIMIT };
    static struct world world;
    open_world(&world, moods, SL_COUNT(moods));
    count(&world, "invoice.paid", 3);
    int64_t begun_ms = sl_clock_mono_ms();
    run_until(&world, 3);
    CU_ASSERT(sl_clock_mono_ms() - begun_ms >= 1000);
    CU_ASSERT_EQUAL(world.requests, 2);
    CU_ASSERT_EQUAL(world.failures, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(world.trouble.text, "429"));
    CU_ASSERT_EQUAL(world.recoveries, 1);
    close_world(&world);
}

CLAIM(sentry__many_keys_are_bounded_and_add_up)
{
    static struct world world;
    char type[32];
    open_world(&world, NULL, 0);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(type, sizeof type, "type.%u", i % 500);
        count(&world, type, 1);
    }
    run_until(&world, 5000);
    CU_ASSERT_EQUAL(world.requests, SL_SENTRY_KEYS_MAX + 1);
    close_world(&world);
}

CLAIM(sentry__a_flush_does_not_wait_for_the_minute)
{
    static struct world world;
    open_world(&world, NULL, 0);
    for (unsigned i = 0; i < 9; i++) {
        char type[16];
        snprintf(type, sizeof type, "type.%u", i);
        count(&world, type, 2);
    }
    sl_sentry_flush(world.sentry);
    CU_ASSERT_FALSE(sl_sentry_is_flushed(world.sentry));
    run_until(&world, 18);
    CU_ASSERT(sl_sentry_is_flushed(world.sentry));
    close_world(&world);
}

CLAIM(sentry__a_flush_into_the_void_ends_and_says_what_is_left)
{
    static struct world world;
    open_world(&world, NULL, 0);
    sl_http_server_free(world.server);
    world.server = NULL;
    count(&world, "invoice.paid", 5);
    sl_sentry_flush(world.sentry);
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    while (!sl_sentry_is_flushed(world.sentry) && sl_clock_mono_ms() < until_ms) {
        event_base_loop(sl_loop_base(world.loop), EVLOOP_ONCE);
    }
    CU_ASSERT(sl_sentry_is_flushed(world.sentry));
    CU_ASSERT_EQUAL(sl_sentry_pending(world.sentry), 5);
    CU_ASSERT_EQUAL(world.failures, 1);
    close_world(&world);
}

CLAIM(sentry__nobody_to_tell_is_fine)
{
    sl_sentry_count(NULL, SL_SPAN_LITERAL("stripe"), SL_SPAN_LITERAL("invoice.paid"), "timeout");
    sl_sentry_flush(NULL);
    CU_ASSERT(sl_sentry_is_flushed(NULL));
    CU_ASSERT_EQUAL(sl_sentry_pending(NULL), 0);
    sl_sentry_free(NULL);
}
