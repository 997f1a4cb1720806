/*
 * dev_ports - free loopback ports for a local stack.
 *
 * Each port is proved free by listening on it. A port of the previous run is taken again when it is still free, so that addresses
 * people have copied keep working. All lie below 32768, where the kernel gives no outgoing connection a source port.
 * Limit: between the proof and the server's own bind somebody else may take the port; the server then says so and ends.
 * Threads: no state.
 */
#ifndef OPS_DEV_PORTS_H
#define OPS_DEV_PORTS_H

#include <stdint.h>

#include "ops/stack.h"

enum dev_port {
    DEV_PORT_AMQP,
    DEV_PORT_MANAGEMENT,
    DEV_PORT_PROMETHEUS,
    DEV_PORT_DIST,
    DEV_PORT_EPMD,
    DEV_PORT_CTL, /* first of a row for rabbitmqctl */
    DEV_PORT_POSTGRES,
    DEV_PORT_HTTP,
    DEV_PORT_PUBLISHER_METRICS,
    DEV_PORT_CONSUMER_METRICS,
    DEV_PORTS
};

/* Name of a port in the stack's file and in the scripts' environment. */
const char *dev_port_name(enum dev_port port);

/* `before` holds the previous run's ports and may be empty. */
bool dev_ports_pick(const struct ops_stack *before, uint16_t out_ports[DEV_PORTS],
                    struct sl_err *err) SL_MUST;

#endif
