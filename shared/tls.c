#include "shared/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sl_tls_client {
    const struct sl_tls_papers *papers;
    SSL_CTX *context; /* in force */
};

struct sl_tls_server {
    char *certificate;
    char *key;
    char *client_ca; /* NULL: none */
    pthread_mutex_t lock;
    SSL_CTX *context; /* in force; under lock */
    _Atomic int64_t expires_s;
};

SL_DEFINE_AUTO(SSL_CTX *, SSL_CTX_free)

static bool use_papers(const struct sl_tls_papers *papers, SSL_CTX *context, struct sl_err *err);
static bool use_certificate(SSL_CTX *context, const char *file, struct sl_err *err);
static bool use_key(SSL_CTX *context, const char *file, struct sl_err *err);
static const char *alert_of(SSL *ssl);
static void keep_alert(const SSL *ssl, int where, int value);
static bool expect_host(SSL *ssl, const char *host);
static bool make_context(struct sl_tls_server *server, SSL_CTX *context, struct sl_err *err);
static bool demand_client_certificate(SSL_CTX *context, const char *client_ca, struct sl_err *err);
static int no_passphrase(char *out, int room, int is_writing, void *arg);
static int choose_http_1_1(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                           const unsigned char *offered, unsigned offered_bytes, void *arg);
static int64_t seconds_of(const ASN1_TIME *time);
static bool fail_with(struct sl_err *err, const char *what, const char *file);

struct sl_tls_client *sl_tls_client_new(const struct sl_tls_papers *papers, struct sl_err *err)
{
    SL_AUTO(sl_tls_client_free) struct sl_tls_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for TLS");
        return NULL;
    }
    client->papers = papers;
    return sl_tls_client_load(client, err) ? SL_TAKE(client) : NULL;
}

bool sl_tls_client_load(struct sl_tls_client *client, struct sl_err *err)
{
    const struct sl_tls_papers *papers = client->papers;
    if (client->context != NULL && papers->ca == NULL && papers->certificate == NULL) {
        return true;
    }
    SL_AUTO(SSL_CTX_free) SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for TLS");
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_info_callback(context, keep_alert);
    ERR_clear_error();
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        return sl_fail(err, SL_E_MEMORY, "TLS cannot be set up");
    }
    if (!use_papers(papers, context, err)) {
        return false;
    }
    SSL_CTX_free(client->context);
    client->context = SL_TAKE(context);
    return true;
}

static bool use_papers(const struct sl_tls_papers *papers, SSL_CTX *context, struct sl_err *err)
{
    if (papers->ca == NULL && SSL_CTX_set_default_verify_paths(context) != 1) {
        return sl_fail(err, SL_E_CONFIG, "the trusted certificates cannot be read");
    }
    if (papers->ca != NULL && SSL_CTX_load_verify_file(context, papers->ca) != 1) {
        return fail_with(err, "no authority can be read from", papers->ca);
    }
    return (papers->certificate == NULL || use_certificate(context, papers->certificate, err)) &&
           (papers->key == NULL || use_key(context, papers->key, err));
}

static bool use_certificate(SSL_CTX *context, const char *file, struct sl_err *err)
{
    return SSL_CTX_use_certificate_chain_file(context, file) == 1 ||
           fail_with(err, "no certificate can be read from", file);
}

/* Also refuses a key that belongs to another certificate than the one in use. */
static bool use_key(SSL_CTX *context, const char *file, struct sl_err *err)
{
    return SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) == 1 ||
           fail_with(err, "no key for the certificate can be read from", file);
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

/* A server that refuses our certificate may say so after the handshake, and libevent then tells of an end like any other. */
static void keep_alert(const SSL *ssl, int where, int value)
{
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL) {
        (void)SSL_set_app_data((SSL *)(uintptr_t)ssl, (void *)(uintptr_t)(value & 0xff));
    }
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
    const char *reason = ERR_reason_error_string(bufferevent_get_openssl_error(bev));
    return reason != NULL ? reason : alert_of(ssl);
}

