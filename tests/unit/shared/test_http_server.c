#include <sys/resource.h>

#include "tests/unit/shared/http_world.h"

CLAIM(http_server__one_request_one_answer_on_a_kept_connection)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int fd = dial(&world);
    say(&world, fd, "POST /a?b=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    struct heard heard = hear_answer(&world, fd);
    CU_ASSERT(has(&heard, "HTTP/1.1 200 OK\r\nDate: "));
    CU_ASSERT(has(&heard, " GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
                          "POST /a hello"));
    CU_ASSERT_FALSE(has(&heard, "Connection"));
    sl_buf_done(&heard.text);
    say(&world, fd, GET);
    expect_answer(&world, fd, "\r\n\r\nGET /a ");
    CU_ASSERT_EQUAL(sl_http_server_connections(world.server), 1);
    close(fd);
    UNTIL(&world, sl_http_server_connections(world.server) == 0);
    close_world(&world);
}

static const char *const whole_requests[] = {
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "2;x\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n",
};

CLAIM(http_server__the_request_is_the_same_wherever_it_is_split)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int fd = dial(&world);
    size_t sent = 0;
    for (size_t i = 0; i < SL_COUNT(whole_requests); i++) {
        struct sl_span bytes = sl_span_of(whole_requests[i]);
        for (size_t split = 0; split <= bytes.bytes; split++) {
            say_bytes(&world, fd, sl_span_make(bytes.data, split));
            say_bytes(&world, fd, sl_span_make(bytes.data + split, bytes.bytes - split));
            expect_answer(&world, fd, "\r\n\r\nPOST /a hello");
            sent++;
        }
        for (size_t at = 0; at < bytes.bytes; at++) {
            say_bytes(&world, fd, sl_span_make(bytes.data + at, 1));
        }
        expect_answer(&world, fd, "\r\n\r\nPOST /a hello");
        sent++;
    }
    CU_ASSERT_EQUAL(world.handled, sent);
    close(fd);
    close_world(&world);
}

CLAIM(http_server__pipelined_requests_are_answered_in_order)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int fd = dial(&world);
    say(&world, fd,
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxyGET /3 HTTP/1.1\r\nHost: a\r\n"
        "Connection: close\r\n\r\n");
    EXPECT_TO_END(&world, fd, "GET /1 ", "POST /2 xy", "Connection: close", "GET /3 ");
    close(fd);
    close_world(&world);
}

CLAIM(http_server__a_flood_of_pipelined_requests_waits_its_turn)
{
    enum { FLOOD = 5000 };
    struct sl_http_limits limits = sl_http_limits_default;
    limits.requests_max = FLOOD + 1;
    struct world world;
    open_world(&world, &limits);
    world.holds = true;
    int fd = dial(&world);
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, 1u << 20);
    for (int i = 0; i < FLOOD; i++) {
        sl_buf_append_text(&text, GET);
    }
    struct sl_span unsent = sl_buf_span(&text);
    struct heard heard = { 0 };
    sl_buf_init(&heard.text, 64u << 20);
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    for (size_t answered = 0; answered < FLOOD && sl_clock_mono_ms() < until_ms;) {
        ssize_t sent = send(fd, unsent.data, unsent.bytes, MSG_NOSIGNAL);
        if (sent > 0) {
            unsent = sl_span_make(unsent.data + sent, unsent.bytes - (size_t)sent);
        }
        turn(&world);
        CU_ASSERT_FATAL(world.held_count <= 1); /* one at a time */
        if (world.held_count == 1) {
            world.held_count = 0;
            echo(&world, world.held[0]);
            answered++;
        }
        if (answered % 100 == 0) {
            hear_some(&world, fd, &heard);
        }
    }
    shutdown(fd, SHUT_WR);
    while (!heard.at_end && !heard.reset && sl_clock_mono_ms() < until_ms) {
        hear_some(&world, fd, &heard);
    }
    CU_ASSERT(heard.at_end);
    CU_ASSERT_EQUAL(count_of(&heard, "GET /a "), FLOOD);
    sl_buf_done(&heard.text);
    close(fd);
    close_world(&world);
}

