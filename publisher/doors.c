#include "publisher/doors.h"

#include <unistd.h>

#include "shared/descriptors.h"
#include "shared/listen.h"

/* Kept for journal, broker links, resolver, control socket and the metrics port. */
#define DESCRIPTORS_RESERVED 64u
/* Fewer make no service; then running out of descriptors is handled as it comes. */
#define CONNECTIONS_LEAST 16u
/* More of the same for each further loop. */
#define DESCRIPTORS_PER_LOOP 16u

static struct sl_http_limits limits_of(const struct pub_doors *doors);
static size_t connections_max(const struct pub_doors *doors);
static bool make_server(struct pub_doors *doors, struct sl_err *err);
static bool open_public(struct pub_doors *doors, struct sl_err *err);
static bool is_free(const struct pub_doors *doors, const struct sl_http_listen *listen,
                    struct sl_err *err);
static bool open_https(struct pub_doors *doors, struct sl_err *err);
static bool open_private(struct pub_doors *doors, struct sl_err *err);
static struct sl_http_listen place(const struct pub_doors *doors, const char *address,
                                   const char *passed_as);
static void on_request(struct sl_http_request *request, void *arg);
static void on_refused(int status, const char *why, void *arg);
static void on_answered(const struct sl_http_request *request, int status, void *arg);
static void tell_certificate(struct pub_doors *doors);
static void on_private_request(struct sl_http_request *request, void *arg);

void pub_doors_need(const struct pub_config *config, struct sl_sandbox_paths *paths)
{
    const char *const files[] = { config->tls_cert, config->tls_key, config->tls_client_ca };
    const char *const listens[] = { config->listen, config->https_listen, config->metrics_listen };
    for (size_t i = 0; i < SL_COUNT(files); i++) {
        sl_sandbox_paths_add_folder_of(paths, sl_span_of(files[i]), false);
    }
    for (size_t i = 0; i < SL_COUNT(listens); i++) {
        const char *path = sl_listen_path(listens[i]);
        sl_sandbox_paths_add_folder_of(paths, sl_span_of(path), true);
    }
}

bool pub_doors_open(struct pub_doors *doors, const struct pub_doors_opts *opts, struct sl_err *err)
{
    *doors = (struct pub_doors){ .opts = *opts };
    pub_traffic_init(&doors->traffic, opts->metrics);
    if (opts->first != NULL) {
        doors->connections_max = opts->first->connections_max;
        return make_server(doors, err) &&
               sl_http_server_join(doors->server, opts->first->server, err);
    }
    doors->connections_max = connections_max(doors);
    return open_public(doors, err) && open_https(doors, err) && open_private(doors, err);
}

static bool make_server(struct pub_doors *doors, struct sl_err *err)
{
    doors->server = sl_http_server_new(
        &(struct sl_http_server_opts){
            .loop = doors->opts.loop,
            .limits = limits_of(doors),
            .totals = doors->opts.totals,
            .on_request = on_request,
            .on_refused = on_refused,
            .on_answered = on_answered,
            .arg = doors,
        },
        err);
    return doors->server != NULL;
}

static bool open_public(struct pub_doors *doors, struct sl_err *err)
{
    const struct sl_http_listen plain = place(doors, doors->opts.config->listen, "ingest");
    return make_server(doors, err) && is_free(doors, &plain, err) &&
           sl_http_server_listen(doors->server, &plain, err);
}

