/*
 * stripe_page - Stripe's list of events, one page after the other.
 *
 * A window is [from_s, to_s) of `created`; pages come newest first and go on after the last event seen, so that events of one second are each seen once.
 * Threads: one owner.
 */
#ifndef OPS_STRIPE_PAGE_H
#define OPS_STRIPE_PAGE_H

#include "ops/stripe/stripe_api.h"
#include "shared/event/envelope.h"

#define OPS_STRIPE_PAGE_MAX 100u /* Stripe's limit */
/* Stripe lists no older events. Source: https://docs.stripe.com/api/events/list. */
#define OPS_STRIPE_KEEPS_S (INT64_C(30) * 24 * 3600)

struct ops_stripe_window {
    int64_t from_s;
    int64_t to_s;
    const char *type;    /* "invoice.paid"; NULL: all */
    const char *account; /* "": the own one */
    bool only_undelivered;
};

struct ops_stripe_page {
    struct sl_envelope
        events[OPS_STRIPE_PAGE_MAX]; /* borrowed until the next page; body is the event as listed */
    size_t count;
    bool has_more;
    char last_id[SL_EVENT_ID_BYTES_MAX + 1]; /* where the next page begins */
};

/* The first page when page is zeroed, else the one after it. arena is reset, and holds decoded texts. */
bool ops_stripe_page_next(struct ops_stripe_api *api, const struct ops_stripe_window *window,
                          struct sl_arena *arena, struct ops_stripe_page *page,
                          struct sl_err *err) SL_MUST;

#endif
