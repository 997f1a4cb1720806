#include "shared/control/control.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/control/control_client.h"
#include "shared/control/control_socket.h"
#include "tests/support/claims.h"

#define PATIENCE_MS 60000

static bool echo(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    unsigned *calls = arg;
    struct sl_span text = { NULL, 0 };
    if (!sl_control_text(call, "text", &text, err)) {
        return false;
    }
    ++*calls;
    sl_json_put_text(call->answer, "text", text);
    return true;
}

static const char *const echo_members[] = { "text", NULL };
static const struct sl_control_command commands[] = { { "echo", echo_members, echo } };

struct world {
    char dir[64];
    struct sl_loop *loop;
    struct sl_control *control;
    unsigned calls;
};

static struct sl_control *serve(struct world *world, int64_t patience_ms, struct sl_err *err)
{
    return sl_control_new(&(struct sl_control_opts){ .loop = world->loop,
                                                     .state_dir = world->dir,
                                                     .program = "test",
                                                     .commands = commands,
                                                     .command_count = SL_COUNT(commands),
                                                     .arg = &world->calls,
                                                     .patience_ms = patience_ms },
                          err);
}

static void open_world(struct world *world, int64_t patience_ms)
{
    struct sl_err err = { 0 };
    *world = (struct world){ .dir = "/tmp/sluice-control-XXXXXX" };
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(world->dir));
    world->loop = sl_loop_new(&err);
    world->control = serve(world, patience_ms, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->control);
}

static void close_world(struct world *world)
{
    sl_control_free(world->control);
    sl_loop_free(world->loop);
    CU_ASSERT_EQUAL(rmdir(world->dir), 0); /* nothing is left in it */
}

