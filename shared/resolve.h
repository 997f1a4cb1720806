/*
 * resolve - a host name to numeric addresses, without blocking.
 *
 * One question at a time. Asks /etc/hosts and the servers of /etc/resolv.conf, both read anew for every question, so that a change of the
 * network needs no restart. Numeric addresses are answered without asking.
 * Refuses: other name services (nsswitch), waiting: the owner has its own deadline and cancels.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_RESOLVE_H
#define SHARED_RESOLVE_H

#include "shared/loop.h"

#define SL_RESOLVE_ADDRESSES_MAX 8u
#define SL_RESOLVE_ADDRESS_BYTES 64u

struct sl_addresses {
    char text[SL_RESOLVE_ADDRESSES_MAX][SL_RESOLVE_ADDRESS_BYTES];
    size_t count;
};

struct sl_resolver;

/* on_done: once per question, never from inside sl_resolver_start. why is NULL when there is at least one address. */
struct sl_resolver *sl_resolver_new(struct sl_loop *loop,
                                    void (*on_done)(const struct sl_addresses *addresses,
                                                    const struct sl_err *why, void *arg),
                                    void *arg, struct sl_err *err) SL_MUST;
/* Cancels. Accepts NULL. */
void sl_resolver_free(struct sl_resolver *resolver);

/* Forgets an earlier question. The name is copied. */
void sl_resolver_start(struct sl_resolver *resolver, const char *name);
/* No answer will come. */
void sl_resolver_cancel(struct sl_resolver *resolver);

SL_DEFINE_AUTO(struct sl_resolver *, sl_resolver_free)

#endif