CLAIM(http_server__a_late_answer_finds_its_client_and_the_next_request_follows)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    world.holds = true;
    int fd = dial(&world);
    int other = dial(&world);
    say(&world, fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    say(&world, other, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(&world, world.held_count == 2);
    CU_ASSERT_STRING_EQUAL(sl_http_request_peer(world.held[0]), "127.0.0.1");
    CU_ASSERT(sl_http_request_started_us(world.held[0]) <= sl_clock_mono_us());
    CU_ASSERT(sl_http_request_received_us(world.held[0]) <= sl_clock_wall_us());
    CU_ASSERT(sl_http_request_received_us(world.held[0]) > sl_clock_wall_us() - 60000000);
    echo(&world, world.held[1]);
    expect_answer(&world, other, "GET /other ");
    echo(&world, world.held[0]);
    CU_ASSERT_EQUAL(world.held_count, 2);
    expect_answer(&world, fd, "GET /1 ");
    UNTIL(&world, world.held_count == 3);
    echo(&world, world.held[2]);
    expect_answer(&world, fd, "GET /2 ");
    close(fd);
    close(other);
    close_world(&world);
}

CLAIM(http_server__an_event_goes_on_when_its_client_has_gone)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    world.holds = true;
    int fd = dial(&world);
    say(&world, fd, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    UNTIL(&world, world.held_count == 1);
    abort_fd(fd);
    UNTIL(&world, sl_http_server_connections(world.server) == 0);
    CU_ASSERT(sl_span_is(sl_http_request_body(world.held[0]), "hello"));
    CU_ASSERT(sl_span_is(sl_http_field(sl_http_request_head(world.held[0]), "host"), "a"));
    echo(&world, world.held[0]);
    close_world(&world);
}

CLAIM(http_server__a_client_that_leaves_in_the_middle_of_a_request_is_forgotten)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    for (size_t split = 1; split < strlen(whole_requests[0]); split += 7) {
        for (int is_reset = 0; is_reset < 2; is_reset++) {
            int fd = dial(&world);
            say_bytes(&world, fd, sl_span_make(whole_requests[0], split));
            UNTIL(&world, sl_http_server_connections(world.server) == 1);
            if (is_reset != 0) {
                abort_fd(fd);
            } else {
                close(fd);
            }
            UNTIL(&world, sl_http_server_connections(world.server) == 0);
        }
    }
    CU_ASSERT_EQUAL(world.handled, 0);
    close_world(&world);
}

CLAIM(http_server__a_half_closed_client_still_gets_its_answers)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    world.holds = true;
    int fd = dial(&world);
    say(&world, fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(fd, SHUT_WR);
    UNTIL(&world, world.held_count == 1);
    turn(&world);
    echo(&world, world.held[0]);
    UNTIL(&world, world.held_count == 2);
    echo(&world, world.held[1]);
    EXPECT_TO_END(&world, fd, "GET /1 ", "GET /2 ");
    close(fd);
    UNTIL(&world, sl_http_server_connections(world.server) == 0);
    close_world(&world);
}

CLAIM(http_server__answers_outlive_the_server_safely)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    world.holds = true;
    int gone = dial(&world);
    say(&world, gone, GET);
    UNTIL(&world, world.held_count == 1);
    abort_fd(gone);
    int fd = dial(&world);
    say(&world, fd, GET);
    UNTIL(&world, world.held_count == 2);
    sl_http_server_free(world.server);
    world.server = NULL;
    echo(&world, world.held[0]);
    echo(&world, world.held[1]);
    close(fd);
    close_world(&world);
}

CLAIM(http_server__http_1_0_closes_unless_asked)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int fd = dial(&world);
    say(&world, fd, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect_answer(&world, fd, "Connection: keep-alive\r\n\r\nGET /a ");
    say(&world, fd, "GET /b HTTP/1.0\r\n\r\n");
    EXPECT_TO_END(&world, fd, "Connection: close\r\n\r\nGET /b ");
    close(fd);
    close_world(&world);
}

