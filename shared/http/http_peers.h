/*
 * http_peers - how many connections one address on the internet has.
 *
 * Addresses that are not on the public internet (loopback, private, link-local, shared, Unix sockets) are not counted: they are proxies and
 * balancers that stand for many senders. An IPv6 address counts as its /64, which is what one customer of a network has.
 * Decides only: no socket, no clock.
 * Source: RFC 1918, RFC 6598, RFC 4193; RFC 6177 for the /64.
 * Threads: any; servers of several loops count together.
 */
#ifndef SHARED_HTTP_PEERS_H
#define SHARED_HTTP_PEERS_H

#include <stddef.h>

#include "shared/err.h"

struct sockaddr;
struct sl_http_peers;
struct sl_http_peer;

struct sl_http_peers *sl_http_peers_new(struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void sl_http_peers_free(struct sl_http_peers *peers);

/* One more connection of that address, to be given back. NULL: not counted (not public, or no memory for another). */
struct sl_http_peer *sl_http_peers_take(struct sl_http_peers *peers,
                                        const struct sockaddr *address) SL_MUST;
size_t sl_http_peer_connections(const struct sl_http_peer *peer);
/* Accepts NULL. */
void sl_http_peer_give(struct sl_http_peer *peer);

bool sl_http_peer_is_public(const struct sockaddr *address);

SL_DEFINE_AUTO(struct sl_http_peers *, sl_http_peers_free)

#endif
