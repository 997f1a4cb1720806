#include "shared/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool sl_file_read(const char *path, struct sl_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    char piece[4096];
    ssize_t bytes = 0;
    while ((bytes = read(fd, piece, sizeof piece)) > 0 &&
           sl_buf_append(out, piece, (size_t)bytes)) {
    }
    int failed = errno;
    close(fd);
    errno = failed;
    return bytes == 0;
}
