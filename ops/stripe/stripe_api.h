/*
 * stripe_api - one question to Stripe's API, waited for.
 *
 * The key is STRIPE_RESTRICTED_KEY, else STRIPE_API_KEY; the address STRIPE_API_BASE, for tests and proxies. Retries, rate and time limits are
 * stripe_client's. What Stripe answers in words is passed on, with what to do about it.
 * Refuses: changing anything at Stripe; a key on the command line.
 * Threads: runs a loop of its own inside each call.
 */
#ifndef OPS_STRIPE_API_H
#define OPS_STRIPE_API_H

#include "ops/address.h"
#include "shared/json/json.h"

struct ops_stripe_api;

/* rate: questions a second; 0: stripe_client's. SL_E_CONFIG without a key. */
struct ops_stripe_api *ops_stripe_api_new(const struct ops_address *address, int64_t rate,
                                          struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void ops_stripe_api_free(struct ops_stripe_api *api);

/*
 * GET path with a query (may be absent), as account ("": the own one). *out_root is borrowed until the next call.
 * Errors: SL_E_STRIPE_REFUSED for an answer that is not 2xx, in Stripe's words; the errors of http_client without one.
 */
bool ops_stripe_api_get(struct ops_stripe_api *api, const char *path, struct sl_span query,
                        const char *account, const struct sl_json **out_root,
                        struct sl_err *err) SL_MUST;

/* Of the last answer: its status, Stripe's clock (0: it did not say), how long it took. */
int ops_stripe_api_status(const struct ops_stripe_api *api);
void ops_stripe_api_heard(const struct ops_stripe_api *api, int64_t *out_date_s,
                          int64_t *out_elapsed_us);
/* Of the key. */
bool ops_stripe_api_is_live(const struct ops_stripe_api *api);
/* What Stripe says of an object that it has deleted; as borrowed as an answer. */
bool ops_stripe_api_gone(struct ops_stripe_api *api, const char *kind, const char *id,
                         const struct sl_json **out_root, struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct ops_stripe_api *, ops_stripe_api_free)

#endif