CLAIM(http_server__an_answer_that_closes_is_the_last)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int fd = dial(&world);
    say(&world, fd, "GET /close HTTP/1.1\r\nHost: a\r\n\r\n" GET);
    EXPECT_TO_END(&world, fd, "Connection: close\r\n\r\nGET /close ");
    CU_ASSERT_EQUAL(world.handled, 1);
    close(fd);
    UNTIL(&world, sl_http_server_connections(world.server) == 0);
    close_world(&world);
}

CLAIM(http_server__what_cannot_be_framed_is_refused_with_a_fixed_body)
{
    static const struct {
        const char *request;
        int status;
        const char *answer;
    } cases[] = {
        { "GET / HTTP/1.1\r\n\r\n", 400, "HTTP/1.1 400 Bad Request\r\n" },
        { "\x16\x03\x01 TLS\r\n", 400, "{\"error\":\"Bad Request\"}" },
        { "GET / HTTP/2.0\r\n\r\n", 505, "HTTP/1.1 505 " },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n", 400,
          "Connection: close\r\n\r\n{\"error\":\"Bad Request\"}" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413,
          "{\"error\":\"Content Too Large\"}" },
        { "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n",
          413, "HTTP/1.1 413 " },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", 413,
          "HTTP/1.1 413 " },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
          413, "HTTP/1.1 413 " },
    };
    struct world world;
    open_world(&world, &sl_http_limits_default);
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        int fd = dial(&world);
        world.refused_status = 0;
        say(&world, fd, cases[i].request);
        struct heard heard = hear_to_end(&world, fd);
        CU_ASSERT(heard.at_end);
        CU_ASSERT(has(&heard, cases[i].answer));
        CU_ASSERT_EQUAL(count_of(&heard, "HTTP/1.1"), 1);
        CU_ASSERT_EQUAL(world.refused_status, cases[i].status);
        CU_ASSERT_FALSE(has(&heard, world.refused_why)); /* the reason is ours alone */
        sl_buf_done(&heard.text);
        close(fd);
    }
    CU_ASSERT_EQUAL(world.handled, 0);
    UNTIL(&world, sl_http_server_connections(world.server) == 0);
    close_world(&world);
}

CLAIM(http_server__a_head_of_16_kib_passes_and_one_byte_more_is_431)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    for (size_t over = 0; over < 2; over++) {
        char text[SL_HTTP_HEAD_BYTES_MAX + 2];
        memset(text, 'a', sizeof text);
        static const char start[] = "GET /a HTTP/1.1\r\nHost: a\r\nX: ";
        memcpy(text, start, sizeof start - 1);
        memcpy(text + SL_HTTP_HEAD_BYTES_MAX + over - 4, "\r\n\r\n", 5);
        int fd = dial(&world);
        say(&world, fd, text);
        expect_answer(&world, fd, over == 0 ? "HTTP/1.1 200" : "HTTP/1.1 431");
        close(fd);
    }
    close_world(&world);
}

CLAIM(http_server__a_sender_of_too_much_can_read_its_413)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int fd = dial(&world);
    const size_t bytes = 5u << 20;
    char *body = malloc(bytes);
    memset(body, 'x', bytes);
    say(&world, fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5242880\r\n\r\n");
    say_bytes(&world, fd, sl_span_make(body, bytes)); /* all of it before it looks */
    free(body);
    EXPECT_TO_END(&world, fd, "HTTP/1.1 413 ", "Connection: close", "{\"error\":");
    close(fd);
    UNTIL(&world, sl_http_server_connections(world.server) == 0);
    close_world(&world);
}

