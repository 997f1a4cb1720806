#include "ops/metrics_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/buf.h"

#define TEXT_BYTES_MAX 16384u
#define PATH_BYTES     4096u

static bool write_whole(int fd, struct sl_span text);

bool ops_metrics_file_write(const char *path, const char *labels, const struct ops_metric *metrics,
                            size_t count, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    char beside[PATH_BYTES];
    sl_buf_init(&text, TEXT_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        sl_buf_printf(&text, "# HELP %s %s\n# TYPE %s gauge\n%s%s%s%s %" PRId64 "\n",
                      metrics[i].name, metrics[i].help, metrics[i].name, metrics[i].name,
                      labels[0] == '\0' ? "" : "{", labels, labels[0] == '\0' ? "" : "}",
                      metrics[i].value);
    }
    if (!sl_buf_ok(&text) ||
        snprintf(beside, sizeof beside, "%s.%d", path, (int)getpid()) >= (int)sizeof beside) {
        return sl_fail(err, SL_E_LIMIT, "the path of --metrics is too long");
    }
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool is_written = fd >= 0 && write_whole(fd, sl_buf_span(&text));
    if (fd >= 0) {
        is_written = close(fd) == 0 && is_written;
    }
    if (!is_written || rename(beside, path) != 0) {
        int why = errno;
        (void)unlink(beside);
        return sl_fail(err, SL_E_IO, "cannot write %s: %s", path, strerror(why));
    }
    return true;
}

static bool write_whole(int fd, struct sl_span text)
{
    while (text.bytes > 0) {
        ssize_t written = write(fd, text.data, text.bytes);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            text = sl_span_make(text.data + written, text.bytes - (size_t)written);
        }
    }
    return true;
}
