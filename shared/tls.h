/*
 * tls - TLS for connections that we open and for those that we accept, as bufferevents.
 *
 * We open: the peer must prove the name it was dialled by (subjectAltName; an address must be in it as an address) with a certificate of the system's
 * authorities, or of those in the file or folder that SSL_CERT_FILE and SSL_CERT_DIR name, or of those of its own papers only. TLS 1.2 at least.
 * Sessions are not resumed. With a certificate of its own it proves itself to a server that asks; read again on command, as below.
 * We accept: certificate chain and key are PEM files, read again on command without touching connections that are open; with a client CA every
 * client must prove itself (authenticated origin pulls). TLS 1.2 at least, no renegotiation, HTTP/1.1 where a client asks by ALPN.
 * Refuses: switching any of that off; a key that asks for a passphrase.
 * The only file beside shared/digest.c that includes OpenSSL.
 * Threads: a client belongs to its loop; a server may be opened from by any loop and is loaded by one.
 */
#ifndef SHARED_TLS_H
#define SHARED_TLS_H

#include <stdint.h>

#include "shared/err.h"

struct bufferevent;
struct event_base;
struct sl_tls_client;
struct sl_tls_server;

/* Files, PEM; each may be NULL. A certificate without its key is read, for a check, but cannot be shown. */
struct sl_tls_papers {
    char *ca; /* trusted instead of the system's authorities */
    char *certificate;
    char *key;
};
/* papers: borrowed for the client's life. */
struct sl_tls_client *sl_tls_client_new(const struct sl_tls_papers *papers,
                                        struct sl_err *err) SL_MUST;
/* Reads the papers again, for connections to come. On failure everything stays as it was. */
bool sl_tls_client_load(struct sl_tls_client *client, struct sl_err *err) SL_MUST;
/* Connections that are open stay usable. Accepts NULL. */
void sl_tls_client_free(struct sl_tls_client *client);

/*
 * Begins the handshake on a connected socket, which the bufferevent takes over (on failure it is closed). BEV_EVENT_CONNECTED is the proof;
 * nothing is sent before it.
 */
struct bufferevent *sl_tls_client_open(struct sl_tls_client *client, struct event_base *base,
                                       int fd, const char *host, struct sl_err *err) SL_MUST;
/* What TLS has to say about a failed connection, e.g. "hostname mismatch"; NULL when it is not the cause. */
const char *sl_tls_reason(struct bufferevent *bev);
/* Encrypts and sends as much of the output buffer as the socket takes now: for last words before a close. */
void sl_tls_flush(struct bufferevent *bev);

/* Says that nothing more comes, so that the end cannot be mistaken for an attack. No TLS: does nothing. */
void sl_tls_close(struct bufferevent *bev);

struct sl_tls_server_opts {
    const char *certificate; /* files; the texts are copied */
    const char *key;
    const char *client_ca; /* NULL: clients need no certificate */
};
struct sl_tls_server *sl_tls_server_new(const struct sl_tls_server_opts *opts,
                                        struct sl_err *err) SL_MUST;
/* Connections that are open stay usable. Accepts NULL. */
void sl_tls_server_free(struct sl_tls_server *server);
/* Reads the files again, for connections to come. On failure everything stays as it was. */
bool sl_tls_server_load(struct sl_tls_server *server, struct sl_err *err) SL_MUST;
/* When the certificate in force ends, seconds since 1970. */
int64_t sl_tls_server_expires_s(const struct sl_tls_server *server);
/* Begins the handshake on an accepted socket, which the bufferevent takes over; BEV_EVENT_CONNECTED ends it. NULL without memory; fd is then closed. */
struct bufferevent *sl_tls_server_open(struct sl_tls_server *server, struct event_base *base,
                                       int fd) SL_MUST;

SL_DEFINE_AUTO(struct sl_tls_client *, sl_tls_client_free)
SL_DEFINE_AUTO(struct sl_tls_server *, sl_tls_server_free)

#endif
