/*
 * stripe_client - calls to Stripe's API, bounded and patient.
 *
 * Each call waits for its turn under the rate, is sent with the pinned API version, and is made again as stripe_retry says; a POST carries one
 * Idempotency-Key through all its tries, made here when the caller has none. At most SL_STRIPE_CALLS_MAX at once; more are refused.
 * The key never appears in an error text.
 * Refuses: knowing what an answer means.
 * Threads: belongs to its loop.
 */
#ifndef SHARED_STRIPE_CLIENT_H
#define SHARED_STRIPE_CLIENT_H

#include "shared/loop.h"
#include "shared/span.h"
#include "shared/stripe/stripe_retry.h"

#define SL_STRIPE_API_BASE    "https://api.stripe.com"
#define SL_STRIPE_API_VERSION "2025-08-27.basil"
#define SL_STRIPE_CALLS_MAX   16u
#define SL_STRIPE_RATE        20 /* calls a second; Stripe takes 25 in a sandbox, 100 live */

struct sl_stripe_client;

struct sl_stripe_client_opts {
    struct sl_loop *loop;
    const char *base;  /* NULL: SL_STRIPE_API_BASE; copied */
    const char *key;   /* sk_… or rk_…; copied and wiped */
    int64_t rate;      /* calls a second; 0: SL_STRIPE_RATE */
    int64_t answer_ms; /* longest wait for one answer; 0: 20 s */
    int64_t budget_ms; /* of a call, its turn and all its tries together; 0: none */
};

struct sl_stripe_call {
    const char *method;          /* GET, POST or DELETE */
    const char *path;            /* "/v1/events", escaped already */
    struct sl_span form;         /* the query of a GET, the body of a POST (form.h); absent: none */
    const char *account;         /* a connected account; NULL or "": the own one */
    const char *idempotency_key; /* of a POST; NULL: made here */
};

struct sl_stripe_answer {
    int status;          /* 0: no answer after all tries, see err */
    struct sl_span body; /* borrowed during the callback */
    int64_t elapsed_us;  /* of the last try */
    int64_t date_s;      /* Stripe's clock when it answered; 0: it did not say */
    int64_t retry_after_s;
    bool is_replayed; /* what Stripe answered to this Idempotency-Key before: of an unknown time */
    struct sl_span request_id; /* for Stripe's support; borrowed; absent when it did not say */
    unsigned tries;
    const struct sl_err *err; /* when status is 0 */
};

struct sl_stripe_client *sl_stripe_client_new(const struct sl_stripe_client_opts *opts,
                                              struct sl_err *err) SL_MUST;
/* Ends running calls without calling back. Not from inside on_answer. Accepts NULL. */
void sl_stripe_client_free(struct sl_stripe_client *client);

/*
 * Everything is copied. on_answer runs exactly once, later, from the loop, and may make the next call. False: not made (SL_E_LIMIT when
 * SL_STRIPE_CALLS_MAX are under way, SL_E_MEMORY).
 */
bool sl_stripe_client_call(struct sl_stripe_client *client, const struct sl_stripe_call *call,
                           void (*on_answer)(const struct sl_stripe_answer *answer, void *arg),
                           void *arg, struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct sl_stripe_client *, sl_stripe_client_free)

#endif
