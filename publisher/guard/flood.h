/*
 * flood - who sends bad signatures by the thousand, and is not looked at any more.
 *
 * Decides only: the caller tells the time. Each client has a bucket of bad signatures; while it is empty the client's requests are answered 429 unseen, but
 * for one in PUB_FLOOD_LOOK_EVERY, so that a good sender behind the same address gets its place back. A client whose signature was right within the last
 * PUB_FLOOD_STANDING_MS is always looked at.
 * The table is of fixed size; where it is full, whoever was bad longest ago is forgotten. IPv6 clients are taken by their /64.
 * Threads: any; without anybody to remember no lock is taken.
 */
#ifndef PUBLISHER_FLOOD_H
#define PUBLISHER_FLOOD_H

#include "publisher/guard/bucket.h"
#include "shared/err.h"
#include "shared/span.h"

#define PUB_FLOOD_LOOK_EVERY  16u
#define PUB_FLOOD_STANDING_MS (5 * 60 * 1000)

struct pub_flood;

/* burst: bad signatures at once; a twentieth of that, at least 1, a second. NULL without memory. */
struct pub_flood *pub_flood_new(int64_t burst, struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void pub_flood_free(struct pub_flood *flood);

/* Whether to look at the client's next request. False: *out_retry_after_s is when to come again. */
bool pub_flood_may_look(struct pub_flood *flood, struct sl_span client, int64_t now_ms,
                        unsigned *out_retry_after_s) SL_MUST;
void pub_flood_bad(struct pub_flood *flood, struct sl_span client, int64_t now_ms);
void pub_flood_good(struct pub_flood *flood, struct sl_span client, int64_t now_ms);

SL_DEFINE_AUTO(struct pub_flood *, pub_flood_free)

#endif
