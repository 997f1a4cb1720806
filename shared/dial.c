#include "shared/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/resolve.h"

/* Unacknowledged bytes end a connection after this; above any heartbeat we agree on, which notices sooner. tcp(7). */
#define UNACKED_MS_MAX 60000

struct sl_dial {
    struct sl_loop *loop;
    sl_dial_fn *fn;
    void *arg;
    char *host;
    uint16_t port;
    int64_t deadline_at_ms;
    struct sl_resolver *resolver;
    struct sl_timer *timer; /* end of the resolver's time */
    struct sl_addresses addresses;
    size_t next_address;
    int fd; /* connecting, or -1 */
    struct event *connected;
    struct sl_err why; /* of the last address or of the lookup */
};

static void on_resolved(const struct sl_addresses *addresses, const struct sl_err *why, void *arg);
static void on_resolver_late(void *arg);
static void connect_next(struct sl_dial *dial);
static bool begin_connect(struct sl_dial *dial, size_t index, int64_t share_ms);
static socklen_t socket_address(const char *text, uint16_t port, struct sockaddr_storage *out);
static void on_connected(evutil_socket_t fd, short what, void *arg);
static void set_options(int fd);
static void close_socket(struct sl_dial *dial);
static void fail_address(struct sl_dial *dial, int error);

struct sl_dial *sl_dial_new(struct sl_loop *loop, sl_dial_fn *fn, void *arg, struct sl_err *err)
{
    SL_AUTO(sl_dial_free) struct sl_dial *dial = calloc(1, sizeof *dial);
    if (dial != NULL) {
        *dial = (struct sl_dial){ .loop = loop, .fn = fn, .arg = arg, .fd = -1 };
        dial->timer = sl_timer_new(loop, on_resolver_late, dial);
        dial->resolver = sl_resolver_new(loop, on_resolved, dial, err);
    }
    if (dial == NULL || dial->timer == NULL || dial->resolver == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory to connect");
        return NULL;
    }
    return SL_TAKE(dial);
}

void sl_dial_free(struct sl_dial *dial)
{
    if (dial == NULL) {
        return;
    }
    close_socket(dial);
    sl_resolver_free(dial->resolver);
    sl_timer_free(dial->timer);
    free(dial->host);
    free(dial);
}

/* Half of the time is kept for connecting. */
void sl_dial_start(struct sl_dial *dial, const char *host, uint16_t port, int64_t deadline_ms)
{
    SL_ASSERT(dial->host == NULL);
    SL_ASSERT(deadline_ms > 0);
    dial->deadline_at_ms = sl_clock_mono_ms() + deadline_ms;
    dial->port = port;
    dial->host = strdup(host);
    if (dial->host == NULL) {
        sl_fail(&dial->why, SL_E_MEMORY, "no memory to resolve a host");
        sl_timer_arm(dial->timer, 0);
        return;
    }
    sl_fail(&dial->why, SL_E_NET_RESOLVE, "host %s: the name servers did not answer in time", host);
    sl_timer_arm(dial->timer, deadline_ms / 2);
    sl_resolver_start(dial->resolver, host);
}

static void on_resolver_late(void *arg)
{
    struct sl_dial *dial = arg;
    sl_resolver_cancel(dial->resolver);
    dial->fn(-1, &dial->why, dial->arg);
}

static void on_resolved(const struct sl_addresses *addresses, const struct sl_err *why, void *arg)
{
    struct sl_dial *dial = arg;
    sl_timer_disarm(dial->timer);
    if (why != NULL) {
        dial->why = *why;
    } else {
        dial->addresses = *addresses;
    }
    connect_next(dial);
}

/* Tries addresses until one is on its way; then on_connected goes on. */
static void connect_next(struct sl_dial *dial)
{
    while (dial->next_address < dial->addresses.count) {
        size_t index = dial->next_address++;
        int64_t left_ms = dial->deadline_at_ms - sl_clock_mono_ms();
        int64_t share_ms = left_ms / (int64_t)(dial->addresses.count - index);
        if (share_ms <= 0) {
            sl_fail(&dial->why, SL_E_AMQP_UNREACHABLE, "%s:%u: no time left to connect", dial->host,
                    (unsigned)dial->port);
            break;
        }
        if (begin_connect(dial, index, share_ms)) {
            return;
        }
    }
    dial->fn(-1, &dial->why, dial->arg);
}

static bool begin_connect(struct sl_dial *dial, size_t index, int64_t share_ms)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t bytes = socket_address(dial->addresses.text[index], dial->port, &storage);
    const struct sockaddr *address = (const struct sockaddr *)&storage;
    dial->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0) {
        fail_address(dial, errno);
        return false;
    }
    set_options(dial->fd);
    if (connect(dial->fd, address, bytes) != 0 && errno != EINPROGRESS) {
        fail_address(dial, errno);
        return false;
    }
    struct timeval share = { .tv_sec = share_ms / 1000, .tv_usec = share_ms % 1000 * 1000 };
    dial->connected = event_new(sl_loop_base(dial->loop), dial->fd, EV_WRITE, on_connected, dial);
    if (dial->connected == NULL || event_add(dial->connected, &share) != 0) {
        fail_address(dial, ENOMEM);
        return false;
    }
    return true;
}

static socklen_t socket_address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof v4);
        return sizeof v4;
    }
    SL_ASSERT(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1); /* the resolver wrote it */
    memcpy(out, &v6, sizeof v6);
    return sizeof v6;
}

static void set_options(int fd)
{
    int yes = 1;
    unsigned unacked_ms = UNACKED_MS_MAX;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct sl_dial *dial = arg;
    int error = ETIMEDOUT;
    if ((what & EV_WRITE) != 0) {
        socklen_t bytes = sizeof error;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) {
            error = errno;
        }
    }
    if (error != 0) {
        fail_address(dial, error);
        connect_next(dial);
        return;
    }
    dial->fd = -1;
    close_socket(dial);
    dial->fn(fd, NULL, dial->arg);
}

static void fail_address(struct sl_dial *dial, int error)
{
    close_socket(dial);
    sl_fail(&dial->why, SL_E_AMQP_UNREACHABLE, "%s:%u: %s", dial->host, (unsigned)dial->port,
            strerror(error));
}

static void close_socket(struct sl_dial *dial)
{
    if (dial->connected != NULL) {
        event_free(dial->connected);
        dial->connected = NULL;
    }
    if (dial->fd >= 0) {
        close(dial->fd);
        dial->fd = -1;
    }
}
