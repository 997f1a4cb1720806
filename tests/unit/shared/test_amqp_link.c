/*
 * The link against brokers that nobody would want: each story is the bytes one of them sends as soon as somebody connects. What a real broker does
 * is in tests/integration/shared/test_amqp_link.c.
 */
#include "shared/amqp/amqp_link.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "tests/support/amqp_bytes.h"
#include "tests/support/claims.h"

#define PATIENCE_MS 60000

struct world {
    struct sl_loop *loop;
    struct sl_timer *guard;
    struct evconnlistener *listener;
    struct bufferevent *peers[64];
    int peer_count;
    struct sl_buf script; /* sent to everybody who connects */
    bool hang_up;         /* instead of the script */

    struct sl_amqp_url url;
    char name[10];
    char text[10];
    struct sl_amqp_link_opts opts;
    struct sl_amqp_link *link;
    int ups;
    int downs;
    int blocked;
    int stalled;
    int caught_up; /* the loop ends with it */
    int delivered;
    int settled;
    enum sl_publish_outcome outcome;
    struct sl_err why;
    int64_t pause_ms;
    int publish_when_up;
    bool pause_at_delivery;
    bool answers_when_stalled;
    int takes_one_in; /* of what is published, the broker acknowledges one in so many and refuses the rest; 0: it says nothing */
    int64_t over_at_ms;
    int published;
    int downs_wanted;
    int ups_wanted;
    bool stops_when_up; /* its consumer, and then it acknowledges what it holds */
    bool answers_credit;
    int credits_answered;
    char said[64]; /* credit, Cancel, ack, as c, C, a, in their order; the loop ends with an ack */
};

static void stop_when_done(struct world *world)
{
    if ((world->downs_wanted > 0 && world->downs >= world->downs_wanted) ||
        (world->ups_wanted > 0 && world->ups >= world->ups_wanted)) {
        sl_loop_stop(world->loop);
    }
}

static void on_guard(void *arg)
{
    struct world *world = arg;
    sl_loop_stop(world->loop);
}

static void on_peer_read(struct bufferevent *bev, void *arg);

static void on_peer_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    (void)arg;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int bytes, void *arg)
{
    struct world *world = arg;
    (void)address;
    (void)bytes;
    CU_ASSERT_FATAL(world->peer_count < 64);
    struct bufferevent *bev =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    CU_ASSERT_FATAL(bev != NULL);
    bufferevent_setcb(bev, world->stops_when_up ? on_peer_read : NULL, NULL, on_peer_event, world);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
    bufferevent_write(bev, sl_buf_span(&world->script).data, world->script.used_bytes);
    if (world->hang_up) {
        bufferevent_free(bev);
        return;
    }
    world->peers[world->peer_count++] = bev;
}

/* What a consumer that leaves says, and the broker's answers to it. */
static void on_peer_read(struct bufferevent *bev, void *arg)
{
    static const struct {
        char as;
        char method[4];
    } methods[] = { { 'c', { 0, 60, 0, (char)200 } },
                    { 'C', { 0, 60, 0, 30 } },
                    { 'a', { 0, 60, 0, 80 } } };
    struct world *world = arg;
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t bytes = evbuffer_get_length(input);
    const char *all = (const char *)evbuffer_pullup(input, -1);
    int credits = 0;
    size_t count = 0;
    for (size_t at = 0; at + 4 <= bytes; at++) {
        for (size_t i = 0; i < SL_COUNT(methods) && count + 1 < sizeof world->said; i++) {
            if (memcmp(all + at, methods[i].method, 4) == 0) {
                credits += methods[i].as == 'c';
                world->said[count++] = methods[i].as;
            }
        }
    }
    for (; world->answers_credit && world->credits_answered < credits; world->credits_answered++) {
        struct sl_buf answer;
        sl_buf_init(&answer, 64);
        put_method(&answer, 1, 60, 201, SL_SPAN_LITERAL("\0\0\0\7"));
        bufferevent_write(bev, answer.data, answer.used_bytes);
        sl_buf_done(&answer);
    }
    if (strchr(world->said, 'a') != NULL) {
        sl_loop_stop(world->loop);
    }
}

