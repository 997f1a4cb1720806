#include "ops/dev/dev_kind.h"

#include <signal.h>
#include <string.h>

#include "shared/scope.h"

static const struct dev_kind kinds[DEV_WHO_COUNT] = {
    /* INT makes Postgres end open sessions, QUIT makes it leave at once; a plain KILL would orphan its children. */
    [DEV_POSTGRES] = { "postgres", "postgres.sh", NULL, DEV_PORT_POSTGRES, DEV_PORTS, SIGINT,
                       SIGQUIT, 15000 },
    [DEV_RABBITMQ] = { "rabbitmq", "rabbitmq.sh", NULL, DEV_PORT_AMQP, DEV_PORTS, SIGTERM, SIGKILL,
                       20000 },
    [DEV_PUBLISHER] = { "publisher", NULL, "sluice-publisher", DEV_PORT_HTTP, DEV_PORT_HTTP,
                        SIGTERM, SIGKILL, 15000 },
    [DEV_CONSUMER] = { "consumer", NULL, "sluice-consumer", DEV_PORT_CONSUMER_METRICS,
                       DEV_PORT_CONSUMER_METRICS, SIGTERM, SIGKILL, 15000 },
};

const char *dev_who_name(enum dev_who who)
{
    SL_ASSERT(who < DEV_WHO_COUNT);
    return kinds[who].name;
}

enum dev_who dev_who_find(const char *name)
{
    for (unsigned i = 0; i < DEV_WHO_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return (enum dev_who)i;
        }
    }
    return DEV_WHO_COUNT;
}

const struct dev_kind *dev_kind_of(enum dev_who who)
{
    SL_ASSERT(who < DEV_WHO_COUNT);
    return &kinds[who];
}
