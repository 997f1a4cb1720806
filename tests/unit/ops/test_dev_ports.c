#include "ops/dev/dev_ports.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/claims.h"

static struct ops_stack remembering(const char *text)
{
    struct ops_stack stack = { 0 };
    static char name[32];
    static char value[32];
    CU_ASSERT_EQUAL(sscanf(text, "%31[^=]=%31s", name, value), 2);
    stack.entries[0].name = name;
    stack.entries[0].value = value;
    stack.count = 1;
    return stack;
}

CLAIM(dev_ports__all_differ_and_lie_below_the_range_of_outgoing_connections)
{
    struct ops_stack none = { 0 };
    struct sl_err err = { 0 };
    uint16_t ports[DEV_PORTS];
    CU_ASSERT_TRUE_FATAL(dev_ports_pick(&none, ports, &err));
    for (unsigned i = 0; i < DEV_PORTS; i++) {
        CU_ASSERT_TRUE(ports[i] >= 20000 && ports[i] < 32768);
        for (unsigned j = 0; j < i; j++) {
            CU_ASSERT_NOT_EQUAL(ports[i], ports[j]);
        }
    }
}

CLAIM(dev_ports__a_port_of_the_last_run_is_kept_while_it_is_free)
{
    struct ops_stack none = { 0 };
    struct sl_err err = { 0 };
    uint16_t ports[DEV_PORTS];
    uint16_t again[DEV_PORTS];
    char line[64];
    CU_ASSERT_TRUE_FATAL(dev_ports_pick(&none, ports, &err));
    (void)snprintf(line, sizeof line, "%s=%u", dev_port_name(DEV_PORT_HTTP), ports[DEV_PORT_HTTP]);
    struct ops_stack before = remembering(line);
    CU_ASSERT_TRUE_FATAL(dev_ports_pick(&before, again, &err));
    CU_ASSERT_EQUAL(again[DEV_PORT_HTTP], ports[DEV_PORT_HTTP]);

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(ports[DEV_PORT_HTTP]) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
    CU_ASSERT_TRUE_FATAL(dev_ports_pick(&before, again, &err));
    CU_ASSERT_NOT_EQUAL(again[DEV_PORT_HTTP], ports[DEV_PORT_HTTP]);
    close(fd);
}

CLAIM(dev_ports__a_damaged_memory_is_no_obstacle)
{
    static const char *const lines[] = { "STACK_HTTP_PORT=80", "STACK_HTTP_PORT=99999",
                                         "STACK_HTTP_PORT=-1", "STACK_HTTP_PORT=x" };
    for (size_t i = 0; i < SL_COUNT(lines); i++) {
        struct ops_stack before = remembering(lines[i]);
        struct sl_err err = { 0 };
        uint16_t ports[DEV_PORTS];
        CU_ASSERT_TRUE(dev_ports_pick(&before, ports, &err));
    }
}