static void answer_one_more(struct world *world, struct sl_amqp_link *link);

static void on_up(struct sl_amqp_link *link, void *arg)
{
    struct world *world = arg;
    world->ups++;
    for (int i = 0; i < world->publish_when_up; i++) {
        const struct sl_amqp_message message = { .exchange = "x",
                                                 .routing_key = SL_SPAN_LITERAL("k"),
                                                 .message_id = SL_SPAN_LITERAL("evt_1") };
        struct sl_err err = { 0 };
        CU_ASSERT(sl_amqp_publish(link, &message, (uint64_t)i, &err));
    }
    if (world->takes_one_in > 0) {
        answer_one_more(world, link);
    }
    if (world->stops_when_up) {
        struct sl_err err = { 0 };
        CU_ASSERT(sl_amqp_consume_stop(link, "sluice.billing.0", &err));
        CU_ASSERT(sl_amqp_ack(link, 7, true, &err));
    }
    stop_when_done(world);
}

static void on_down(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms, void *arg)
{
    struct world *world = arg;
    (void)link;
    world->downs++;
    world->why = *why;
    world->pause_ms = wait_ms;
    stop_when_done(world);
}

static void on_stalled(struct world *world, struct sl_amqp_link *link);

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason, void *arg)
{
    struct world *world = arg;
    world->blocked += is_blocked && sl_span_is(reason, "low on memory");
    if (sl_amqp_link_state(link) == SL_AMQP_STALLED) {
        on_stalled(world, link);
    } else if (!is_blocked && world->stalled > 0) {
        CU_ASSERT(sl_amqp_link_state(link) == SL_AMQP_UP);
        world->caught_up++;
        sl_loop_stop(world->loop);
    }
}

