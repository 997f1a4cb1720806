/*
 * object_courier - objects as Stripe has them, published as events that billing applies.
 *
 * An object is given as Stripe showed it, with the time of that answer; a list that it carries in part is fetched to its end first (shared/stripe/stripe_whole.h). What is published is
 * an observation (shared/stripe/stripe_observed.h), confirmed, on the way of every event.
 * Refuses: writing billing's tables.
 * Threads: waits for Stripe and the broker inside each call.
 */
#ifndef OPS_OBJECT_COURIER_H
#define OPS_OBJECT_COURIER_H

#include "ops/stripe/stripe_api.h"

struct ops_object_courier;

/* Borrows both. rate: events a second. */
struct ops_object_courier *ops_object_courier_new(const struct ops_address *address,
                                                  struct ops_stripe_api *api, int64_t rate,
                                                  struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void ops_object_courier_free(struct ops_object_courier *courier);

struct ops_object_seen {
    struct sl_span text; /* of the object; must outlive the call, and is not the api's */
    const char *account;
    int64_t date_s; /* of the answer that showed it */
    int64_t elapsed_us;
};

/* What the api has lent is gone afterwards. *out_is_confirmed: the broker has it. */
bool ops_object_courier_send(struct ops_object_courier *courier, const struct ops_object_seen *seen,
                             bool *out_is_confirmed, struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct ops_object_courier *, ops_object_courier_free)

#endif
