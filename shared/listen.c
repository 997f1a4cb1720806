#include "shared/listen.h"

#include <errno.h>
#include <event2/util.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/span.h"

#define UNIX_PREFIX "unix:"
#define UNIX_MODE   0660
/* The first descriptor that a service manager passes: SD_LISTEN_FDS_START. */
#define INHERITED_FIRST 3
#define INHERITED_MAX   16

struct address {
    struct sockaddr_storage socket;
    socklen_t bytes;
};

/* A port of the kernel's own range is taken by any outgoing connection that happens to get it, and for a minute after its end: tcp(7), ip(7). */
static const char in_use[] = ": another process listens there, or a connection of this machine has "
                             "used the port in the last minute (choose one outside "
                             "net.ipv4.ip_local_port_range)";

static const char *parse(const char *text, struct address *out);
static const char *parse_unix(const char *path, struct address *out);
static const char *parse_tcp(const char *text, struct address *out);
static bool make_way(const struct address *address, struct sl_err *err);
static bool bind_and_listen(int fd, const struct address *address, bool reuse_port);
static bool is_listening(int fd);

int sl_listen_open(const char *address, bool reuse_port, struct sl_err *err)
{
    struct address parsed = { 0 };
    const char *objection = parse(address, &parsed);
    if (objection != NULL) {
        sl_fail(err, SL_E_CONFIG, "\"%.*s\" %s", (int)SL_LISTEN_ADDRESS_MAX,
                address == NULL ? "" : address, objection);
        return -1;
    }
    if (parsed.socket.ss_family == AF_UNIX && !make_way(&parsed, err)) {
        return -1;
    }
    int fd = socket(parsed.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind_and_listen(fd, &parsed, reuse_port)) {
        return fd;
    }
    sl_fail(err, SL_E_NET_LISTEN, "cannot listen on %.*s: %s%s", (int)SL_LISTEN_ADDRESS_MAX,
            address, strerror(errno), errno == EADDRINUSE ? in_use : "");
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

int sl_listen_beside(int fd, struct sl_err *err)
{
    struct address address = { .bytes = sizeof address.socket };
    int is_shared = 0;
    socklen_t bytes = sizeof is_shared;
    if (getsockname(fd, (struct sockaddr *)&address.socket, &address.bytes) != 0) {
        sl_fail(err, SL_E_NET_LISTEN, "cannot tell where a socket listens: %s", strerror(errno));
        return -1;
    }
    bool is_tcp = address.socket.ss_family != AF_UNIX &&
                  getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &is_shared, &bytes) == 0;
    int beside = -1;
    if (is_tcp && is_shared != 0) {
        beside = socket(address.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (beside >= 0 && !bind_and_listen(beside, &address, true)) {
            int why = errno;
            close(beside);
            beside = -1;
            errno = why;
        }
    } else {
        beside = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    if (beside < 0) {
        sl_fail(err, SL_E_NET_LISTEN, "cannot listen once more: %s", strerror(errno));
    }
    return beside;
}

const char *sl_listen_objection(const char *address)
{
    struct address parsed = { 0 };
    return parse(address, &parsed);
}

const char *sl_listen_path(const char *address)
{
    bool is_path = sl_span_starts_with(sl_span_of(address), UNIX_PREFIX);
    return is_path ? address + strlen(UNIX_PREFIX) : NULL;
}

static const char *parse(const char *text, struct address *out)
{
    if (text == NULL || strlen(text) > SL_LISTEN_ADDRESS_MAX) {
        return "is not a listen address such as 127.0.0.1:8080";
    }
    return sl_span_starts_with(sl_span_of(text), UNIX_PREFIX)
               ? parse_unix(text + strlen(UNIX_PREFIX), out)
               : parse_tcp(text, out);
}

static const char *parse_unix(const char *path, struct address *out)
{
    struct sockaddr_un *local = (struct sockaddr_un *)(void *)&out->socket;
    if (path[0] != '/') {
        return "does not name a socket by its full path, as unix:/run/sluice/ingest.sock";
    }
    if (strlen(path) >= sizeof local->sun_path) {
        return "is too long for a socket's path";
    }
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path, strlen(path) + 1);
    out->bytes = sizeof *local;
    return NULL;
}

/* Numeric addresses only; a port is required; no address is all of IPv4. */
static const char *parse_tcp(const char *text, struct address *out)
{
    static const char objection[] =
        "is not a listen address such as 127.0.0.1:8080, [::1]:8080 or unix:/run/sluice/ingest.sock";
    const char *colon = strrchr(text, ':');
    bool is_bracketed = text[0] == '[' && colon > text && colon[-1] == ']';
    if (colon == NULL || colon[1] < '0' || colon[1] > '9' ||
        (!is_bracketed && strchr(text, ':') != colon)) {
        return objection;
    }
    /* libevent takes no port for port 0. */
    int bytes = strcmp(colon, ":0") == 0 ? (int)(colon - text) : (int)strlen(text);
    char whole[SL_LISTEN_ADDRESS_MAX + sizeof "0.0.0.0"];
    snprintf(whole, sizeof whole, "%s%.*s", colon == text ? "0.0.0.0" : "", bytes, text);
    int room = (int)sizeof out->socket;
    if (evutil_parse_sockaddr_port(whole, (struct sockaddr *)&out->socket, &room) != 0) {
        return objection;
    }
    out->bytes = (socklen_t)room;
    return NULL;
}

/* Removes a socket file that an earlier process left behind. */
static bool make_way(const struct address *address, struct sl_err *err)
{
    const char *path = ((const struct sockaddr_un *)(const void *)&address->socket)->sun_path;
    struct stat about = { 0 };
    if (lstat(path, &about) != 0) {
        return errno == ENOENT ||
               sl_fail(err, SL_E_NET_LISTEN, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISSOCK(about.st_mode)) {
        return sl_fail(err, SL_E_NET_LISTEN,
                       "cannot listen on %s: there is a file that is no socket", path);
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_answered = probe >= 0 && (connect(probe, (const struct sockaddr *)&address->socket,
                                              address->bytes) == 0 ||
                                      errno == EAGAIN);
    if (probe >= 0) {
        close(probe);
    }
    if (is_answered) {
        return sl_fail(err, SL_E_NET_LISTEN, "cannot listen on %s: another process does", path);
    }
    return unlink(path) == 0 ||
           sl_fail(err, SL_E_NET_LISTEN, "cannot replace %s: %s", path, strerror(errno));
}

static bool bind_and_listen(int fd, const struct address *address, bool reuse_port)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->socket;
    int on = 1;
    if (name->sa_family == AF_UNIX) {
        return bind(fd, name, address->bytes) == 0 &&
               chmod(((const struct sockaddr_un *)(const void *)name)->sun_path, UNIX_MODE) == 0 &&
               listen(fd, SL_LISTEN_BACKLOG) == 0;
    }
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           (!reuse_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
           bind(fd, name, address->bytes) == 0 && listen(fd, SL_LISTEN_BACKLOG) == 0;
}

unsigned sl_listen_port(int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t bytes = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
    }
    return address.ss_family == AF_INET
               ? ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port)
               : 0;
}

int sl_listen_inherited(const char *name)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != (long)getpid()) {
        return -1;
    }
    long passed = strtol(count, NULL, 10);
    struct sl_span names = sl_span_of(getenv("LISTEN_FDNAMES"));
    struct sl_span one = { 0 };
    for (int i = 0; i < passed && i < INHERITED_MAX && sl_span_split(&names, ':', &one); i++) {
        int fd = INHERITED_FIRST + i;
        if (sl_span_is(one, name) && is_listening(fd) && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
            fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
            return fd;
        }
    }
    return -1;
}

static bool is_listening(int fd)
{
    int listens = 0;
    socklen_t bytes = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) == 0 && listens != 0;
}
