/*
 * forgetting - how soon Stripe forgets an event that never arrived.
 *
 * Decides only. Stripe lists an event for 30 days: after that nobody can bring it back. Five days before the 25th, and from the 25th on, somebody is to be told.
 * Source: https://docs.stripe.com/api/events/list.
 * Threads: no state.
 */
#ifndef OPS_FORGETTING_H
#define OPS_FORGETTING_H

#include <stdint.h>

#define OPS_FORGETTING_SOON_DAYS 20
#define OPS_FORGETTING_LAST_DAYS 25
#define OPS_FORGETTING_GONE_DAYS 30

enum ops_forgetting {
    OPS_FORGETTING_NOT_YET,
    OPS_FORGETTING_SOON, /* the 25 days are over in five at most */
    OPS_FORGETTING_LAST, /* the 30 days are */
};

/* Of an event of that age that is still missing. */
enum ops_forgetting ops_forgetting_of(int64_t age_s);

#endif
