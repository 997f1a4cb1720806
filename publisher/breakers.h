/*
 * breakers - the event types that a consumer's breaker holds back and that our own programs are not to send meanwhile (refuse-when-open).
 *
 * Consumers write their breakers into sluice_consumer about every second; this looks there every two seconds, by way of the read API's connections.
 * Law: fails open. Without a database, or when it has not answered for PUB_BREAKERS_STALE_MS, nothing is refused: the event then waits in the broker,
 * unspent, as those of other senders do.
 * Bounds: PUB_BREAKERS_MAX types; more are not refused.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_BREAKERS_H
#define PUBLISHER_BREAKERS_H

#include "publisher/billing/reader.h"

#define PUB_BREAKERS_MAX      64u
#define PUB_BREAKERS_LOOK_MS  2000
#define PUB_BREAKERS_STALE_MS 15000

struct pub_breakers;

/* Looks at once and then for ever. All borrowed. */
struct pub_breakers *pub_breakers_new(struct sl_loop *loop, struct pub_reader *reader,
                                      struct sl_err *err) SL_MUST;
/* Free the reader first. Accepts NULL. */
void pub_breakers_free(struct pub_breakers *breakers);

/* breakers NULL: there is no database, and nothing is refused. */
bool pub_breakers_refuse(const struct pub_breakers *breakers, struct sl_span type);

SL_DEFINE_AUTO(struct pub_breakers *, pub_breakers_free)

#endif