/* What the owner sees of a stalled link; then the broker gives the answer it owes. */
static void on_stalled(struct world *world, struct sl_amqp_link *link)
{
    struct sl_buf answer;
    struct sl_err err = { 0 };
    const struct sl_amqp_message message = { .exchange = "x",
                                             .routing_key = SL_SPAN_LITERAL("k"),
                                             .message_id = SL_SPAN_LITERAL("evt_2") };
    world->stalled++;
    CU_ASSERT_FALSE(sl_amqp_publish(link, &message, 77, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_AMQP_NOT_UP);
    sl_buf_init(&answer, 1024);
    put_settle(&answer, true, 1, false);
    if (world->answers_when_stalled) {
        bufferevent_write(world->peers[0], answer.data, answer.used_bytes);
    }
    sl_buf_done(&answer);
}

static void on_delivery(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg)
{
    struct world *world = arg;
    (void)delivery;
    world->delivered++;
    if (world->pause_at_delivery) {
        sl_amqp_read_pause(link, true);
    }
}

static void on_settled(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg)
{
    struct world *world = arg;
    (void)cookie;
    world->settled++;
    world->outcome = outcome;
    if (world->takes_one_in > 0 && sl_amqp_link_state(link) == SL_AMQP_UP) {
        answer_one_more(world, link);
    }
}

/* Publishes, and has the broker's answer on its way. */
static void answer_one_more(struct world *world, struct sl_amqp_link *link)
{
    struct sl_buf answer;
    struct sl_err err = { 0 };
    const struct sl_amqp_message message = { .exchange = "x",
                                             .routing_key = SL_SPAN_LITERAL("k"),
                                             .message_id = SL_SPAN_LITERAL("evt_1") };
    if (sl_clock_mono_ms() >= world->over_at_ms && world->published > 20) {
        sl_loop_stop(world->loop);
        return;
    }
    CU_ASSERT(sl_amqp_publish(link, &message, 1, &err));
    world->published++;
    sl_buf_init(&answer, 1024);
    put_settle(&answer, world->published % world->takes_one_in == 0, (uint64_t)world->published,
               false);
    bufferevent_write(world->peers[world->peer_count - 1], answer.data, answer.used_bytes);
    sl_buf_done(&answer);
}

static void world_init(struct world *world)
{
    struct sl_err err = { 0 };
    *world = (struct world){ .name = "127.0.0.1", .text = "guest" };
    signal(SIGPIPE, SIG_IGN); /* as every program of ours does */
    sl_buf_init(&world->script, 1 << 20);
    world->loop = sl_loop_new(&err);
    CU_ASSERT_FATAL(world->loop != NULL);
    world->guard = sl_timer_new(world->loop, on_guard, world);
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    world->listener =
        evconnlistener_new_bind(sl_loop_base(world->loop), on_accept, world, LEV_OPT_CLOSE_ON_FREE,
                                -1, (const struct sockaddr *)&any, sizeof any);
    CU_ASSERT_FATAL(world->listener != NULL);
    socklen_t bytes = sizeof any;
    getsockname(evconnlistener_get_fd(world->listener), (struct sockaddr *)&any, &bytes);
    world->url = (struct sl_amqp_url){ .hosts = { { world->name, ntohs(any.sin_port) } },
                                       .host_count = 1,
                                       .user = world->text,
                                       .password = world->text,
                                       .vhost = world->text };
    world->opts = (struct sl_amqp_link_opts){
        .loop = world->loop,
        .url = &world->url,
        .connection_name = "test",
        .confirms = true,
        .attempt_ms = 3000,
        .arg = world,
        .on_up = on_up,
        .on_down = on_down,
        .on_blocked = on_blocked,
        .on_delivery = on_delivery,
        .on_settled = on_settled,
    };
}

static void world_run(struct world *world)
{
    struct sl_err err = { 0 };
    world->link = sl_amqp_link_new(&world->opts, &err);
    CU_ASSERT_FATAL(world->link != NULL);
    sl_timer_arm(world->guard, PATIENCE_MS);
    CU_ASSERT(sl_loop_run(world->loop, &err));
}

static void world_done(struct world *world)
{
    sl_amqp_link_free(world->link);
    for (int i = 0; i < world->peer_count; i++) {
        bufferevent_free(world->peers[i]);
    }
    evconnlistener_free(world->listener);
    sl_timer_free(world->guard);
    sl_loop_free(world->loop);
    sl_buf_done(&world->script);
}

/* A handshake as far as "confirms are on". */
static void put_handshake_of(struct sl_buf *script, unsigned frame_bytes_max, const char *version)
{
    put_start_of(script, "AMQPLAIN PLAIN", version);
    put_tune(script, frame_bytes_max, 60);
    put_method(script, 0, 10, 41, SL_SPAN_LITERAL("\0"));
    put_method(script, 1, 20, 11, SL_SPAN_LITERAL("\0\0\0\0"));
    put_method(script, 1, 85, 11, SL_SPAN_LITERAL(""));
}

static void put_handshake(struct sl_buf *script, unsigned frame_bytes_max)
{
    put_handshake_of(script, frame_bytes_max, NULL);
}

CLAIM(amqp_link__a_broker_without_a_frame_limit_is_fine)
{
    struct world world;
    world_init(&world);
    put_handshake(&world.script, 0);
    world.ups_wanted = 1;
    world.downs_wanted = 1;
    world_run(&world);
    CU_ASSERT(world.ups == 1 && world.downs == 0);
    CU_ASSERT(sl_amqp_link_state(world.link) == SL_AMQP_UP);
    world_done(&world);
}

static void say_nothing(struct sl_buf *script)
{
    (void)script;
}

static void say_http(struct sl_buf *script)
{
    sl_buf_append_text(script, "HTTP/1.1 400 Bad Request\r\n\r\n");
}

static void say_amqp_1(struct sl_buf *script)
{
    sl_buf_append(script, "AMQP\3\1\0\0", 8);
}

static void say_no_plain(struct sl_buf *script)
{
    put_start(script, "EXTERNAL PLAINER");
}

static void say_frame_max_1(struct sl_buf *script)
{
    put_start(script, "PLAIN");
    put_tune(script, 1, 60);
}

static void say_tune_first(struct sl_buf *script)
{
    put_tune(script, 131072, 60);
}

static void say_start_twice(struct sl_buf *script)
{
    put_start(script, "PLAIN");
    put_start(script, "PLAIN");
}

static void say_deliver_early(struct sl_buf *script)
{
    put_start(script, "PLAIN");
    put_deliver(script, 1, "k");
}

static void say_ack_early(struct sl_buf *script)
{
    put_start(script, "PLAIN");
    put_settle(script, true, 1, false);
}

static void say_wrong_login(struct sl_buf *script)
{
    put_start(script, "PLAIN");
    put_close(script, false, 403, "ACCESS_REFUSED");
}

static void say_no_vhost(struct sl_buf *script)
{
    put_start(script, "PLAIN");
    put_tune(script, 131072, 60);
    put_close(script, false, 530, "NOT_ALLOWED - vhost guest not found");
}

static void say_going_down(struct sl_buf *script)
{
    put_handshake(script, 131072);
    put_close(script, false, 320, "CONNECTION_FORCED");
}

static void say_channel_closed(struct sl_buf *script)
{
    put_handshake(script, 131072);
    put_close(script, true, 404, "NOT_FOUND - no exchange");
}

static void say_unknown_ack(struct sl_buf *script)
{
    put_handshake(script, 131072);
    put_settle(script, true, 7, false);
}

static void say_unknown_return(struct sl_buf *script)
{
    put_handshake(script, 131072);
    put_return(script, "x", "k");
    put_header(script, 0, SL_SPAN_LITERAL("\0\0"));
}

static void say_huge_delivery(struct sl_buf *script)
{
    put_handshake(script, 131072);
    put_deliver(script, 1, "k");
    put_header(script, UINT64_C(1) << 63, SL_SPAN_LITERAL("\0\0"));
}

static void say_other_channel(struct sl_buf *script)
{
    put_handshake(script, 131072);
    put_frame(script, METHOD, 2, SL_SPAN_LITERAL("\0\x3c\0\x50"));
}

static void say_unasked_declare_ok(struct sl_buf *script)
{
    put_handshake(script, 131072);
    put_method(script, 1, 40, 11, SL_SPAN_LITERAL(""));
}

static void say_select_twice(struct sl_buf *script)
{
    put_handshake(script, 131072);
    put_method(script, 1, 85, 11, SL_SPAN_LITERAL(""));
}

CLAIM(amqp_link__a_broker_that_misbehaves_costs_one_connection_and_is_named)
{
    static const struct {
        void (*say)(struct sl_buf *script);
        enum sl_code code;
        const char *words;
        int ups;
    } rows[] = {
        { say_nothing, SL_E_AMQP_UNREACHABLE, "waiting for the broker's greeting", 0 },
        { say_http, SL_E_AMQP_PROTOCOL, "type", 0 },
        { say_amqp_1, SL_E_AMQP_PROTOCOL, "0-9-1", 0 },
        { say_no_plain, SL_E_AMQP_REFUSED, "PLAIN", 0 },
        { say_frame_max_1, SL_E_AMQP_PROTOCOL, "4096", 0 },
        { say_tune_first, SL_E_AMQP_PROTOCOL, "out of turn", 0 },
        { say_start_twice, SL_E_AMQP_PROTOCOL, "out of turn", 0 },
        { say_deliver_early, SL_E_AMQP_PROTOCOL, "out of turn", 0 },
        { say_ack_early, SL_E_AMQP_PROTOCOL, "out of turn", 0 },
        { say_wrong_login, SL_E_AMQP_REFUSED, "403 ACCESS_REFUSED", 0 },
        { say_no_vhost, SL_E_AMQP_REFUSED, "530", 0 },
        { say_going_down, SL_E_AMQP_CLOSED, "320", 1 },
        { say_channel_closed, SL_E_AMQP_NOT_FOUND, "404", 1 },
        { say_unknown_ack, SL_E_AMQP_PROTOCOL, "7", 1 },
        { say_unknown_return, SL_E_AMQP_PROTOCOL, "returned", 1 },
        { say_huge_delivery, SL_E_AMQP_PROTOCOL, "bytes", 1 },
        { say_other_channel, SL_E_AMQP_PROTOCOL, "channel 2", 1 },
        { say_unasked_declare_ok, SL_E_AMQP_PROTOCOL, "exchange.declare-ok", 1 },
        { say_select_twice, SL_E_AMQP_PROTOCOL, "out of turn", 1 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        struct world world;
        world_init(&world);
        rows[i].say(&world.script);
        world.opts.attempt_ms = rows[i].say == say_nothing ? 50 : 1000;
        world.downs_wanted = 1;
        world_run(&world);
        CU_ASSERT(world.downs == 1);
        CU_ASSERT(world.ups == rows[i].ups);
        CU_ASSERT(world.why.code == rows[i].code);
        CU_ASSERT(strstr(world.why.text, rows[i].words) != NULL);
        CU_ASSERT(world.delivered == 0);
        CU_ASSERT(sl_amqp_link_has_tried(world.link));
        CU_ASSERT(sl_amqp_link_state(world.link) == SL_AMQP_WAITING);
        CU_ASSERT(rows[i].code == SL_E_AMQP_REFUSED ? world.pause_ms >= 30000
                                                    : world.pause_ms <= 500);
        world_done(&world);
    }
}

CLAIM(amqp_link__a_broker_that_hangs_up_is_tried_again)
{
    struct world world;
    world_init(&world);
    put_start(&world.script, "PLAIN");
    world.hang_up = true;
    world.downs_wanted = 3;
    world_run(&world);
    CU_ASSERT(world.downs == 3);
    CU_ASSERT(world.why.code == SL_E_AMQP_CLOSED);
    CU_ASSERT(world.ups == 0);
    world_done(&world);
}

CLAIM(amqp_link__blocked_is_told_once_with_its_reason)
{
    struct world world;
    world_init(&world);
    put_handshake(&world.script, 131072);
    put_method(&world.script, 0, 10, 60, SL_SPAN_LITERAL("\15low on memory"));
    put_method(&world.script, 0, 10, 60, SL_SPAN_LITERAL("\15low on memory"));
    put_close(&world.script, false, 320, "");
    world.downs_wanted = 1;
    world_run(&world);
    CU_ASSERT(world.blocked == 1);
    world_done(&world);
}

CLAIM(
    amqp_link__what_is_in_flight_when_the_channel_closes_is_lost_and_what_was_returned_is_returned)
{
    struct world world;
    world_init(&world);
    put_handshake(&world.script, 131072);
    put_close(&world.script, true, 404, "NOT_FOUND");
    world.publish_when_up = 3;
    world.downs_wanted = 1;
    world_run(&world);
    CU_ASSERT(world.settled == 3);
    CU_ASSERT(world.outcome == SL_PUBLISH_LOST);
    world_done(&world);

    world_init(&world);
    put_handshake(&world.script, 131072);
    put_return(&world.script, "x", "k");
    put_header(&world.script, 3, SL_SPAN_LITERAL("\0\x80\5evt_1"));
    put_frame(&world.script, BODY, 1, SL_SPAN_LITERAL("abc"));
    put_settle(&world.script, true, 1, false);
    put_close(&world.script, false, 320, "");
    world.publish_when_up = 1;
    world.downs_wanted = 1;
    world_run(&world);
    CU_ASSERT(world.settled == 1);
    CU_ASSERT(world.outcome == SL_PUBLISH_RETURNED);
    world_done(&world);
}

CLAIM(amqp_link__a_confirm_that_never_comes_is_a_timeout_and_the_link_stays)
{
    struct world world;
    world_init(&world);
    put_handshake(&world.script, 131072);
    world.publish_when_up = 2;
    world.opts.confirm_ms = 30;
    world.opts.heartbeat_s = 1;
    world.downs_wanted = 1; /* at last: two seconds of silence */
    world_run(&world);
    CU_ASSERT(world.settled == 2);
    CU_ASSERT(world.outcome == SL_PUBLISH_TIMEOUT);
    CU_ASSERT(strstr(world.why.text, "silent") != NULL);
    world_done(&world);
}

CLAIM(amqp_link__after_nothing_but_refusals_another_connection_is_tried)
{
    struct world world;
    world_init(&world);
    put_handshake(&world.script, 131072);
    world.opts.refused_ms = 60;
    world.takes_one_in = INT_MAX;
    world.over_at_ms = sl_clock_mono_ms() + PATIENCE_MS;
    world.downs_wanted = 1;
    world_run(&world);
    CU_ASSERT_EQUAL(world.downs, 1);
    CU_ASSERT_EQUAL(world.why.code, SL_E_AMQP_CLOSED);
    CU_ASSERT(strstr(world.why.text, "refused every publish") != NULL);
    CU_ASSERT(world.settled >= 2);
    world_done(&world);
}

CLAIM(amqp_link__one_that_is_taken_now_and_then_keeps_the_connection)
{
    struct world world;
    world_init(&world);
    put_handshake(&world.script, 131072);
    world.opts.refused_ms = 200;
    world.takes_one_in = 2; /* no two refusals in a row, however slow the machine is */
    world.over_at_ms = sl_clock_mono_ms() + 1000; /* five times as long */
    world.downs_wanted = 1;
    world_run(&world);
    CU_ASSERT_EQUAL(world.downs, 0);
    CU_ASSERT(world.settled > 10);
    world_done(&world);
}

/* What a broker of that version hears of a consumer that leaves with a delivery in hand. */
static void leave(struct world *world, const char *version, bool answers_credit)
{
    world_init(world);
    put_handshake_of(&world->script, 131072, version);
    world->stops_when_up = true;
    world->answers_credit = answers_credit;
    world->opts.attempt_ms = 500;
    world_run(world);
    CU_ASSERT_EQUAL(world->downs, 0);
    world_done(world);
}

CLAIM(amqp_link__a_consumer_leaves_when_its_queue_has_nothing_under_way_and_acknowledges_behind)
{
    struct world world;
    leave(&world, "3.10.8", true);
    CU_ASSERT_STRING_EQUAL(world.said, "ccCa");
}

CLAIM(amqp_link__a_queue_that_owes_its_answer_is_left_all_the_same)
{
    struct world world;
    leave(&world, "3.10.8", false);
    CU_ASSERT_STRING_EQUAL(world.said, "cCa");
}

CLAIM(amqp_link__a_broker_without_credit_is_left_at_once)
{
    struct world world;
    leave(&world, "4.2.0", false);
    CU_ASSERT_STRING_EQUAL(world.said, "Ca");
    leave(&world, NULL, false);
    CU_ASSERT_STRING_EQUAL(world.said, "Ca");
}

CLAIM(amqp_link__an_overdue_confirm_stalls_the_link_until_it_comes)
{
    struct world world;
    world_init(&world);
    put_handshake(&world.script, 131072);
    world.publish_when_up = 1; /* of two, the second might get its answer in time */
    world.opts.confirm_ms = 30;
    world.answers_when_stalled = true;
    world_run(&world);
    CU_ASSERT_EQUAL(world.stalled, 1);
    CU_ASSERT_EQUAL(world.caught_up, 1);
    CU_ASSERT_EQUAL(world.downs, 0);
    CU_ASSERT_EQUAL(world.settled, 1);
    CU_ASSERT(world.outcome == SL_PUBLISH_TIMEOUT); /* once, and the late answer changes nothing */
    CU_ASSERT(sl_amqp_link_state(world.link) == SL_AMQP_UP);
    world_done(&world);
}

CLAIM(amqp_link__it_can_be_freed_at_once_and_while_connecting)
{
    struct world world;
    struct sl_err err = { 0 };
    world_init(&world);
    sl_amqp_link_free(sl_amqp_link_new(&world.opts, &err));
    world.opts.attempt_ms = 60000;
    world.link = sl_amqp_link_new(&world.opts, &err);
    sl_timer_arm(world.guard, 20);
    CU_ASSERT(sl_loop_run(world.loop, &err));
    CU_ASSERT(sl_amqp_link_state(world.link) == SL_AMQP_CONNECTING);
    CU_ASSERT(!sl_amqp_link_has_tried(world.link));
    world_done(&world);
}

CLAIM(amqp_link__without_a_connection_nothing_is_sent)
{
    struct world world;
    struct sl_err err = { 0 };
    world_init(&world);
    world.link = sl_amqp_link_new(&world.opts, &err);
    const struct sl_amqp_message message = { .exchange = "" };
    CU_ASSERT(!sl_amqp_publish(world.link, &message, 1, &err));
    CU_ASSERT(err.code == SL_E_AMQP_NOT_UP);
    CU_ASSERT(!sl_amqp_consume(world.link, "q", 1, &err));
    CU_ASSERT(!sl_amqp_consume_stop(world.link, "q", &err));
    CU_ASSERT(!sl_amqp_ack(world.link, 1, false, &err));
    CU_ASSERT(!sl_amqp_nack(world.link, 1, false, true, &err));
    CU_ASSERT(sl_amqp_link_inflight(world.link) == 0);
    world_done(&world);
}

CLAIM(amqp_link__a_full_window_refuses_the_next_publish)
{
    struct world world;
    struct sl_err err = { 0 };
    world_init(&world);
    put_handshake(&world.script, 131072);
    world.opts.publishes_max = 2;
    world.publish_when_up = 2;
    world.ups_wanted = 1;
    world_run(&world);
    const struct sl_amqp_message message = { .exchange = "" };
    CU_ASSERT(sl_amqp_link_inflight(world.link) == 2);
    CU_ASSERT(!sl_amqp_publish(world.link, &message, 3, &err));
    CU_ASSERT(err.code == SL_E_LIMIT);
    world_done(&world);
}

CLAIM(amqp_link__what_the_broker_does_not_read_is_bounded)
{
    struct world world;
    static char body[1024 * 1024];
    struct sl_err err = { 0 };
    world_init(&world);
    put_handshake(&world.script, 131072);
    world.ups_wanted = 1;
    world_run(&world);
    const struct sl_amqp_message message = { .exchange = "", .body = { body, sizeof body } };
    int taken = 0;
    while (taken < 100 && sl_amqp_publish(world.link, &message, (uint64_t)taken, &err)) {
        taken++;
    }
    CU_ASSERT(taken > 10 && taken < 20);
    CU_ASSERT(err.code == SL_E_LIMIT);
    const struct sl_amqp_message huge = { .exchange = "", .body = { body, SIZE_MAX / 2 } };
    CU_ASSERT(!sl_amqp_publish(world.link, &huge, 1, &err));
    world_done(&world);
}

CLAIM(amqp_link__a_pause_holds_back_what_has_already_arrived_and_loses_none_of_it)
{
    struct world world;
    struct sl_err err = { 0 };
    world_init(&world);
    put_handshake(&world.script, 131072);
    for (uint64_t tag = 1; tag <= 3; tag++) {
        put_deliver(&world.script, tag, "k");
        put_header(&world.script, 2, SL_SPAN_LITERAL("\0\0"));
        put_frame(&world.script, BODY, 1, SL_SPAN_LITERAL("ab"));
    }
    world.pause_at_delivery = true;
    world.link = sl_amqp_link_new(&world.opts, &err);
    for (int expected = 1; expected <= 3; expected++) {
        sl_timer_arm(world.guard, 50);
        CU_ASSERT(sl_loop_run(world.loop, &err));
        CU_ASSERT(world.delivered == expected);
        sl_amqp_read_pause(world.link, false);
        CU_ASSERT(world.delivered == expected); /* never from inside the call */
    }
    CU_ASSERT(world.downs == 0);
    world_done(&world);
}