/* Our own loops share the address; that must not let a second publisher in unseen. */
static bool is_free(const struct pub_doors *doors, const struct sl_http_listen *listen,
                    struct sl_err *err)
{
    if (!listen->is_shared || doors->opts.config->http_shared || listen->fd > 0 ||
        sl_listen_path(listen->address) != NULL) {
        return true;
    }
    int fd = sl_listen_open(listen->address, false, err);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void on_request(struct sl_http_request *request, void *arg)
{
    const struct pub_doors *doors = arg;
    doors->opts.on_request(request, doors->opts.arg);
}

static void on_refused(int status, const char *why, void *arg)
{
    (void)why;
    struct pub_doors *doors = arg;
    pub_traffic_refused(&doors->traffic, status);
}

static void on_answered(const struct sl_http_request *request, int status, void *arg)
{
    struct pub_doors *doors = arg;
    pub_traffic_answered(&doors->traffic, request, status);
}

static struct sl_http_limits limits_of(const struct pub_doors *doors)
{
    const struct pub_config *config = doors->opts.config;
    struct sl_http_limits limits = sl_http_limits_default;
    limits.body_bytes_max = (size_t)config->body_max;
    limits.connections_max = doors->connections_max;
    limits.per_peer_max = (size_t)config->http_per_peer_max;
    limits.head_ms = config->http_head_timeout;
    limits.body_ms = config->http_body_timeout;
    limits.idle_ms = config->http_idle_timeout;
    return limits;
}

static size_t connections_max(const struct pub_doors *doors)
{
    size_t wanted = (size_t)doors->opts.config->http_connections_max;
    size_t descriptors = sl_descriptors_raise();
    size_t loops = (size_t)doors->opts.config->loops;
    size_t reserved = DESCRIPTORS_RESERVED + DESCRIPTORS_PER_LOOP * (loops - 1);
    size_t room =
        descriptors < reserved + CONNECTIONS_LEAST ? CONNECTIONS_LEAST : descriptors - reserved;
    if (wanted <= room) {
        return wanted;
    }
    sl_warn(doors->opts.log, "config.warning",
            "fewer connections than configured: the limit of open files (RLIMIT_NOFILE) is lower",
            sl_int("connections_max", (int64_t)room), sl_int("wanted", (int64_t)wanted));
    return room;
}

/* The socket passed under that name, else the address. */
static struct sl_http_listen place(const struct pub_doors *doors, const char *address,
                                   const char *passed_as)
{
    int fd = sl_listen_inherited(passed_as);
    return (struct sl_http_listen){ .address = address,
                                    .fd = fd < 0 ? 0 : fd,
                                    .is_shared =
                                        doors->opts.is_shared || doors->opts.config->http_shared };
}

static bool open_https(struct pub_doors *doors, struct sl_err *err)
{
    const struct pub_config *config = doors->opts.config;
    if (config->https_listen == NULL) {
        return true;
    }
    doors->tls =
        sl_tls_server_new(&(struct sl_tls_server_opts){ .certificate = config->tls_cert,
                                                        .key = config->tls_key,
                                                        .client_ca = config->tls_client_ca },
                          err);
    if (doors->tls == NULL) {
        return false;
    }
    tell_certificate(doors);
    struct sl_http_listen https = place(doors, config->https_listen, "ingest-tls");
    https.tls = doors->tls;
    return is_free(doors, &https, err) && sl_http_server_listen(doors->server, &https, err);
}

static bool open_private(struct pub_doors *doors, struct sl_err *err)
{
    doors->metrics_server = sl_http_server_new(
        &(struct sl_http_server_opts){
            .loop = doors->opts.loop,
            .limits = sl_http_limits_default,
            .on_request = on_private_request,
            .arg = doors,
        },
        err);
    struct sl_http_listen metrics = place(doors, doors->opts.config->metrics_listen, "metrics");
    metrics.is_shared = false; /* every process has its own figures */
    return doors->metrics_server != NULL &&
           sl_http_server_listen(doors->metrics_server, &metrics, err);
}

static void on_private_request(struct sl_http_request *request, void *arg)
{
    struct pub_doors *doors = arg;
    sl_series_set(sl_metrics_series(doors->opts.metrics, SL_M_HTTP_CONNECTIONS, NULL, NULL),
                  (int64_t)sl_http_totals_connections(doors->opts.totals));
    sl_health_on_request(request, (void *)(uintptr_t)doors->opts.private_health);
}

void pub_doors_done(struct pub_doors *doors)
{
    sl_http_server_free(doors->server);
    sl_http_server_free(doors->metrics_server);
    sl_tls_server_free(doors->tls);
    *doors = (struct pub_doors){ .server = NULL };
}

void pub_doors_reload(struct pub_doors *doors)
{
    struct sl_err why = { 0 };
    if (doors->tls == NULL) {
        return;
    }
    if (sl_tls_server_load(doors->tls, &why)) {
        tell_certificate(doors);
    } else {
        sl_log_err(doors->opts.log, SL_ERROR, "tls.rejected",
                   "the new certificate cannot be used; the old one stays in force", &why);
    }
}

static void tell_certificate(struct pub_doors *doors)
{
    int64_t expires_s = sl_tls_server_expires_s(doors->tls);
    sl_series_set(sl_metrics_series(doors->opts.metrics, SL_M_TLS_EXPIRES, NULL, NULL), expires_s);
    sl_info(doors->opts.log, "tls.loaded", "new connections get this certificate",
            sl_str("certificate", doors->opts.config->tls_cert), sl_int("expires", expires_s),
            sl_bool("client_certificates", doors->opts.config->tls_client_ca != NULL));
}

void pub_doors_drain(struct pub_doors *doors, void (*on_drained)(void *), void *arg)
{
    sl_http_server_drain(doors->server, on_drained, arg);
}
