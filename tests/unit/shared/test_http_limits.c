#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "shared/http/http_conn.h"
#include "tests/unit/shared/http_world.h"

CLAIM(http_limits__the_answer_to_head_has_a_length_and_no_body)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int fd = dial(&world);
    say(&world, fd,
        "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_TO_END(&world, fd, "Content-Length: 8\r\n\r\nHTTP/1.1 200 OK", "GET /b ");
    close(fd);
    close_world(&world);
}

CLAIM(http_limits__a_connection_ends_after_its_last_request_and_says_so)
{
    struct sl_http_limits limits = sl_http_limits_default;
    limits.requests_max = 3;
    struct world world;
    open_world(&world, &limits);
    int fd = dial(&world);
    say(&world, fd, GET GET GET GET);
    struct heard heard = hear_to_end(&world, fd);
    CU_ASSERT(heard.at_end);
    CU_ASSERT_EQUAL(count_of(&heard, "HTTP/1.1 200"), 3);
    CU_ASSERT_EQUAL(count_of(&heard, "Connection: close"), 1);
    CU_ASSERT_EQUAL(world.handled, 3);
    sl_buf_done(&heard.text);
    close(fd);
    close_world(&world);
}

CLAIM(http_limits__a_body_must_keep_its_rate_after_two_seconds)
{
    static const struct {
        size_t bytes;
        int64_t elapsed_ms;
        bool is_too_slow;
    } cases[] = {
        { 0, 0, false },           { 0, 1999, false },        { 0, 2000, false },
        { 0, 3000, true },         { 1023, 3000, true },      { 1024, 3000, false },
        { 4095, 6000, true },      { 4096, 6000, false },     { 7168, 9000, false },
        { 1u << 20, 9999, false }, { 1u << 20, 10000, true },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        CU_ASSERT_EQUAL(
            sl_http_is_body_too_slow(&sl_http_limits_default, cases[i].bytes, cases[i].elapsed_ms),
            cases[i].is_too_slow);
    }
}

CLAIM(http_limits__a_body_that_drips_is_refused_before_the_time_for_bodies_is_over)
{
    struct sl_http_limits limits = sl_http_limits_default;
    limits.body_ms = 60000;
    limits.body_rate_min = 1u << 20;
    struct world world;
    open_world(&world, &limits);
    int fd = dial(&world);
    say(&world, fd, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx");
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    while (world.refused_status == 0 && sl_clock_mono_ms() < until_ms) {
        say(&world, fd, "x");
        struct pollfd pause = { .fd = fd };
        poll(&pause, 1, 20);
    }
    CU_ASSERT_EQUAL(world.refused_status, 408);
    CU_ASSERT_STRING_EQUAL(world.refused_why, "body too slow");
    EXPECT_TO_END(&world, fd, "HTTP/1.1 408 ", "Connection: close");
    close(fd);
    close_world(&world);
}

/* A network of its own, in which 203.0.113.1 (a public address, RFC 5737) is this machine. False: not allowed here. */
static bool enter_network(void)
{
    if (unshare(CLONE_NEWNET) != 0) {
        return false;
    }
    struct ifreq request = { .ifr_name = "lo" };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = inet_addr("203.0.113.1") };
    memcpy(&request.ifr_addr, &address, sizeof address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool is_up = ioctl(fd, SIOCSIFADDR, &request) == 0;
    request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
    is_up = is_up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return is_up;
}

static int dial_public(struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)sl_http_server_port(world->server)),
                                   .sin_addr.s_addr = inet_addr("203.0.113.1") };
    CU_ASSERT_FATAL(connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
                    errno == EINPROGRESS);
    return fd;
}

