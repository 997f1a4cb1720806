/*
 * billing_thin - events that name an object instead of carrying it, as the question that Stripe is to be asked.
 *
 * Decides only. Three kinds of question:
 *   a thin twin of a type that billing applies ("v1.invoice.paid"): its related_object, unless the snapshot it names arrives as well;
 *   "v2.core.health.event_generation_failure.resolved": the object of the event that Stripe could not make;
 *   the same without its data, as it is pushed: the event itself, whose data says which object.
 * Refuses: taking anything about the object from such an event but its id.
 * Source: https://docs.stripe.com/event-destinations#thin-events, https://docs.stripe.com/webhooks/handle-irrecoverable-events.
 * Threads: no state.
 */
#ifndef CONSUMER_BILLING_THIN_H
#define CONSUMER_BILLING_THIN_H

#include "shared/event/envelope.h"
#include "shared/json/json.h"

#define CON_BILLING_WISH_EVENT "event" /* kind of a question about an event itself */

/* One question to Stripe, as a row of billing_refetch. */
struct con_billing_wish {
    struct sl_span account; /* "": the own one */
    bool livemode;
    const char *kind; /* "invoice", or CON_BILLING_WISH_EVENT */
    struct sl_span id;
    const char *reason;      /* "thin"; see the table */
    struct sl_span snapshot; /* the event that says the same; absent: none */
    bool is_gone;            /* the object was deleted, so that its absence is believed */
};

/* Whether events of this type may ask for something, so that their body is worth reading. */
bool con_billing_thin_is(struct sl_span type);

/* False: it asks for nothing that billing keeps. root may be NULL. Borrows from both, or the arena. */
bool con_billing_thin_read(const struct sl_envelope *envelope, const struct sl_json *root,
                           struct sl_arena *arena, struct con_billing_wish *out_wish);

/* The kind that can be asked for, of Stripe's name for it; NULL when billing keeps no such thing. */
const char *con_billing_wish_kind(struct sl_span type);

#endif
