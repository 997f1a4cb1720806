/*
 * listen - a listen address, as text, becomes a listening socket.
 *
 * "127.0.0.1:8080", "[::1]:8080", ":8080" (all of IPv4) or "unix:/run/sluice/ingest.sock". A service manager may hand a socket over
 * instead, under a name (LISTEN_FDS, LISTEN_FDNAMES); then the address is not used.
 * Refuses: names of hosts, whose meaning changes under a running service; replacing a socket file that somebody answers on, or a file that
 * is no socket. A Unix socket may be used by the process's user and group (mode 0660).
 * Source: sd_listen_fds(3).
 * Threads: no state, save the descriptors of the process.
 */
#ifndef SHARED_LISTEN_H
#define SHARED_LISTEN_H

#include "shared/err.h"

#define SL_LISTEN_ADDRESS_MAX 120u
#define SL_LISTEN_BACKLOG     1024

/* Non-blocking, closed on exec, listening; the caller's to close. reuse_port: several sockets share one TCP address. -1 on failure. */
int sl_listen_open(const char *address, bool reuse_port, struct sl_err *err) SL_MUST;
/*
 * One more socket for the place where fd listens, the caller's to close: with a queue of its own when fd shares its TCP address (reuse_port), else fd once
 * more. -1 on failure.
 */
int sl_listen_beside(int fd, struct sl_err *err) SL_MUST;
/* NULL, or what is wrong with the text. */
const char *sl_listen_objection(const char *address);
/* Of "unix:/path", the path; NULL for others, and for NULL. */
const char *sl_listen_path(const char *address);
/* Its TCP port, 0 for other kinds. */
unsigned sl_listen_port(int fd);

/* The listening socket that the service manager passed under that name, made non-blocking; -1: none. */
int sl_listen_inherited(const char *name) SL_MUST;

#endif
