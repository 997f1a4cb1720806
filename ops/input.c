#include "ops/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 65536u

static void close_fd(const int *fd);

bool ops_input_read(const char *path, struct sl_buf *out, struct sl_err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "standard input" : path;
    SL_DONE(close_fd) int opened = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    int fd = is_stdin ? STDIN_FILENO : opened;
    if (fd < 0) {
        return sl_fail(err, SL_E_ABSENT, "cannot open %.200s: %s", name, strerror(errno));
    }
    for (;;) {
        char chunk[CHUNK_BYTES];
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got == 0) {
            return true;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sl_fail(err, SL_E_IO, "cannot read %.200s: %s", name, strerror(errno));
        }
        if (!sl_buf_append(out, chunk, (size_t)got)) {
            return sl_fail(err, SL_E_LIMIT, "%.200s holds more than %zu bytes", name,
                           out->bytes_max);
        }
    }
}

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}
