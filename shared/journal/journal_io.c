#include "shared/journal/journal_io.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int real_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
    return openat(dir_fd, name, flags, mode);
}

const struct sl_journal_io sl_journal_io_real = {
    .openat = real_openat,
    .pread = pread,
    .pwrite = pwrite,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .fallocate = fallocate,
    .ftruncate = ftruncate,
    .renameat = renameat,
    .unlinkat = unlinkat,
    .fstatvfs = fstatvfs,
};

int sl_journal_io_write(const struct sl_journal_io *io, int fd, const void *data, size_t bytes,
                        uint64_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t wrote =
            io->pwrite(fd, (const char *)data + done, bytes - done, (off_t)(offset + done));
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return errno;
        }
        if (wrote == 0) {
            return EIO;
        }
        done += (size_t)wrote;
    }
    return 0;
}

int sl_journal_io_sync(const struct sl_journal_io *io, int fd)
{
    int result = 0;
    do {
        result = io->fdatasync(fd);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

int sl_journal_io_read(const struct sl_journal_io *io, int fd, void *out, size_t bytes,
                       uint64_t offset, size_t *out_bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = io->pread(fd, (char *)out + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errno;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    *out_bytes = done;
    return 0;
}

int sl_journal_io_replace(const struct sl_journal_io *io, int dir_fd, const char *name,
                          const void *data, size_t bytes)
{
    char temporary[64];
    snprintf(temporary, sizeof temporary, "%.56s.tmp", name);
    /* A new inode each time: one whose sync failed before proves nothing. */
    (void)io->unlinkat(dir_fd, temporary, 0);
    int fd = io->openat(dir_fd, temporary,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) {
        return errno;
    }
    int failed = sl_journal_io_write(io, fd, data, bytes, 0);
    if (failed == 0) {
        failed = sl_journal_io_sync(io, fd);
    }
    (void)close(fd);
    if (failed == 0 && io->renameat(dir_fd, temporary, dir_fd, name) != 0) {
        failed = errno;
    }
    if (failed != 0) {
        (void)io->unlinkat(dir_fd, temporary, 0);
        return failed;
    }
    return io->fsync(dir_fd) == 0 ? 0 : errno;
}