static void flood_from_one_address(struct world *world)
{
    enum { ALLOWED = 2, MORE = 8 };
    int fds[ALLOWED];
    for (int i = 0; i < ALLOWED; i++) {
        fds[i] = dial_public(world);
    }
    UNTIL(world, sl_http_server_connections(world->server) == ALLOWED);
    int refused[MORE];
    for (int i = 0; i < MORE; i++) {
        refused[i] = dial_public(world);
        struct heard heard = hear_to_end(world, refused[i]);
        CU_ASSERT(has(&heard, "HTTP/1.1 429 "));
        CU_ASSERT(has(&heard, "Retry-After: 1"));
        sl_buf_done(&heard.text);
    }
    int unanswered = dial_public(world);
    struct heard heard = hear_to_end(world, unanswered);
    CU_ASSERT_EQUAL(heard.text.used_bytes, 0);
    sl_buf_done(&heard.text);
    close(unanswered);
    say(world, fds[0], GET);
    expect_answer(world, fds[0], "GET /a ");
    for (int i = 0; i < MORE; i++) {
        close(refused[i]);
    }
    for (int i = 0; i < ALLOWED; i++) {
        close(fds[i]);
    }
    UNTIL(world, sl_http_server_connections(world->server) == 0);
    int again = dial_public(world); /* what was counted is given back */
    UNTIL(world, sl_http_server_connections(world->server) == 1);
    say(world, again, GET);
    expect_answer(world, again, "GET /a ");
    close(again);
}

CLAIM(http_limits__one_public_address_has_a_bounded_number_of_connections)
{
    int network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (!enter_network()) {
        printf("[skipped: a network of its own needs root] ");
        close(network);
        return;
    }
    struct sl_http_limits limits = sl_http_limits_default;
    limits.per_peer_max = 2;
    struct world world;
    open_world_on(&world, &limits, "0.0.0.0:0");
    flood_from_one_address(&world);
    close_world(&world);
    CU_ASSERT_EQUAL(setns(network, CLONE_NEWNET), 0);
    close(network);
}

CLAIM(http_limits__connections_from_this_machine_are_not_counted)
{
    struct sl_http_limits limits = sl_http_limits_default;
    limits.per_peer_max = 1;
    struct world world;
    open_world(&world, &limits);
    int first = dial(&world);
    int second = dial(&world);
    UNTIL(&world, sl_http_server_connections(world.server) == 2);
    say(&world, second, GET);
    expect_answer(&world, second, "GET /a ");
    close(first);
    close(second);
    close_world(&world);
}

/* With a pause of accepting instead, the new one would wait until somebody hangs up. */
CLAIM(http_limits__an_idle_connection_makes_room_when_descriptors_run_out)
{
    struct world world;
    open_world(&world, &sl_http_limits_default);
    int idle = dial(&world);
    UNTIL(&world, sl_http_server_connections(world.server) == 1);
    int64_t idle_until_ms = sl_clock_mono_ms() + 1100;
    UNTIL(&world, sl_clock_mono_ms() > idle_until_ms);
    struct rlimit before = { 0 };
    getrlimit(RLIMIT_NOFILE, &before);
    int starved = dial(&world);
    int spare = dup(0);
    struct rlimit tight = { .rlim_cur = (rlim_t)spare, .rlim_max = before.rlim_max };
    close(spare);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &tight), 0);
    say(&world, starved, GET);
    expect_answer(&world, starved, "GET /a ");
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    struct heard heard = hear_to_end(&world, idle);
    CU_ASSERT(heard.at_end);
    sl_buf_done(&heard.text);
    close(idle);
    close(starved);
    close_world(&world);
}

static int dial_path(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

CLAIM(http_limits__a_unix_socket_serves_like_a_port)
{
    char folder[] = "/tmp/sluice-http-XXXXXX";
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    char address[64];
    snprintf(address, sizeof address, "unix:%s/s", folder);
    struct world world;
    open_world_on(&world, &sl_http_limits_default, address);
    int fd = dial_path(address + 5);
    say(&world, fd, GET);
    expect_answer(&world, fd, "GET /a ");
    world.holds = true;
    say(&world, fd, GET);
    UNTIL(&world, world.held_count == 1);
    CU_ASSERT_STRING_EQUAL(sl_http_request_peer(world.held[0]), "local");
    echo(&world, world.held[0]);
    close(fd);
    close_world(&world);
    CU_ASSERT_EQUAL(unlink(address + 5), 0);
    rmdir(folder);
}
