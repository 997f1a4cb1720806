/*
 * billing_tie - of several events about one object that their versions cannot order, the one that Stripe sent last.
 *
 * Decides only. Stripe's clock counts seconds, so events of one second may share their whole version (billing_order). What orders them is
 * `previous_attributes`: an event follows another when every value it says was there before is what the other left. The last is the one that
 * none follows. Nested objects in previous_attributes hold only what changed in them; lists are whole.
 * Where that leaves none, or several, because something took a value and lost it again, the changes are laid end to end: taken back, each leads from one whole object to another,
 * and the object that is arrived at once more often than it is left is where they end.
 * The answer depends on the set alone, never on the order of arrival: whoever asks last, with all of them, hears the same.
 * Refuses: taking an event id for an order. Only where nothing else decides is the greatest id taken, and then the answer is not sure.
 * Source: https://docs.stripe.com/api/events/object (previous_attributes).
 * Threads: no state.
 */
#ifndef CONSUMER_BILLING_TIE_H
#define CONSUMER_BILLING_TIE_H

#include "shared/json/json.h"

/* Comparing is quadratic; an object with more events in one second than this is not compared. */
#define CON_BILLING_TIE_MAX 256u
/* Laying them end to end compares whole objects. */
#define CON_BILLING_TIE_CHAIN_MAX 64u

struct con_billing_twin {
    struct sl_span event_id;
    const struct sl_json *object; /* data.object */
    const struct sl_json *before; /* data.previous_attributes; NULL when the event has none */
};

/*
 * Index of the last of count (>= 1) twins. *out_is_sure: false when more than one could be it, because one between them has not arrived or
 * because they do not say; two that left the same object are as good as one.
 */
size_t con_billing_tie_last(const struct con_billing_twin *twins, size_t count, bool *out_is_sure);

#endif
