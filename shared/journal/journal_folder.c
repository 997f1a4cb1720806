#include "shared/journal/journal_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static bool open_dir(struct sl_journal_folder *folder, const struct sl_journal_io *io,
                     const char *dir, struct sl_err *err);
static bool is_private(int fd, const char *dir, struct sl_err *err);
static bool check_storage(struct sl_journal_folder *folder, const char *dir, bool allow_volatile,
                          struct sl_err *err);
static const char *volatile_name(long magic);
static bool take_lock(struct sl_journal_folder *folder, const struct sl_journal_io *io,
                      const char *dir, struct sl_err *err);
static bool open_poison(struct sl_journal_folder *folder, const struct sl_journal_io *io,
                        struct sl_err *err);

bool sl_journal_folder_open(struct sl_journal_folder *folder, const struct sl_journal_io *io,
                            const char *dir, bool allow_volatile, struct sl_err *err)
{
    *folder = SL_JOURNAL_FOLDER_CLOSED;
    return open_dir(folder, io, dir, err) && check_storage(folder, dir, allow_volatile, err) &&
           take_lock(folder, io, dir, err) && open_poison(folder, io, err);
}

static bool open_dir(struct sl_journal_folder *folder, const struct sl_journal_io *io,
                     const char *dir, struct sl_err *err)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "cannot make %s: %s", dir, strerror(errno));
    }
    folder->dir_fd = io->openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (folder->dir_fd < 0) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE,
                       "%s cannot be opened as a folder (it must not be a symbolic link): %s", dir,
                       strerror(errno));
    }
    return is_private(folder->dir_fd, dir, err);
}

/* The journal holds personal data: nobody else may even list it, or put a file there. */
static bool is_private(int fd, const char *dir, struct sl_err *err)
{
    struct stat seen = { 0 };
    if (fstat(fd, &seen) != 0) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "cannot look at %s: %s", dir, strerror(errno));
    }
    if (seen.st_uid != geteuid()) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "%s belongs to user %u, not to %u", dir,
                       (unsigned)seen.st_uid, (unsigned)geteuid());
    }
    if ((seen.st_mode & 077) != 0) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "%s is open to others (mode %03o); make it 700",
                       dir, (unsigned)(seen.st_mode & 0777));
    }
    return true;
}

static bool check_storage(struct sl_journal_folder *folder, const char *dir, bool allow_volatile,
                          struct sl_err *err)
{
    struct statfs seen = { 0 };
    if (fstatfs(folder->dir_fd, &seen) != 0) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "cannot tell what storage %s is on: %s", dir,
                       strerror(errno));
    }
    const char *name = volatile_name((long)seen.f_type);
    folder->is_durable = name == NULL;
    if (name != NULL && !allow_volatile) {
        return sl_fail(err, SL_E_JOURNAL_VOLATILE, "%s is on %s, which a restart empties", dir,
                       name);
    }
    return true;
}

static const char *volatile_name(long magic)
{
    switch ((unsigned long)magic & 0xffffffffu) {
    case TMPFS_MAGIC:
        return "tmpfs";
    case RAMFS_MAGIC:
        return "ramfs";
    case OVERLAYFS_SUPER_MAGIC:
        return "overlayfs (a container's own layer)";
    default:
        return NULL;
    }
}

static bool take_lock(struct sl_journal_folder *folder, const struct sl_journal_io *io,
                      const char *dir, struct sl_err *err)
{
    folder->lock_fd =
        io->openat(folder->dir_fd, SL_JOURNAL_LOCK_NAME, SL_JOURNAL_CREATE_FLAGS, 0600);
    if (folder->lock_fd < 0) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "cannot write in %s: %s", dir, strerror(errno));
    }
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(folder->lock_fd, F_OFD_SETLK, &whole) != 0) {
        return errno == EAGAIN || errno == EACCES
                   ? sl_fail(err, SL_E_JOURNAL_LOCKED, "another process uses the journal in %s",
                             dir)
                   : sl_fail(err, SL_E_JOURNAL_UNSAFE, "cannot lock %s: %s", dir, strerror(errno));
    }
    return true;
}

static bool open_poison(struct sl_journal_folder *folder, const struct sl_journal_io *io,
                        struct sl_err *err)
{
    if (mkdirat(folder->dir_fd, SL_JOURNAL_POISON_NAME, 0700) != 0 && errno != EEXIST) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "cannot make %s: %s", SL_JOURNAL_POISON_NAME,
                       strerror(errno));
    }
    folder->poison_fd = io->openat(folder->dir_fd, SL_JOURNAL_POISON_NAME,
                                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (folder->poison_fd < 0) {
        return sl_fail(err, SL_E_JOURNAL_UNSAFE, "cannot open %s: %s", SL_JOURNAL_POISON_NAME,
                       strerror(errno));
    }
    return true;
}

void sl_journal_folder_done(struct sl_journal_folder *folder)
{
    const int fds[] = { folder->poison_fd, folder->lock_fd, folder->dir_fd };
    for (size_t i = 0; i < SL_COUNT(fds); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    *folder = SL_JOURNAL_FOLDER_CLOSED;
}
