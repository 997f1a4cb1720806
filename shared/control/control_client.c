#include "shared/control/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/control/control_path.h"

#define READ_BYTES 4096u

static int open_socket(const char *path, struct sl_err *err);
static bool fail_to_open(const char *path, int why, struct sl_err *err);
static bool send_all(int fd, struct sl_span bytes, int64_t until_ms, struct sl_err *err);
static bool read_line(int fd, int64_t until_ms, struct sl_buf *out, struct sl_err *err);
static bool wait_for(int fd, short what, int64_t until_ms, struct sl_err *err);

bool sl_control_ask(const char *path, struct sl_span request, int64_t timeout_ms,
                    struct sl_buf *out_answer, struct sl_err *err)
{
    int64_t until_ms = sl_clock_mono_ms() + timeout_ms;
    int fd = open_socket(path, err);
    if (fd < 0) {
        return false;
    }
    bool is_answered = send_all(fd, request, until_ms, err) &&
                       send_all(fd, SL_SPAN_LITERAL("\n"), until_ms, err) &&
                       read_line(fd, until_ms, out_answer, err);
    (void)close(fd);
    return is_answered;
}

static int open_socket(const char *path, struct sl_err *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) {
        sl_fail(err, SL_E_CONFIG, "the name of a control socket has at most %u bytes",
                SL_CONTROL_PATH_BYTES - 1);
        return -1;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        sl_fail(err, SL_E_IO, "cannot open a socket: %s", strerror(errno));
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        fail_to_open(path, errno, err);
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool fail_to_open(const char *path, int why, struct sl_err *err)
{
    switch (why) {
    case ENOENT:
        return sl_fail(err, SL_E_CONTROL, "nothing runs with this state folder: there is no %s",
                       path);
    case ECONNREFUSED:
        return sl_fail(err, SL_E_CONTROL, "nothing runs there any more: nobody serves %s", path);
    case EACCES:
    case EPERM:
        return sl_fail(err, SL_E_CONTROL, "only its own user and root may use %s", path);
    case EAGAIN:
        return sl_fail(err, SL_E_CONTROL, "too many ask at %s already", path);
    default:
        return sl_fail(err, SL_E_CONTROL, "cannot use %s: %s", path, strerror(why));
    }
}

static bool send_all(int fd, struct sl_span bytes, int64_t until_ms, struct sl_err *err)
{
    while (bytes.bytes > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.bytes, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes = sl_span_make(bytes.data + sent, bytes.bytes - (size_t)sent);
        } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            /* It may have refused us and said why. */
            return errno == EPIPE || errno == ECONNRESET ||
                   sl_fail(err, SL_E_CONTROL, "cannot ask: %s", strerror(errno));
        } else if (!wait_for(fd, POLLOUT, until_ms, err)) {
            return false;
        }
    }
    return true;
}

static bool read_line(int fd, int64_t until_ms, struct sl_buf *out, struct sl_err *err)
{
    for (;;) {
        char bytes[READ_BYTES];
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        const char *end = got > 0 ? memchr(bytes, '\n', (size_t)got) : NULL;
        if (got > 0 &&
            !sl_buf_append(out, bytes, end == NULL ? (size_t)got : (size_t)(end - bytes))) {
            return sl_fail(err, SL_E_LIMIT, "the answer does not fit %zu bytes", out->bytes_max);
        }
        if (end != NULL) {
            return true;
        }
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            return sl_fail(err, SL_E_CONTROL, "it hung up without an answer");
        }
        if (got < 0 && !wait_for(fd, POLLIN, until_ms, err)) {
            return false;
        }
    }
}

static bool wait_for(int fd, short what, int64_t until_ms, struct sl_err *err)
{
    int64_t left_ms = until_ms - sl_clock_mono_ms();
    struct pollfd ready = { .fd = fd, .events = what };
    int found = left_ms <= 0 ? 0 : poll(&ready, 1, left_ms > 60000 ? 60000 : (int)left_ms);
    if (found == 0 && sl_clock_mono_ms() >= until_ms) {
        return sl_fail(err, SL_E_DEADLINE, "no answer in time");
    }
    return found >= 0 || errno == EINTR || sl_fail(err, SL_E_IO, "poll: %s", strerror(errno));
}
