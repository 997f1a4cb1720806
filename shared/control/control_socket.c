#include "shared/control/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

static bool is_replaceable(const char *path, struct sl_err *err);
static bool is_served(const struct sockaddr_un *address);
static bool serve_as(struct sl_control_socket *held, const char *first_path, struct sl_err *err);
static bool fail_with(struct sl_err *err, const char *what, const char *path);
static struct sockaddr_un address_of(const char *path);

bool sl_control_socket_open(struct sl_control_socket *out_socket, const char *state_dir,
                            const char *program, struct sl_err *err)
{
    struct sl_control_socket held = { .fd = -1 };
    char first_name[64];
    char first_path[SL_CONTROL_PATH_BYTES];
    snprintf(first_name, sizeof first_name, ".%.32s.%d", program, (int)getpid());
    if (!sl_control_path(state_dir, program, held.path, err) ||
        !sl_control_path(state_dir, first_name, first_path, err) ||
        !is_replaceable(held.path, err)) {
        return false;
    }
    if (!serve_as(&held, first_path, err)) {
        int failed = errno;
        (void)unlink(first_path);
        if (held.fd >= 0) {
            (void)close(held.fd);
        }
        errno = failed;
        return false;
    }
    *out_socket = held;
    return true;
}

static bool is_replaceable(const char *path, struct sl_err *err)
{
    struct stat found;
    if (lstat(path, &found) != 0) {
        return errno == ENOENT || fail_with(err, "look at", path);
    }
    if (!S_ISSOCK(found.st_mode)) {
        return sl_fail(err, SL_E_NET_LISTEN, "%s is there and is no socket; it is left alone",
                       path);
    }
    struct sockaddr_un address = address_of(path);
    if (is_served(&address)) {
        return sl_fail(err, SL_E_NET_LISTEN, "another process serves %s", path);
    }
    return true;
}

/* Nobody listens on what a killed process left; connecting to a local socket never waits on a full queue, it is told so. */
static bool is_served(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return true;
    }
    bool is_refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                      errno == ECONNREFUSED;
    (void)close(fd);
    return !is_refused;
}

/* Listens under a name that nobody looks for, then takes the real one. Until listen(2) nobody can connect, so the mode comes in time. */
static bool serve_as(struct sl_control_socket *held, const char *first_path, struct sl_err *err)
{
    struct sockaddr_un address = address_of(first_path);
    struct stat made;
    (void)unlink(first_path); /* of a process that had our number */
    held->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (held->fd < 0) {
        return fail_with(err, "make", first_path);
    }
    if (bind(held->fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(first_path, S_IRUSR | S_IWUSR) != 0 || listen(held->fd, BACKLOG) != 0 ||
        lstat(first_path, &made) != 0) {
        return fail_with(err, "make", first_path);
    }
    if (rename(first_path, held->path) != 0) {
        return fail_with(err, "name", held->path);
    }
    held->device = made.st_dev;
    held->inode = made.st_ino;
    return true;
}

static bool fail_with(struct sl_err *err, const char *what, const char *path)
{
    return sl_fail(err, SL_E_NET_LISTEN, "cannot %s %s: %s", what, path, strerror(errno));
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

void sl_control_socket_remove(const struct sl_control_socket *held)
{
    struct stat found;
    if (held->path[0] != '\0' && lstat(held->path, &found) == 0 && found.st_dev == held->device &&
        found.st_ino == held->inode) {
        (void)unlink(held->path);
    }
}