static int dial(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void turn(struct world *world)
{
    event_base_loop(sl_loop_base(world->loop), EVLOOP_NONBLOCK);
}

static void say(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* All that comes until the other side hangs up, or `lines` lines. */
static size_t hear(struct world *world, int fd, unsigned lines, char *out, size_t room)
{
    size_t used = 0;
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    while (sl_clock_mono_ms() < until_ms) {
        turn(world);
        ssize_t got = recv(fd, out + used, room - 1 - used, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            out[used] = '\0';
            return used;
        }
        used += got > 0 ? (size_t)got : 0;
        unsigned heard = 0;
        for (size_t i = 0; i < used; i++) {
            heard += out[i] == '\n' ? 1 : 0;
        }
        if (lines > 0 && heard >= lines) {
            break;
        }
    }
    out[used] = '\0';
    return used;
}

CLAIM(control__answers_each_line_and_serves_its_user_only)
{
    struct world world;
    struct stat made;
    char text[512];
    open_world(&world, 0);
    CU_ASSERT_EQUAL(stat(sl_control_where(world.control), &made), 0);
    CU_ASSERT(S_ISSOCK(made.st_mode));
    CU_ASSERT_EQUAL(made.st_mode & 0777, 0600);
    int fd = dial(sl_control_where(world.control));
    say(fd, "{\"command\":\"echo\",\"text\":\"one\"}\n{\"command\":\"ec");
    hear(&world, fd, 1, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "{\"ok\":true,\"text\":\"one\"}\n");
    say(fd, "ho\",\"text\":\"two\"}\r\nnonsense\n{\"command\":\"echo\",\"text\":\"three\"}\n");
    hear(&world, fd, 3, text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "{\"ok\":true,\"text\":\"two\"}\n{\"ok\":false,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "}\n{\"ok\":true,\"text\":\"three\"}\n"));
    close(fd);
    turn(&world);
    close_world(&world);
}

CLAIM(control__who_has_said_all_still_hears_all)
{
    struct world world;
    char text[8192];
    open_world(&world, 0);
    int fd = dial(sl_control_where(world.control));
    for (unsigned i = 0; i < 100; i++) {
        say(fd, "{\"command\":\"echo\",\"text\":\"x\"}\n");
    }
    say(fd, "{\"command\":\"echo\",\"text\":\"cut off\"}"); /* no line end: no request */
    shutdown(fd, SHUT_WR);
    hear(&world, fd, 0, text, sizeof text);
    CU_ASSERT_EQUAL(world.calls, 100);
    CU_ASSERT_EQUAL(strlen(text), 100 * strlen("{\"ok\":true,\"text\":\"x\"}\n"));
    close(fd);
    close_world(&world);
}

CLAIM(control__a_line_without_end_is_refused)
{
    struct world world;
    char text[1024];
    static char many[SL_CONTROL_LINE_BYTES_MAX + 64];
    open_world(&world, 0);
    int fd = dial(sl_control_where(world.control));
    memset(many, 'x', sizeof many - 1);
    say(fd, many);
    hear(&world, fd, 0, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(
        text,
        "{\"ok\":false,\"code\":\"input.limit\",\"error\":\"a request has at most 64 KiB\"}\n");
    close(fd);
    close_world(&world);
}

CLAIM(control__who_is_silent_is_hung_up_on)
{
    struct world world;
    char text[64];
    open_world(&world, 20);
    int silent = dial(sl_control_where(world.control));
    int slow = dial(sl_control_where(world.control));
    say(slow, "{\"command\":\"ec");
    CU_ASSERT_EQUAL(hear(&world, silent, 0, text, sizeof text), 0);
    CU_ASSERT_EQUAL(hear(&world, slow, 0, text, sizeof text), 0);
    CU_ASSERT_EQUAL(world.calls, 0);
    close(silent);
    close(slow);
    close_world(&world);
}

CLAIM(control__connections_are_bounded)
{
    struct world world;
    int fds[40];
    char text[256];
    unsigned refused = 0;
    open_world(&world, 0);
    for (size_t i = 0; i < SL_COUNT(fds); i++) {
        fds[i] = dial(sl_control_where(world.control));
        CU_ASSERT(fds[i] >= 0);
        turn(&world);
    }
    for (size_t i = 16; i < SL_COUNT(fds); i++) {
        hear(&world, fds[i], 0, text, sizeof text);
        refused += strstr(text, "too many connections") != NULL ? 1 : 0;
    }
    CU_ASSERT(refused >= 16);
    say(fds[0], "{\"command\":\"echo\"}\n");
    hear(&world, fds[0], 1, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "{\"ok\":true,\"text\":null}\n");
    for (size_t i = 0; i < SL_COUNT(fds); i++) {
        close(fds[i]);
    }
    close_world(&world);
}

CLAIM(control__what_a_killed_process_left_is_replaced)
{
    struct world world;
    struct sl_err err = { 0 };
    struct sl_control_socket left = { .fd = -1 };
    open_world(&world, 0);
    CU_ASSERT_FATAL(sl_control_socket_open(&left, world.dir, "killed", &err));
    close(left.fd);
    CU_ASSERT_EQUAL(dial(left.path), -1);
    struct sl_control_socket next = { .fd = -1 };
    CU_ASSERT_FATAL(sl_control_socket_open(&next, world.dir, "killed", &err));
    sl_control_socket_remove(&left); /* it is the next one's by now */
    int fd = dial(next.path);
    CU_ASSERT(fd >= 0);
    close(fd);
    sl_control_socket_remove(&next);
    CU_ASSERT_EQUAL(access(next.path, F_OK), -1);
    close(next.fd);
    close_world(&world);
}

CLAIM(control__a_living_server_is_not_replaced)
{
    struct world world;
    struct sl_err err = { 0 };
    open_world(&world, 0);
    CU_ASSERT_PTR_NULL(serve(&world, 0, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_NET_LISTEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another process serves"));
    close_world(&world); /* and its socket was still there to be removed */
}

CLAIM(control__a_file_under_the_name_is_left_alone)
{
    struct world world;
    struct sl_err err = { 0 };
    char path[128];
    open_world(&world, 0);
    sl_control_free(world.control);
    snprintf(path, sizeof path, "%s/test.sock", world.dir);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    world.control = serve(&world, 0, &err);
    CU_ASSERT_PTR_NULL(world.control);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    unlink(path);
    close_world(&world);
}

CLAIM(control__a_folder_that_is_not_there_is_said)
{
    struct world world;
    struct sl_err err = { 0 };
    open_world(&world, 0);
    struct sl_control_socket none = { .fd = -1 };
    CU_ASSERT_FALSE(sl_control_socket_open(&none, "/nonexistent/folder", "test", &err));
    CU_ASSERT_EQUAL(err.code, SL_E_NET_LISTEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "No such file"));
    close_world(&world);
}

/* The client waits, so it has a thread of its own here. */
struct asking {
    const char *path;
    const char *request;
    int64_t timeout_ms;
    struct sl_buf answer;
    struct sl_err err;
    bool is_answered;
    atomic_bool is_over;
};

static void *ask(void *arg)
{
    struct asking *asking = arg;
    asking->is_answered = sl_control_ask(asking->path, sl_span_of(asking->request),
                                         asking->timeout_ms, &asking->answer, &asking->err);
    atomic_store(&asking->is_over, true);
    return NULL;
}

static void run_ask(struct world *world, struct asking *asking, bool is_served)
{
    pthread_t thread;
    sl_buf_init(&asking->answer, SL_CONTROL_LINE_BYTES_MAX);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, ask, asking), 0);
    while (is_served && !atomic_load(&asking->is_over)) {
        turn(world);
    }
    pthread_join(thread, NULL);
}

CLAIM(control_client__gets_the_answer)
{
    struct world world;
    open_world(&world, 0);
    struct asking asking = { .path = sl_control_where(world.control),
                             .request = "{\"command\":\"echo\",\"text\":\"hi\"}",
                             .timeout_ms = PATIENCE_MS };
    run_ask(&world, &asking, true);
    CU_ASSERT(asking.is_answered);
    CU_ASSERT_STRING_EQUAL(asking.answer.data, "{\"ok\":true,\"text\":\"hi\"}");
    sl_buf_done(&asking.answer);
    turn(&world);
    close_world(&world);
}

CLAIM(control_client__does_not_wait_for_ever)
{
    struct world world;
    open_world(&world, 0);
    struct asking asking = { .path = sl_control_where(world.control),
                             .request = "{\"command\":\"echo\"}",
                             .timeout_ms = 30 };
    run_ask(&world, &asking, false);
    CU_ASSERT_FALSE(asking.is_answered);
    CU_ASSERT_EQUAL(asking.err.code, SL_E_DEADLINE);
    sl_buf_done(&asking.answer);
    close_world(&world);
}

CLAIM(control_client__says_that_nobody_is_there)
{
    struct world world;
    open_world(&world, 0);
    struct asking asking = { .path = "/nonexistent/x.sock", .request = "{}", .timeout_ms = 1000 };
    run_ask(&world, &asking, false);
    CU_ASSERT_FALSE(asking.is_answered);
    CU_ASSERT_EQUAL(asking.err.code, SL_E_CONTROL);
    sl_buf_done(&asking.answer);
    close_world(&world);
}
