/*
 * tls - TLS for connections that we open, as a bufferevent.
 *
 * The peer must prove the name it was dialled by (subjectAltName; an address must be in it as an address) with a certificate of the system's
 * authorities, or of those in the file or folder that SSL_CERT_FILE and SSL_CERT_DIR name. TLS 1.2 at least. Sessions are not resumed.
 * Refuses: switching any of that off.
 * The only file beside shared/digest.c that includes OpenSSL.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_TLS_H
#define SHARED_TLS_H

#include "shared/err.h"

struct bufferevent;
struct event_base;
struct sl_tls_client;

struct sl_tls_client *sl_tls_client_new(struct sl_err *err) SL_MUST;
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

SL_DEFINE_AUTO(struct sl_tls_client *, sl_tls_client_free)

#endif
