#include "ops/dev/dev_banner.h"

#include <stdio.h>
#include <unistd.h>

static void print_pipeline(const struct dev_banner *banner, const char *sluice);
static void print_servers(const struct dev_banner *banner, const char *sluice);

void dev_banner_print(const struct dev_banner *banner)
{
    char sluice[PATH_MAX];
    if (!ops_stack_path(sluice, banner->home->programs, "sluice", NULL)) {
        return;
    }
    if (!banner->servers_only) {
        print_pipeline(banner, sluice);
    }
    print_servers(banner, sluice);
    printf("  stop         Ctrl-C here, or from elsewhere:  %s dev stop\n"
           "  forget all   %s dev reset\n\n",
           sluice, sluice);
    (void)fflush(stdout);
}

static void print_pipeline(const struct dev_banner *banner, const char *sluice)
{
    const uint16_t *ports = banner->ports;
    printf("  send events  %s trigger invoice.paid\n"
           "               %s trigger all --count 100\n",
           sluice, sluice);
    printf("  see rows     psql postgres://sluice@127.0.0.1:%u/sluice \\\n"
           "                 -c 'select type, verdict, count(*) from sluice_inbox group by 1, 2 "
           "order by 1'\n",
           ports[DEV_PORT_POSTGRES]);
    printf("  demonstrate  %s dev demo\n", sluice);
    printf("  health       curl -s http://127.0.0.1:%u/health\n", ports[DEV_PORT_HTTP]);
    printf("  metrics      curl -s http://127.0.0.1:%u/metrics   (publisher)\n"
           "               curl -s http://127.0.0.1:%u/metrics   (consumer)\n",
           ports[DEV_PORT_PUBLISHER_METRICS], ports[DEV_PORT_CONSUMER_METRICS]);
    printf("  logs         tail -f %s/logs/publisher.log %s/logs/consumer.log\n", banner->home->dir,
           banner->home->dir);
    printf("  real Stripe  stripe listen --forward-to http://127.0.0.1:%u/webhooks/stripe\n"
           "               its events carry a secret of their own; start the stack with it:\n"
           "               STRIPE_WEBHOOK_SECRET=$(stripe listen --print-secret) %s dev\n",
           ports[DEV_PORT_HTTP], sluice);
}

static void print_servers(const struct dev_banner *banner, const char *sluice)
{
    const uint16_t *ports = banner->ports;
    if (banner->servers_only) {
        printf("  Postgres     psql postgres://sluice@127.0.0.1:%u/sluice\n",
               ports[DEV_PORT_POSTGRES]);
    }
    printf("  RabbitMQ     http://127.0.0.1:%u   user sluice, password %s\n",
           ports[DEV_PORT_MANAGEMENT], banner->password);
    printf("  outage       %s dev stop rabbitmq    (postgres, publisher, consumer likewise)\n"
           "               %s dev start rabbitmq\n",
           sluice, sluice);
    printf("  state        %s\n", banner->home->dir);
    if (geteuid() == 0) {
        printf("               (as root the data cannot lie below /root: Postgres runs as another "
               "user)\n");
    }
}
