#include "ops/dev/dev_ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/units.h"

#define PORT_FIRST 20000u
#define PORT_LAST  31999u
#define TRIES_MAX  2000u
#define ROW_MAX    4u /* longest row of ports one entry needs */
#define HELD_MAX   (DEV_PORTS * ROW_MAX)

/* Sockets that keep what was picked until all is picked. */
struct held {
    int fds[HELD_MAX];
    unsigned count;
};

static const struct {
    const char *name;
    unsigned row; /* so many ports from this one on */
} wishes[DEV_PORTS] = {
    [DEV_PORT_AMQP] = { "STACK_AMQP_PORT", 1 },
    [DEV_PORT_MANAGEMENT] = { "STACK_MANAGEMENT_PORT", 1 },
    [DEV_PORT_PROMETHEUS] = { "STACK_PROMETHEUS_PORT", 1 },
    [DEV_PORT_DIST] = { "STACK_DIST_PORT", 1 },
    [DEV_PORT_EPMD] = { "STACK_EPMD_PORT", 1 },
    [DEV_PORT_CTL] = { "STACK_CTL_PORT", ROW_MAX },
    [DEV_PORT_POSTGRES] = { "STACK_POSTGRES_PORT", 1 },
    [DEV_PORT_HTTP] = { "STACK_HTTP_PORT", 1 },
    [DEV_PORT_PUBLISHER_METRICS] = { "STACK_PUBLISHER_METRICS_PORT", 1 },
    [DEV_PORT_CONSUMER_METRICS] = { "STACK_CONSUMER_METRICS_PORT", 1 },
};

static uint16_t remembered(const struct ops_stack *before, const char *name);
static bool hold_row(struct held *held, unsigned first, unsigned row);
static int listen_on(unsigned port);
static void release(struct held *held);

const char *dev_port_name(enum dev_port port)
{
    SL_ASSERT(port < DEV_PORTS);
    return wishes[port].name;
}

bool dev_ports_pick(const struct ops_stack *before, uint16_t out_ports[DEV_PORTS],
                    struct sl_err *err)
{
    SL_DONE(release) struct held held = { 0 };
    uint16_t ports[DEV_PORTS] = { 0 };

    for (unsigned i = 0; i < DEV_PORTS; i++) {
        uint16_t old = remembered(before, wishes[i].name);
        if (old != 0 && hold_row(&held, old, wishes[i].row)) {
            ports[i] = old;
        }
    }
    for (unsigned i = 0; i < DEV_PORTS; i++) {
        for (unsigned tries = 0; ports[i] == 0 && tries < TRIES_MAX; tries++) {
            uint32_t dice = 0;
            if (getrandom(&dice, sizeof dice, 0) != (ssize_t)sizeof dice) {
                return sl_fail(err, SL_E_IO, "getrandom: %s", strerror(errno));
            }
            unsigned first = PORT_FIRST + dice % (PORT_LAST - PORT_FIRST - ROW_MAX);
            if (hold_row(&held, first, wishes[i].row)) {
                ports[i] = (uint16_t)first;
            }
        }
        if (ports[i] == 0) {
            return sl_fail(err, SL_E_NET_LISTEN, "no free port on 127.0.0.1 between %u and %u",
                           PORT_FIRST, PORT_LAST);
        }
    }
    memcpy(out_ports, ports, sizeof ports);
    return true;
}

static uint16_t remembered(const struct ops_stack *before, const char *name)
{
    int64_t port = 0;
    const char *text = ops_stack_get(before, name);
    if (text == NULL || !sl_units_decimal(sl_span_of(text), 5, &port) || port < PORT_FIRST ||
        port > PORT_LAST) {
        return 0;
    }
    return (uint16_t)port;
}

/* All of the row or none of it. */
static bool hold_row(struct held *held, unsigned first, unsigned row)
{
    unsigned before = held->count;
    for (unsigned i = 0; i < row; i++) {
        int fd = listen_on(first + i);
        if (fd < 0) {
            while (held->count > before) {
                close(held->fds[--held->count]);
            }
            return false;
        }
        held->fds[held->count++] = fd;
    }
    return true;
}

static int listen_on(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    /* As the servers do: a connection of the last run that lingers in TIME_WAIT is no obstacle. */
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void release(struct held *held)
{
    while (held->count > 0) {
        close(held->fds[--held->count]);
    }
}
