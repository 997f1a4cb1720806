/*
 * journal_io - the calls with which the journal touches the disk, as a table.
 *
 * What it is: a seam. Programs use sl_journal_io_real; tests put a table in its place whose n-th call fails, writes half, or loses what
 * was not synced. Every function has the contract of the system call of its name (errno included).
 * Refuses: any rule; what a failure means is decided by its callers.
 * Threads: the functions may be called from any thread.
 */
#ifndef SHARED_JOURNAL_IO_H
#define SHARED_JOURNAL_IO_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/statvfs.h>
#include <sys/types.h>

struct sl_journal_io {
    int (*openat)(int dir_fd, const char *name, int flags, mode_t mode);
    ssize_t (*pread)(int fd, void *out, size_t bytes, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t bytes, off_t offset);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd); /* of a folder */
    int (*fallocate)(int fd, int mode, off_t offset, off_t bytes);
    int (*ftruncate)(int fd, off_t bytes);
    int (*renameat)(int from_dir_fd, const char *from, int to_dir_fd, const char *to);
    int (*unlinkat)(int dir_fd, const char *name, int flags);
    int (*fstatvfs)(int fd, struct statvfs *out);
};

extern const struct sl_journal_io sl_journal_io_real;

/* All of it, over short writes and EINTR. 0, or the errno of the write that failed. */
int sl_journal_io_write(const struct sl_journal_io *io, int fd, const void *data, size_t bytes,
                        uint64_t offset);
/* Repeated only over EINTR. 0 or errno; after an errno the file's unsynced bytes prove nothing any more. */
int sl_journal_io_sync(const struct sl_journal_io *io, int fd);
/* Up to `bytes`, over short reads and EINTR; fewer only at the end of the file. 0 or errno. */
int sl_journal_io_read(const struct sl_journal_io *io, int fd, void *out, size_t bytes,
                       uint64_t offset, size_t *out_bytes);
/*
 * Writes a whole small file so that afterwards either the old or the new one survives a crash: a temporary name, fdatasync, rename,
 * fsync of the folder. 0 or errno; on failure the temporary file is removed.
 */
int sl_journal_io_replace(const struct sl_journal_io *io, int dir_fd, const char *name,
                          const void *data, size_t bytes);

#endif
