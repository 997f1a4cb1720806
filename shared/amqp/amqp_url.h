/*
 * amqp_url - AMQP_URL as data: several brokers, one login, one virtual host.
 *
 * Decides only. `amqp://user:password@host:port/vhost`, hosts separated by commas either inside one URL
 * (amqp://u:p@h1:5672,h2:5672/vhost) or as a list of whole URLs with the same login and vhost. Percent-encoding is decoded. No path
 * means virtual host "/"; a bare trailing slash means the empty one (as in RabbitMQ's URI specification), which is refused as the
 * mistake it almost always is.
 * Threads: no state.
 */
#ifndef SHARED_AMQP_URL_H
#define SHARED_AMQP_URL_H

#include <stdint.h>

#include "shared/tls.h"

#define SL_AMQP_HOSTS_MAX 8u

struct sl_amqp_host {
    char *name;
    uint16_t port;
};

struct sl_amqp_url {
    struct sl_amqp_host hosts[SL_AMQP_HOSTS_MAX];
    size_t host_count;
    char *user;
    char *password; /* wiped by done */
    char *vhost;
    bool is_tls;
    struct sl_tls_papers papers; /* not of the URL: shared/amqp/amqp_papers.h */
};

/* err never contains the password. */
bool sl_amqp_url_parse(const char *text, struct sl_amqp_url *out_url, struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void sl_amqp_url_done(struct sl_amqp_url *url);

#endif
