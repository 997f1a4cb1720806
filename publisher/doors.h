/*
 * doors - where requests come in: the public server with its listeners, and the private one for metrics.
 *
 * Public: SLUICE_HTTP_LISTEN (or PORT) and, with certificate and key, SLUICE_HTTPS_LISTEN; both share one server and its limits. A service manager may pass
 * the sockets instead, named ingest, ingest-tls and metrics. The certificate is read again on a reload, without touching a connection.
 * Law: connections never take the descriptors that the journal and the broker need.
 * Refuses: metrics on a public listener.
 * Threads: one for each loop, and belongs to it. The first one's certificate serves all; the others are opened after it, and closed before.
 */
#ifndef PUBLISHER_DOORS_H
#define PUBLISHER_DOORS_H

#include "publisher/config.h"
#include "publisher/traffic.h"
#include "shared/health.h"
#include "shared/log.h"
#include "shared/sandbox/sandbox_paths.h"
#include "shared/tls.h"

struct pub_doors_opts {
    struct sl_loop *loop;
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct pub_config *config;
    struct sl_http_totals *totals; /* counted by the doors of all loops */
    struct pub_doors *
        first; /* those of the first loop: these listen where those do; NULL: these are the first */
    bool is_shared;                         /* more doors will come */
    const struct sl_health *private_health; /* with metrics; at the first ones */
    void (*on_request)(struct sl_http_request *request, void *arg);
    void *arg;
};

struct pub_doors {
    struct pub_doors_opts opts;
    struct pub_traffic traffic;
    struct sl_http_server *server;
    size_t connections_max;
    struct sl_http_server *metrics_server; /* NULL but for the first */
    struct sl_tls_server *tls;             /* NULL: no HTTPS, or not the first */
};

/* Adds the files and folders that the doors open now and later. */
void pub_doors_need(const struct pub_config *config, struct sl_sandbox_paths *paths);

bool pub_doors_open(struct pub_doors *doors, const struct pub_doors_opts *opts,
                    struct sl_err *err) SL_MUST;
/* Accepts zeroed or half-opened storage. */
void pub_doors_done(struct pub_doors *doors);
/* Reads the certificate again, if there is one; a certificate that cannot be read changes nothing. */
void pub_doors_reload(struct pub_doors *doors);
/* The public server's; the private one serves on. */
void pub_doors_drain(struct pub_doors *doors, void (*on_drained)(void *), void *arg);

#endif