/* What the server said last. A write that fails first leaves it unread. */
static const char *alert_of(SSL *ssl)
{
    unsigned char byte = 0;
    if (SSL_get_app_data(ssl) == NULL && SSL_is_init_finished(ssl)) {
        (void)SSL_peek(ssl, &byte, sizeof byte);
        ERR_clear_error();
    }
    uintptr_t alert = (uintptr_t)SSL_get_app_data(ssl);
    return alert == 0 ? NULL
                      : ERR_reason_error_string(
                            ERR_PACK(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + (int)alert));
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

void sl_tls_close(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    if (ssl != NULL && SSL_is_init_finished(ssl)) {
        (void)SSL_shutdown(ssl);
        ERR_clear_error();
    }
}

struct sl_tls_server *sl_tls_server_new(const struct sl_tls_server_opts *opts, struct sl_err *err)
{
    SL_AUTO(sl_tls_server_free) struct sl_tls_server *server = calloc(1, sizeof *server);
    if (server == NULL || pthread_mutex_init(&server->lock, NULL) != 0) {
        free(SL_TAKE(server));
        sl_fail(err, SL_E_MEMORY, "no memory for TLS");
        return NULL;
    }
    server->certificate = strdup(opts->certificate);
    server->key = strdup(opts->key);
    server->client_ca = opts->client_ca == NULL ? NULL : strdup(opts->client_ca);
    if (server->certificate == NULL || server->key == NULL ||
        (opts->client_ca != NULL && server->client_ca == NULL)) {
        sl_fail(err, SL_E_MEMORY, "no memory for TLS");
        return NULL;
    }
    return sl_tls_server_load(server, err) ? SL_TAKE(server) : NULL;
}

void sl_tls_server_free(struct sl_tls_server *server)
{
    if (server != NULL) {
        SSL_CTX_free(server->context);
        pthread_mutex_destroy(&server->lock);
        free(server->certificate);
        free(server->key);
        free(server->client_ca);
        free(server);
    }
}

bool sl_tls_server_load(struct sl_tls_server *server, struct sl_err *err)
{
    SL_AUTO(SSL_CTX_free) SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for TLS");
    }
    if (!make_context(server, context, err)) {
        return false;
    }
    server->expires_s = seconds_of(X509_get0_notAfter(SSL_CTX_get0_certificate(context)));
    pthread_mutex_lock(&server->lock);
    SSL_CTX *old = server->context;
    server->context = SL_TAKE(context);
    pthread_mutex_unlock(&server->lock);
    SSL_CTX_free(old);
    return true;
}

static bool make_context(struct sl_tls_server *server, SSL_CTX *context, struct sl_err *err)
{
    static const unsigned char session_scope[] = "sluice";
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_alpn_select_cb(context, choose_http_1_1, NULL);
    ERR_clear_error();
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_session_id_context(context, session_scope, sizeof session_scope - 1) != 1) {
        return sl_fail(err, SL_E_MEMORY, "TLS cannot be set up");
    }
    return use_certificate(context, server->certificate, err) &&
           use_key(context, server->key, err) &&
           (server->client_ca == NULL ||
            demand_client_certificate(context, server->client_ca, err));
}

static bool demand_client_certificate(SSL_CTX *context, const char *client_ca, struct sl_err *err)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(client_ca);
    if (names == NULL || SSL_CTX_load_verify_file(context, client_ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return fail_with(err, "no authority can be read from", client_ca);
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return true;
}

/* The library would ask at the terminal. */
static int no_passphrase(char *out, int room, int is_writing, void *arg)
{
    (void)out;
    (void)room;
    (void)is_writing;
    (void)arg;
    return -1;
}

/* A client that does not offer it is served all the same: there is nothing else. */
static int choose_http_1_1(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                           const unsigned char *offered, unsigned offered_bytes, void *arg)
{
    (void)ssl;
    (void)arg;
    static const unsigned char ours[] = "\x08http/1.1";
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_bytes, ours, sizeof ours - 1,
                                 offered, offered_bytes) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm parts = { 0 };
    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

/* The library's reasons name no secret: "no such file", "key values mismatch". */
static bool fail_with(struct sl_err *err, const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    bool is_missing = access(file, R_OK) != 0;
    ERR_clear_error();
    return sl_fail(err, SL_E_CONFIG, "%s %.120s: %s", what, file,
                   is_missing       ? strerror(errno)
                   : reason == NULL ? "it holds none"
                                    : reason);
}

int64_t sl_tls_server_expires_s(const struct sl_tls_server *server)
{
    return server->expires_s;
}

struct bufferevent *sl_tls_server_open(struct sl_tls_server *server, struct event_base *base,
                                       int fd)
{
    pthread_mutex_lock(&server->lock);
    SSL *ssl = SSL_new(server->context);
    pthread_mutex_unlock(&server->lock);
    /* Takes ssl over, also when it fails. */
    struct bufferevent *bev =
        ssl == NULL ? NULL
                    : bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                                     BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        close(fd);
        return NULL;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1); /* requests have their own end */
    return bev;
}
