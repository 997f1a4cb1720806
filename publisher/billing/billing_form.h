/*
 * billing_form - parameters that came as JSON, in the form Stripe reads: {"metadata":{"a":1}} becomes metadata[a]=1.
 *
 * Decides only. Names go through as they are, so that every parameter of Stripe's can be used; null and an empty object or list unset, as Stripe has it (an empty value).
 * Refuses: names with brackets, escapes or control bytes in them; more than the depth that was parsed.
 * Source: https://docs.stripe.com/api (request bodies), https://docs.stripe.com/api/metadata.
 * Threads: no state.
 */
#ifndef PUBLISHER_BILLING_FORM_H
#define PUBLISHER_BILLING_FORM_H

#include "shared/json/json.h"

#define PUB_BILLING_FORM_DEPTH 6u

/* Appends the members of an object; skip: one that is not for Stripe, or NULL. NULL, or what is wrong with it. */
const char *pub_billing_form(const struct sl_json *object, const char *skip, struct sl_arena *arena,
                             struct sl_buf *out) SL_MUST;

#endif