CLAIM(http_server__a_body_of_exactly_the_limit_passes)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int fd = dial(&world);
    const size_t bytes = sl_http_limits_default.body_bytes_max;
    char *body = malloc(bytes);
    memset(body, 'x', bytes);
    say(&world, fd, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n");
    say_bytes(&world, fd, sl_span_make(body, bytes));
    expect_answer(&world, fd, "Content-Length: 1048584\r\n");
    say(&world, fd, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n");
    say_bytes(&world, fd, sl_span_make(body, bytes));
    say(&world, fd, "\r\n0\r\n\r\n");
    expect_answer(&world, fd, "Content-Length: 1048584\r\n");
    free(body);
    close(fd);
    close_world(&world);
}

CLAIM(http_server__who_expects_100_continue_gets_it_once)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int fd = dial(&world);
    say(&world, fd,
        "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n"
        "Content-Length: 2\r\n\r\n");
    struct heard heard = { 0 };
    sl_buf_init(&heard.text, 4096);
    while (heard.text.used_bytes < 25 && !heard.at_end) {
        hear_some(&world, fd, &heard);
    }
    CU_ASSERT_STRING_EQUAL(heard.text.data, "HTTP/1.1 100 Continue\r\n\r\n");
    sl_buf_done(&heard.text);
    say(&world, fd, "h");
    say(&world, fd, "i");
    struct heard rest = hear_to_end(&world, fd);
    CU_ASSERT(has(&rest, "POST /a hi"));
    CU_ASSERT_EQUAL(count_of(&rest, "HTTP/1.1"), 1);
    sl_buf_done(&rest.text);
    close(fd);
    close_world(&world);
}

CLAIM(http_server__slow_heads_and_bodies_are_408_and_idle_connections_just_close)
{
    static const struct {
        const char *request;
        const char *why;
        int64_t at_least_ms;
    } cases[] = {
        { "GET /", "head too slow", 30 },
        { "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n", "head too slow", 30 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", "body too slow", 60 },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
          "body too slow", 60 },
        { "", "", 90 },
    };
    struct sl_http_limits limits = quick_limits();
    struct world world;
    open_world(&world, &limits);
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        world.refused_why[0] = '\0';
        int64_t since_ms = sl_clock_mono_ms();
        int fd = dial(&world);
        say(&world, fd, cases[i].request);
        struct heard heard = hear_to_end(&world, fd);
        CU_ASSERT(heard.at_end);
        CU_ASSERT(sl_clock_mono_ms() - since_ms >= cases[i].at_least_ms);
        CU_ASSERT_EQUAL(has(&heard, "HTTP/1.1 408 "), cases[i].request[0] != '\0');
        CU_ASSERT_STRING_EQUAL(world.refused_why, cases[i].why);
        sl_buf_done(&heard.text);
        close(fd);
    }
    UNTIL(&world, sl_http_server_connections(world.server) == 0);
    close_world(&world);
}

CLAIM(http_server__a_dripping_head_does_not_win_time_with_each_byte)
{
    struct sl_http_limits limits = quick_limits();
    struct world world;
    open_world(&world, &limits);
    int fd = dial(&world);
    int64_t since_ms = sl_clock_mono_ms();
    while (world.refused_status == 0 && sl_clock_mono_ms() - since_ms < PATIENCE_MS) {
        say(&world, fd, "G");
        struct pollfd pause = { .fd = fd };
        poll(&pause, 1, 1);
    }
    CU_ASSERT_EQUAL(world.refused_status, 408);
    close(fd);
    close_world(&world);
}

CLAIM(http_server__a_handler_has_no_deadline_of_the_server)
{
    struct sl_http_limits limits = quick_limits();
    struct world world;
    open_world(&world, &limits);
    world.holds = true;
    int fd = dial(&world);
    say(&world, fd, GET);
    UNTIL(&world, world.held_count == 1);
    int idle = dial(&world);
    struct heard heard = hear_to_end(&world, idle); /* as long as the longest limit */
    sl_buf_done(&heard.text);
    close(idle);
    echo(&world, world.held[0]);
    expect_answer(&world, fd, "GET /a ");
    close(fd);
    close_world(&world);
}

CLAIM(http_server__a_large_answer_arrives_whole)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    world.big_answer_bytes = 24u << 20;
    int fd = dial(&world);
    say(&world, fd, GET);
    struct heard heard = hear_answer(&world, fd);
    CU_ASSERT(heard.text.used_bytes > world.big_answer_bytes);
    sl_buf_done(&heard.text);
    world.big_answer_bytes = 0;
    say(&world, fd, GET);
    expect_answer(&world, fd, "GET /a ");
    close(fd);
    close_world(&world);
}

