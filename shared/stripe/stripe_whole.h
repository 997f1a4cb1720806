/*
 * stripe_whole - an object whose list Stripe shows only in part, put together from the pages of that list.
 *
 * Decides only. An answer carries the first items of a subscription, the first lines of an invoice, and has_more; what follows is asked for page by page, and the object is
 * written anew with all of them and has_more false. Nothing else of it changes by a byte.
 * Refuses: more than an event can carry (SL_E_LIMIT); the object is then what Stripe showed.
 * Source: https://docs.stripe.com/api/pagination, /subscription_items/list, /invoice-line-item/invoice_lines.
 * Threads: one owner.
 */
#ifndef SHARED_STRIPE_WHOLE_H
#define SHARED_STRIPE_WHOLE_H

#include "shared/event/envelope.h"
#include "shared/json/json.h"

struct sl_stripe_whole {
    const char *member; /* "items", "lines"; NULL: no list is missing anything */
    struct sl_buf rows; /* of the list so far, separated by commas */
    char owner[SL_EVENT_ID_BYTES_MAX + 1];
    char last[SL_EVENT_ID_BYTES_MAX + 1];
};

/* True: some of a list is missing; ask for it. Accepts storage that was used before, or zeroed. object: two levels of it opened. */
bool sl_stripe_whole_begin(struct sl_stripe_whole *whole, const struct sl_json *object,
                           struct sl_arena *arena);
/* Accepts zeroed storage. */
void sl_stripe_whole_done(struct sl_stripe_whole *whole);

/* The next page, as path and query. */
void sl_stripe_whole_ask(const struct sl_stripe_whole *whole, struct sl_buf *path,
                         struct sl_buf *query);
/* An answer to that; *out_has_more: ask again. SL_E_JSON_MALFORMED, SL_E_LIMIT, SL_E_MEMORY. */
bool sl_stripe_whole_take(struct sl_stripe_whole *whole, const struct sl_json *page,
                          struct sl_arena *arena, bool *out_has_more, struct sl_err *err) SL_MUST;

/* The object with the whole list, into out (reset first). SL_E_LIMIT. */
bool sl_stripe_whole_write(const struct sl_stripe_whole *whole, const struct sl_json *object,
                           struct sl_buf *out, struct sl_err *err) SL_MUST;

#endif
