/*
 * body_shape - the type of an event whose sender names it only in an unsigned header, told from the body.
 *
 * Decides only. GitHub: by the keys that only one event's payload has, and `action`: "pull_request.opened". Shopify: by the resource in
 * admin_graphql_api_id: "order"; whether it was created or changed is in no signed place.
 * Law: a header that claims a type is compared, never believed.
 * Threads: no state.
 */
#ifndef PUBLISHER_BODY_SHAPE_H
#define PUBLISHER_BODY_SHAPE_H

#include "shared/json/json.h"
#include "shared/signature/sources.h"

/* Absent when the body has no known shape, or there is no memory. root may be NULL. */
struct sl_span pub_body_type(enum sl_body_shape shape, const struct sl_json *root,
                             struct sl_arena *arena);

/* Whether a claim such as "pull_request" or "orders/create" fits a type told from the body. */
bool pub_claim_fits(enum sl_body_shape shape, struct sl_span claim, struct sl_span type);

#endif
