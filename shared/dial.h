/*
 * dial - a TCP connection to a host name, with one deadline and every address tried.
 *
 * Resolves (shared/resolve.h; numeric addresses need no DNS), then tries the addresses one after the other, each with its share of the time that is left, so that one silent
 * address cannot use up the turn of the others. Each dial happens once.
 * Refuses: TLS, retrying, waiting longer than its deadline.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_DIAL_H
#define SHARED_DIAL_H

#include "shared/loop.h"

struct sl_dial;
/* fd >= 0: connected, non-blocking, taken over by the owner; why is NULL. Else fd is -1. The dial may be freed from inside. */
typedef void sl_dial_fn(int fd, const struct sl_err *why, void *arg);

struct sl_dial *sl_dial_new(struct sl_loop *loop, sl_dial_fn *fn, void *arg,
                            struct sl_err *err) SL_MUST;
/* Ends what is under way; fn is not called any more. Accepts NULL. */
void sl_dial_free(struct sl_dial *dial);
/* fn is called once, from the loop, within deadline_ms. host is copied. */
void sl_dial_start(struct sl_dial *dial, const char *host, uint16_t port, int64_t deadline_ms);

SL_DEFINE_AUTO(struct sl_dial *, sl_dial_free)

#endif
