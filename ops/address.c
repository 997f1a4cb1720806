#include "ops/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/amqp/amqp_papers.h"

#define MISTAKES_BYTES_MAX 8192u
/* The publisher's default of SLUICE_METRICS_LISTEN. */
#define PUBLISHER_METRICS "127.0.0.1:9463"

static const struct sl_conf_key keys[] = {
#define SL_CONF(field, TYPE, ...) SL_CONF_ROW(struct ops_settings, field, TYPE, __VA_ARGS__)
#include "ops/config.def"
#undef SL_CONF
};

static bool take_url(const char *url, char out_url[OPS_URL_BYTES], struct sl_err *err);
static bool take_listen(const char *listen, const char *name, char out_url[OPS_URL_BYTES],
                        struct sl_err *err);

bool ops_address_open(struct ops_address *address, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    ops_address_read(address, &mistakes);
    return sl_conf_verdict(&mistakes, err);
}

void ops_address_read(struct ops_address *address, struct sl_buf *mistakes)
{
    *address = (struct ops_address){ 0 };
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_conf_source_init(&source, environ, mistakes);
    sl_conf_read(keys, SL_COUNT(keys), &source, &address->settings, mistakes);
    ops_stack_open(&address->stack);
}

void ops_address_done(struct ops_address *address)
{
    sl_conf_done(keys, SL_COUNT(keys), &address->settings);
    ops_stack_done(&address->stack);
}

bool ops_address_amqp(const struct ops_address *address, struct sl_amqp_url *out_url,
                      struct sl_err *err)
{
    const struct ops_settings *settings = &address->settings;
    const char *url = settings->amqp_url;
    if (url == NULL) {
        url = ops_stack_get(&address->stack, "AMQP_URL");
    }
    if (url == NULL) {
        return sl_fail(err, SL_E_CONFIG, "no broker is known: set AMQP_URL, or run `sluice dev`");
    }
    if (!sl_amqp_url_parse(url, out_url, err)) {
        return false;
    }
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    sl_amqp_papers_set(out_url,
                       &(struct sl_tls_papers){ .ca = settings->amqp_ca,
                                                .certificate = settings->amqp_cert,
                                                .key = settings->amqp_key },
                       &mistakes);
    return sl_conf_verdict(&mistakes, err);
}

const char *ops_address_api(const struct ops_address *address)
{
    if (address->settings.api_url != NULL || address->settings.amqp_url != NULL) {
        return address->settings.api_url;
    }
    return ops_stack_get(&address->stack, "RABBITMQ_API_URL");
}

bool ops_address_publisher(const struct ops_address *address, const char *flag,
                           char out_url[OPS_URL_BYTES], struct sl_err *err)
{
    const struct ops_settings *settings = &address->settings;
    if (flag != NULL || settings->publisher_url != NULL) {
        return take_url(flag != NULL ? flag : settings->publisher_url, out_url, err);
    }
    if (settings->port != 0) {
        snprintf(out_url, OPS_URL_BYTES, "http://127.0.0.1:%lld", (long long)settings->port);
        return true;
    }
    const char *listen = settings->http_listen;
    if (listen == NULL) {
        listen = ops_stack_get(&address->stack, "SLUICE_HTTP_LISTEN");
    }
    if (listen != NULL && strncmp(listen, "unix:", 5) == 0) {
        /* The same health is told beside its metrics. */
        listen = settings->metrics_listen != NULL ? settings->metrics_listen : PUBLISHER_METRICS;
        return take_listen(listen, "SLUICE_METRICS_LISTEN", out_url, err);
    }
    if (listen != NULL) {
        return take_listen(listen, "SLUICE_HTTP_LISTEN", out_url, err);
    }
    return take_url(OPS_DEFAULT_PUBLISHER, out_url, err);
}

bool ops_address_consumer(const struct ops_address *address, const char *flag,
                          char out_url[OPS_URL_BYTES], struct sl_err *err)
{
    const struct ops_settings *settings = &address->settings;
    if (flag != NULL || settings->consumer_url != NULL) {
        return take_url(flag != NULL ? flag : settings->consumer_url, out_url, err);
    }
    const char *listen = settings->metrics_listen;
    if (listen == NULL) {
        listen = ops_stack_get(&address->stack, "STACK_CONSUMER_METRICS");
    }
    if (listen != NULL) {
        return take_listen(listen, "SLUICE_METRICS_LISTEN", out_url, err);
    }
    return take_url(OPS_DEFAULT_CONSUMER, out_url, err);
}

const char *ops_address_state_dir(const struct ops_address *address, const char *flag)
{
    if (flag != NULL || address->settings.state_dir != NULL) {
        return flag != NULL ? flag : address->settings.state_dir;
    }
    const char *of_stack = ops_stack_get(&address->stack, "SLUICE_STATE_DIR");
    return of_stack != NULL ? of_stack : OPS_DEFAULT_STATE_DIR;
}

static bool take_url(const char *url, char out_url[OPS_URL_BYTES], struct sl_err *err)
{
    size_t bytes = strlen(url);
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return sl_fail(err, SL_E_USAGE,
                       "an address starts with http:// or https://, unlike '%.80s'", url);
    }
    while (bytes > 0 && url[bytes - 1] == '/') {
        bytes--;
    }
    if (bytes >= OPS_URL_BYTES) {
        return sl_fail(err, SL_E_USAGE, "an address of more than %u bytes", OPS_URL_BYTES - 1);
    }
    snprintf(out_url, OPS_URL_BYTES, "%.*s", (int)bytes, url);
    return true;
}

static bool take_listen(const char *listen, const char *name, char out_url[OPS_URL_BYTES],
                        struct sl_err *err)
{
    return ops_address_from_listen(listen, out_url) ||
           sl_fail(err, SL_E_CONFIG, "%s: '%.80s' is not host:port", name, listen);
}

bool ops_address_from_listen(const char *listen, char out_url[OPS_URL_BYTES])
{
    const char *colon = strrchr(listen, ':');
    if (colon == NULL || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strlen(listen) > OPS_URL_BYTES / 2) {
        return false;
    }
    struct sl_span host = sl_span_make(listen, (size_t)(colon - listen));
    if (host.bytes == 0 || sl_span_is(host, "0.0.0.0") || sl_span_is(host, "*")) {
        host = SL_SPAN_LITERAL("127.0.0.1");
    } else if (sl_span_is(host, "[::]")) {
        host = SL_SPAN_LITERAL("[::1]");
    }
    snprintf(out_url, OPS_URL_BYTES, "http://%.*s%s", SL_SPAN_ARGS(host), colon);
    return true;
}
