#include "shared/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/resolve.h"

struct sl_dial {
    struct sl_loop *loop;
    sl_dial_fn *fn;
    void *arg;
    struct sl_resolver *resolver;
    struct sl_timer *deadline;
    struct event *writable; /* while one address is being tried */
    int fd;                 /* of that address; -1 */
    char host[256];
    uint16_t port;
    int64_t until_ms;
    struct sl_addresses addresses;
    size_t next;        /* address to try */
    struct sl_err last; /* why the latest address failed */
};

static void on_resolved(const struct sl_addresses *addresses, const struct sl_err *why, void *arg);
static void try_next(struct sl_dial *dial);
static bool begin(struct sl_dial *dial, const char *address);
static bool to_sockaddr(const char *address, uint16_t port, struct sockaddr_storage *out,
                        socklen_t *out_bytes);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_deadline(void *arg);
static void drop_socket(struct sl_dial *dial);
static void finish(struct sl_dial *dial, int fd, const struct sl_err *why);

struct sl_dial *sl_dial_new(struct sl_loop *loop, sl_dial_fn *fn, void *arg, struct sl_err *err)
{
    struct sl_dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory to connect");
        return NULL;
    }
    *dial = (struct sl_dial){ .loop = loop, .fn = fn, .arg = arg, .fd = -1 };
    dial->deadline = sl_timer_new(loop, on_deadline, dial);
    dial->resolver = sl_resolver_new(loop, on_resolved, dial, err);
    if (dial->deadline == NULL || dial->resolver == NULL) {
        sl_dial_free(dial);
        sl_fail(err, SL_E_MEMORY, "no memory to connect");
        return NULL;
    }
    return dial;
}

void sl_dial_free(struct sl_dial *dial)
{
    if (dial != NULL) {
        drop_socket(dial);
        sl_resolver_free(dial->resolver);
        sl_timer_free(dial->deadline);
        free(dial);
    }
}

void sl_dial_start(struct sl_dial *dial, const char *host, uint16_t port, int64_t deadline_ms)
{
    snprintf(dial->host, sizeof dial->host, "%s", host);
    dial->port = port;
    dial->next = 0;
    dial->addresses.count = 0;
    dial->until_ms = sl_clock_mono_ms() + deadline_ms;
    sl_timer_arm(dial->deadline, deadline_ms);
    sl_resolver_start(dial->resolver, dial->host);
}

static void on_resolved(const struct sl_addresses *addresses, const struct sl_err *why, void *arg)
{
    struct sl_dial *dial = arg;
    if (why != NULL) {
        finish(dial, -1, why);
        return;
    }
    dial->addresses = *addresses;
    try_next(dial);
}

/* Each address gets its share of the time that is left. */
static void try_next(struct sl_dial *dial)
{
    drop_socket(dial);
    while (dial->next < dial->addresses.count) {
        size_t left = dial->addresses.count - dial->next;
        int64_t share_ms = (dial->until_ms - sl_clock_mono_ms()) / (int64_t)left;
        if (begin(dial, dial->addresses.text[dial->next++])) {
            sl_timer_arm(dial->deadline, share_ms > 0 ? share_ms : 0);
            return;
        }
        drop_socket(dial);
    }
    struct sl_err why = dial->last;
    finish(dial, -1, &why);
}

static bool begin(struct sl_dial *dial, const char *address)
{
    struct sockaddr_storage to = { 0 };
    socklen_t to_bytes = 0;
    if (!to_sockaddr(address, dial->port, &to, &to_bytes)) {
        return sl_fail(&dial->last, SL_E_NET_RESOLVE, "%s resolved to \"%s\", which is no address",
                       dial->host, address);
    }
    dial->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0) {
        return sl_fail(&dial->last, SL_E_IO, "no socket: %s", strerror(errno));
    }
    if (connect(dial->fd, (const struct sockaddr *)&to, to_bytes) != 0 && errno != EINPROGRESS) {
        return sl_fail(&dial->last, SL_E_AMQP_UNREACHABLE, "cannot connect to %s (%s) port %u: %s",
                       dial->host, address, (unsigned)dial->port, strerror(errno));
    }
    dial->writable = event_new(sl_loop_base(dial->loop), dial->fd, EV_WRITE, on_writable, dial);
    if (dial->writable == NULL || event_add(dial->writable, NULL) != 0) {
        return sl_fail(&dial->last, SL_E_MEMORY, "no memory to connect");
    }
    return true;
}

static bool to_sockaddr(const char *address, uint16_t port, struct sockaddr_storage *out,
                        socklen_t *out_bytes)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
        memcpy(out, &four, sizeof four);
        *out_bytes = sizeof four;
        return true;
    }
    if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1) {
        memcpy(out, &six, sizeof six);
        *out_bytes = sizeof six;
        return true;
    }
    return false;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct sl_dial *dial = arg;
    int problem = 0;
    socklen_t bytes = sizeof problem;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &bytes) != 0) {
        problem = errno;
    }
    if (problem != 0) {
        sl_fail(&dial->last, SL_E_AMQP_UNREACHABLE, "cannot connect to %s (%s) port %u: %s",
                dial->host, dial->addresses.text[dial->next - 1], (unsigned)dial->port,
                strerror(problem));
        try_next(dial);
        return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    dial->fd = -1;
    drop_socket(dial);
    finish(dial, fd, NULL);
}

static void on_deadline(void *arg)
{
    struct sl_dial *dial = arg;
    bool is_resolving = dial->addresses.count == 0;
    sl_fail(&dial->last, is_resolving ? SL_E_NET_RESOLVE : SL_E_AMQP_UNREACHABLE,
            is_resolving ? "%s did not resolve in time" : "%s did not answer in time", dial->host);
    try_next(dial);
}

static void drop_socket(struct sl_dial *dial)
{
    if (dial->writable != NULL) {
        event_free(dial->writable);
        dial->writable = NULL;
    }
    if (dial->fd >= 0) {
        close(dial->fd);
        dial->fd = -1;
    }
}

static void finish(struct sl_dial *dial, int fd, const struct sl_err *why)
{
    sl_resolver_cancel(dial->resolver);
    sl_timer_disarm(dial->deadline);
    dial->fn(fd, why, dial->arg); /* may free the dial */
}
