#include "shared/tls.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

struct sl_tls_client {
    SSL_CTX *context;
};

static bool expect_host(SSL *ssl, const char *host);

struct sl_tls_client *sl_tls_client_new(struct sl_err *err)
{
    SL_AUTO(sl_tls_client_free) struct sl_tls_client *client = calloc(1, sizeof *client);
    if (client != NULL) {
        client->context = SSL_CTX_new(TLS_client_method());
    }
    if (client == NULL || client->context == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for TLS");
        return NULL;
    }
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(client->context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(client->context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_default_verify_paths(client->context) != 1) {
        sl_fail(err, SL_E_CONFIG, "the trusted certificates cannot be read");
        return NULL;
    }
    return SL_TAKE(client);
}

void sl_tls_client_free(struct sl_tls_client *client)
{
    if (client != NULL) {
        SSL_CTX_free(client->context);
        free(client);
    }
}

struct bufferevent *sl_tls_client_open(struct sl_tls_client *client, struct event_base *base,
                                       int fd, const char *host, struct sl_err *err)
{
    SSL *ssl = SSL_new(client->context);
    struct bufferevent *bev = NULL;
    if (ssl != NULL && expect_host(ssl, host)) {
        /* Takes ssl over, also when it fails. */
        bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_CONNECTING,
                                             BEV_OPT_CLOSE_ON_FREE);
    } else {
        SSL_free(ssl);
    }
    if (bev == NULL) {
        close(fd);
        sl_fail(err, SL_E_MEMORY, "no memory for TLS to %s", host);
        return NULL;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1); /* the protocol inside has its own end */
    return bev;
}

/* A name is sent as SNI and must be in the certificate; an address must be in it as an address (RFC 6125, 6.2.1). */
static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

const char *sl_tls_reason(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    if (ssl == NULL) {
        return NULL;
    }
    long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK) {
        return X509_verify_cert_error_string(verdict);
    }
    return ERR_reason_error_string(bufferevent_get_openssl_error(bev));
}

void sl_tls_flush(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    struct evbuffer *output = bufferevent_get_output(bev);
    if (ssl == NULL || !SSL_is_init_finished(ssl) || evbuffer_unfreeze(output, 1) != 0) {
        return;
    }
    for (size_t left = evbuffer_get_length(output); left > 0; left = evbuffer_get_length(output)) {
        size_t part = evbuffer_get_contiguous_space(output);
        const unsigned char *bytes = evbuffer_pullup(output, (ev_ssize_t)part);
        int sent = bytes == NULL || part > INT_MAX ? -1 : SSL_write(ssl, bytes, (int)part);
        if (sent <= 0 || evbuffer_drain(output, (size_t)sent) != 0) {
            break;
        }
    }
    ERR_clear_error();
}