CLAIM(http_server__a_client_that_does_not_read_its_answer_is_dropped)
{
    struct sl_http_limits limits = quick_limits();
    struct world world;
    open_world(&world, &limits);
    world.big_answer_bytes = 24u << 20;
    int fd = dial(&world);
    say(&world, fd, GET);
    UNTIL(&world, world.handled == 1);
    UNTIL(&world, sl_http_server_connections(world.server) == 0);
    close(fd);
    close_world(&world);
}

CLAIM(http_server__connections_over_the_limit_get_a_503)
{
    struct sl_http_limits limits = sl_http_limits_default;
    limits.connections_max = 2;
    struct world world;
    open_world(&world, &limits);
    int first = dial(&world);
    int second = dial(&world);
    UNTIL(&world, sl_http_server_connections(world.server) == 2);
    int third = dial(&world);
    EXPECT_TO_END(&world, third, "HTTP/1.1 503 ", "Retry-After: 1\r\n", "Connection: close");
    CU_ASSERT_STRING_EQUAL(world.refused_why, "too many connections");
    close(third);
    say(&world, first, GET);
    expect_answer(&world, first, "GET /a ");
    close(second);
    UNTIL(&world, sl_http_server_connections(world.server) == 1);
    second = dial(&world);
    say(&world, second, GET);
    expect_answer(&world, second, "GET /a ");
    close(first);
    close(second);
    close_world(&world);
}

CLAIM(http_server__requests_over_the_in_flight_limit_get_a_503_and_keep_their_connection)
{
    struct sl_http_limits limits = sl_http_limits_default;
    limits.inflight_max = 1;
    struct world world;
    open_world(&world, &limits);
    world.holds = true;
    int first = dial(&world);
    int second = dial(&world);
    say(&world, first, GET);
    UNTIL(&world, world.held_count == 1);
    say(&world, second, GET);
    expect_answer(&world, second, "HTTP/1.1 503 ");
    CU_ASSERT_STRING_EQUAL(world.refused_why, "too many requests in flight");
    echo(&world, world.held[0]);
    say(&world, second, GET);
    UNTIL(&world, world.held_count == 2);
    echo(&world, world.held[1]);
    expect_answer(&world, second, "GET /a ");
    close(first);
    close(second);
    close_world(&world);
}

CLAIM(http_server__bodies_that_are_too_large_together_get_a_503_and_give_their_room_back)
{
    struct sl_http_limits limits = sl_http_limits_default;
    limits.body_bytes_max = 8;
    limits.bodies_bytes_max = 10;
    struct world world;
    open_world(&world, &limits);
    world.holds = true;
    int first = dial(&world);
    int second = dial(&world);
    say(&world, first, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12345678");
    UNTIL(&world, world.held_count == 1);
    say(&world, second, "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n123");
    expect_answer(&world, second, "HTTP/1.1 503 ");
    CU_ASSERT_STRING_EQUAL(world.refused_why, "bodies too large together");
    echo(&world, world.held[0]);
    close(second);
    second = dial(&world);
    say(&world, second, "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12345678");
    UNTIL(&world, world.held_count == 2);
    echo(&world, world.held[1]);
    expect_answer(&world, second, "POST /3 ");
    close(first);
    close(second);
    close_world(&world);
}

CLAIM(http_server__draining_closes_idle_connections_and_finishes_the_others)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    world.holds = true;
    int idle = dial(&world);
    int busy = dial(&world);
    int half = dial(&world);
    int fresh = dial(&world);
    say(&world, busy, GET);
    say(&world, half, "POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    UNTIL(&world, world.held_count == 1 && sl_http_server_connections(world.server) == 4);
    CU_ASSERT_EQUAL(send(fresh, GET, sizeof GET - 1, MSG_NOSIGNAL), sizeof GET - 1);

    sl_http_server_drain(world.server, on_drained, &world);
    struct heard heard = hear_to_end(&world, idle);
    CU_ASSERT(heard.at_end);
    CU_ASSERT_EQUAL(heard.text.used_bytes, 0);
    sl_buf_done(&heard.text);
    say(&world, half, "llo");
    UNTIL(&world, world.held_count == 3); /* also the request that was already on its way */
    CU_ASSERT_EQUAL(world.drained, 0);
    for (size_t i = 0; i < 3; i++) {
        echo(&world, world.held[i]);
    }
    EXPECT_TO_END(&world, busy, "Connection: close", "GET /a ");
    EXPECT_TO_END(&world, half, "Connection: close", "POST /half hello");
    EXPECT_TO_END(&world, fresh, "Connection: close", "GET /a ");
    close(busy);
    close(half);
    close(fresh);
    close(idle);
    UNTIL(&world, world.drained == 1);
    CU_ASSERT_EQUAL(sl_http_server_connections(world.server), 0);
    close_world(&world);
}

CLAIM(http_server__is_not_drained_before_the_event_of_a_lost_client_is_answered)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    world.holds = true;
    int fd = dial(&world);
    say(&world, fd, GET);
    UNTIL(&world, world.held_count == 1);
    abort_fd(fd);
    UNTIL(&world, sl_http_server_connections(world.server) == 0);
    sl_http_server_drain(world.server, on_drained, &world);
    turn(&world);
    CU_ASSERT_EQUAL(world.drained, 0);
    echo(&world, world.held[0]);
    CU_ASSERT_EQUAL(world.drained, 0); /* not from inside the reply */
    UNTIL(&world, world.drained == 1);
    close_world(&world);
}

