#include "shared/dial.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"

#define ADDRESSES_MAX 16u
/* Unacknowledged bytes end a connection after this; above any heartbeat we agree on, which notices sooner. tcp(7). */
#define UNACKED_MS_MAX 60000
#define DNS_TRIES      "2"

/* A question to the resolver. It may outlive its dial: the library answers a withdrawn question later, from the loop. */
struct lookup {
    struct evdns_base *dns;
    struct sl_dial *dial; /* NULL once withdrawn */
};

struct sl_dial {
    struct sl_loop *loop;
    sl_dial_fn *fn;
    void *arg;
    char *host;
    uint16_t port;
    int64_t deadline_at_ms;
    struct lookup *lookup;      /* while the answer is awaited */
    struct evdns_base *old_dns; /* answered; freed later, never from inside its own callback */
    struct sl_timer *timer;     /* end of the lookup's time, or: go on on the next turn */
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    socklen_t address_bytes[ADDRESSES_MAX];
    size_t address_count;
    size_t next_address;
    int fd; /* connecting, or -1 */
    struct event *connected;
    struct sl_err why; /* of the last address or of the lookup */
};

static void on_timer(void *arg);
static void resolve(struct sl_dial *dial);
static struct evdns_base *new_dns(struct sl_dial *dial);
static void on_resolved(int result, struct evutil_addrinfo *found, void *arg);
static void withdraw(struct lookup *lookup);
static void connect_next(struct sl_dial *dial);
static bool begin_connect(struct sl_dial *dial, size_t index, int64_t share_ms);
static void on_connected(evutil_socket_t fd, short what, void *arg);
static void set_options(int fd);
static void close_socket(struct sl_dial *dial);
static void fail_address(struct sl_dial *dial, int error);

struct sl_dial *sl_dial_new(struct sl_loop *loop, sl_dial_fn *fn, void *arg, struct sl_err *err)
{
    SL_AUTO(sl_dial_free) struct sl_dial *dial = calloc(1, sizeof *dial);
    if (dial != NULL) {
        *dial = (struct sl_dial){ .loop = loop, .fn = fn, .arg = arg, .fd = -1 };
        dial->timer = sl_timer_new(loop, on_timer, dial);
    }
    if (dial == NULL || dial->timer == NULL) {
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
    if (dial->lookup != NULL) {
        withdraw(dial->lookup);
    }
    if (dial->old_dns != NULL) {
        evdns_base_free(dial->old_dns, 0);
    }
    sl_timer_free(dial->timer);
    free(dial->host);
    free(dial);
}

/* The callback of the question still comes, with an error, and frees the lookup. */
static void withdraw(struct lookup *lookup)
{
    lookup->dial = NULL;
    evdns_base_free(lookup->dns, 1);
}

void sl_dial_start(struct sl_dial *dial, const char *host, uint16_t port, int64_t deadline_ms)
{
    SL_ASSERT(dial->host == NULL);
    dial->host = strdup(host);
    dial->port = port;
    dial->deadline_at_ms = sl_clock_mono_ms() + deadline_ms;
    resolve(dial);
}

/* Ends with on_resolved, at once or later, or with the timer; half of the time is kept for connecting. */
static void resolve(struct sl_dial *dial)
{
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)dial->port);
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_protocol = IPPROTO_TCP,
        .ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV,
    };
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL || dial->host == NULL) {
        free(lookup);
        sl_fail(&dial->why, SL_E_MEMORY, "no memory to resolve a host");
        sl_timer_arm(dial->timer, 0);
        return;
    }
    lookup->dial = dial;
    dial->lookup = lookup;

    struct evutil_addrinfo *found = NULL;
    if (evutil_getaddrinfo(dial->host, port, &hints, &found) == 0) {
        on_resolved(0, found, lookup);
        return;
    }
    lookup->dns = new_dns(dial);
    if (lookup->dns == NULL) {
        on_resolved(EVUTIL_EAI_MEMORY, NULL, lookup);
        return;
    }
    sl_timer_arm(dial->timer, (dial->deadline_at_ms - sl_clock_mono_ms()) / 2);
    hints.ai_flags = EVUTIL_AI_NUMERICSERV;
    (void)evdns_getaddrinfo(lookup->dns, dial->host, port, &hints, on_resolved, lookup);
}

/* Reads resolv.conf and hosts anew each time; a machine without resolv.conf asks itself (127.0.0.1), as libc does. */
static struct evdns_base *new_dns(struct sl_dial *dial)
{
    struct evdns_base *dns =
        evdns_base_new(sl_loop_base(dial->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (dns != NULL) {
        (void)evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
        (void)evdns_base_set_option(dns, "attempts", DNS_TRIES);
    }
    return dns;
}

/* Only takes notes: it may run inside sl_dial_start, and the resolver is still on the stack. */
static void on_resolved(int result, struct evutil_addrinfo *found, void *arg)
{
    struct lookup *lookup = arg;
    struct sl_dial *dial = lookup->dial;
    if (dial != NULL) {
        for (const struct evutil_addrinfo *at = found;
             at != NULL && dial->address_count < ADDRESSES_MAX; at = at->ai_next) {
            memcpy(&dial->addresses[dial->address_count], at->ai_addr, at->ai_addrlen);
            dial->address_bytes[dial->address_count++] = (socklen_t)at->ai_addrlen;
        }
        if (dial->address_count == 0) {
            sl_fail(&dial->why, SL_E_NET_RESOLVE, "host %s: %s", dial->host,
                    result == 0 ? "no address" : evutil_gai_strerror(result));
        }
        dial->lookup = NULL;
        dial->old_dns = lookup->dns;
        sl_timer_arm(dial->timer, 0);
    }
    if (found != NULL) {
        evutil_freeaddrinfo(found);
    }
    free(lookup);
}

static void on_timer(void *arg)
{
    struct sl_dial *dial = arg;
    if (dial->lookup != NULL) {
        withdraw(dial->lookup);
        dial->lookup = NULL;
        sl_fail(&dial->why, SL_E_NET_RESOLVE, "host %s: the name servers did not answer in time",
                dial->host);
    }
    connect_next(dial);
}

/* Tries addresses until one is on its way; then on_connected goes on. */
static void connect_next(struct sl_dial *dial)
{
    while (dial->next_address < dial->address_count) {
        size_t index = dial->next_address++;
        int64_t left_ms = dial->deadline_at_ms - sl_clock_mono_ms();
        int64_t share_ms = left_ms / (int64_t)(dial->address_count - index);
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
    const struct sockaddr *address = (const struct sockaddr *)&dial->addresses[index];
    dial->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0) {
        fail_address(dial, errno);
        return false;
    }
    set_options(dial->fd);
    if (connect(dial->fd, address, dial->address_bytes[index]) != 0 && errno != EINPROGRESS) {
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
