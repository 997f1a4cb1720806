/*
 * stripe_observed - an object that Stripe just showed us, as an event that billing applies.
 *
 * Decides only. What was asked of Stripe, or written there, comes back as the object's state at a time; it travels as an event of our own making, of source stripe and
 * of a type that Stripe does not have (sluice.customer.observed, sluice.invoice.deleted …), so that who listens for Stripe's facts does not hear them twice.
 * Law: its time is Stripe's clock when it was asked, never ours: the Date of the answer less the round trip, and not before the object was created. Whatever happened at Stripe before
 * that is in the object; what happened later has its own event, which is then the newer.
 * The id is one observation: published twice it is applied once. Of two observations of one second the later has the greater id.
 * Source: https://docs.stripe.com/webhooks#event-ordering.
 * Threads: no state.
 */
#ifndef SHARED_STRIPE_OBSERVED_H
#define SHARED_STRIPE_OBSERVED_H

#include "shared/event/envelope.h"
#include "shared/json/json.h"

struct sl_stripe_observation {
    const struct sl_json *
        object; /* a customer, subscription, invoice or invoice payment; {"id","object","deleted"} of one that is gone */
    const char *account; /* "": the own one */
    bool livemode;       /* of the key, for an object that does not say */
    int64_t date_s;      /* of the answer; 0: it did not say */
    int64_t elapsed_us;  /* of the call */
    int64_t now_us;      /* wall clock: when we saw it */
};

/*
 * Fills *out, which borrows from the arena and from body (reset first). SL_E_JSON_MALFORMED: that is no object billing knows; SL_E_LIMIT: too large for an
 * event; SL_E_MEMORY.
 */
bool sl_stripe_observed(const struct sl_stripe_observation *seen, struct sl_arena *arena,
                        struct sl_buf *body, struct sl_envelope *out, struct sl_err *err) SL_MUST;

#endif