static void free_server(void *arg)
{
    struct world *world = arg;
    world->drained++;
    sl_http_server_free(world->server);
    world->server = NULL;
}

CLAIM(http_server__may_be_freed_when_it_says_that_it_is_drained)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    sl_http_server_drain(world.server, free_server, &world);
    CU_ASSERT_EQUAL(world.drained, 0); /* not from inside the call */
    UNTIL(&world, world.drained == 1);
    close_world(&world);
}

CLAIM(http_server__accepts_again_after_running_out_of_descriptors)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int first = dial(&world);
    UNTIL(&world, sl_http_server_connections(world.server) == 1);
    struct rlimit before = { 0 };
    getrlimit(RLIMIT_NOFILE, &before);
    int starved = dial(&world);
    int spare = dup(0);
    struct rlimit tight = { .rlim_cur = (rlim_t)spare, .rlim_max = before.rlim_max };
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &tight), 0);
    say(&world, starved, GET);
    say(&world, first, GET);
    expect_answer(&world, first, "GET /a ");
    CU_ASSERT_EQUAL(sl_http_server_connections(world.server), 1);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(spare);
    expect_answer(&world, starved, "GET /a ");
    close(first);
    close(starved);
    close_world(&world);
}

CLAIM(http_server__refuses_addresses_it_cannot_listen_on)
{
    static const char *const listens[] = { "",           "8080",    "127.0.0.1",
                                           "[::1]",      "::1",     "localhost:1",
                                           "127.0.0.1:", "1.2.3:x", "127.0.0.1:99999",
                                           "[::1:80" };
    struct sl_err err = { 0 };
    SL_AUTO(sl_loop_free) struct sl_loop *loop = sl_loop_new(&err);
    struct sl_http_server_opts opts = { .loop = loop,
                                        .limits = sl_http_limits_default,
                                        .on_request = on_request };
    for (size_t i = 0; i < SL_COUNT(listens); i++) {
        opts.listen = listens[i];
        CU_ASSERT_PTR_NULL(sl_http_server_new(&opts, &err));
        CU_ASSERT_EQUAL(err.code, SL_E_CONFIG);
    }
    opts.listen = ":0";
    SL_AUTO(sl_http_server_free) struct sl_http_server *server = sl_http_server_new(&opts, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    CU_ASSERT(sl_http_server_port(server) > 0);
    char taken[32];
    snprintf(taken, sizeof taken, "127.0.0.1:%u", sl_http_server_port(server));
    opts.listen = taken;
    CU_ASSERT_PTR_NULL(sl_http_server_new(&opts, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_NET_LISTEN);
}
