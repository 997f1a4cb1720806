/*
 * drift_compare - the objects that Stripe lists against the rows of the tables: one question a page each way.
 *
 * Every column that an object names must say what the object says; of the rows of a list in it (items, lines) all that Stripe lists must be there, and no
 * others when it lists all of them. Addresses of pages at Stripe change by themselves and are not compared.
 * Source: the shapes that billing_object, billing_subscription_object and billing_invoice_object give (schemas/migrations).
 * Refuses: asking Stripe, and repairing.
 * Threads: one owner.
 */
#ifndef OPS_STRIPE_DRIFT_COMPARE_H
#define OPS_STRIPE_DRIFT_COMPARE_H

#include "ops/pg_session.h"
#include "ops/stripe/drift_seam.h"
#include "shared/arena.h"
#include "shared/json/json.h"

struct ops_drift_kind {
    const char *name;   /* "customer" */
    const char *plural; /* as in Stripe's paths */
    const char *compare;
    const char *extra;
};

/* All that are compared, in the order in which they are; lives for ever. */
const struct ops_drift_kind *ops_drift_kinds(size_t *out_count);

/* Whose rows. */
struct ops_drift_scope {
    struct ops_pg_session *session; /* borrowed, as everything here */
    const char *account;            /* "": the own one */
    bool livemode;
    bool keeps_text; /* of what differs, for repairing it */
};

/* An object of a page that is not as its row is. */
struct ops_drift_difference {
    const char *id; /* copied into the arena, as all of it */
    const char *columns;
    bool is_missing;
    struct sl_span text; /* when the scope keeps it */
};

/*
 * Compares 1 to OPS_DRIFT_PAGE_MAX objects of a kind. out_differences has room for as many; they live in the arena.
 */
bool ops_drift_compare(const struct ops_drift_scope *scope, const struct ops_drift_kind *kind,
                       const struct ops_drift_page *page, struct sl_arena *arena,
                       struct ops_drift_difference *out_differences, size_t *out_count,
                       struct sl_err *err) SL_MUST;

/* Ids of the rows created after lower_s and up to the seam that are neither on this page nor in the second that it shares with the one before. */
bool ops_drift_extra(const struct ops_drift_scope *scope, const struct ops_drift_kind *kind,
                     const struct ops_drift_seam *seam, const struct ops_drift_page *page,
                     int64_t lower_s, struct ops_pg_rows *out_rows, struct sl_err *err) SL_MUST;

#endif
