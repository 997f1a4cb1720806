/*
 * billing_event - what a Stripe event is about, before anything of it is read.
 *
 * Decides only. Three answers: apply it, ignore it (archived with its bytes, verdict ignored), or it can never pass.
 * Ignored: a type that none of billing_types.def, billing_connect.def and billing_observed.def names; a body that is not an event around an object of the kind the type promises;
 * an object without an id (a preview).
 * Never passes (SL_E_EVENT_MALFORMED, dead letter): an id that is not a string of 1 to 255 bytes, because the event is then about
 * something and nobody can say what.
 * Threads: no shared state.
 */
#ifndef CONSUMER_BILLING_EVENT_H
#define CONSUMER_BILLING_EVENT_H

#include "consumer/billing/billing_order.h"
#include "shared/event/envelope.h"
#include "shared/json/json.h"

enum con_billing_table {
    CON_BILLING_CUSTOMER,
    CON_BILLING_SUBSCRIPTION,
    CON_BILLING_SUBSCRIPTION_ITEM,
    CON_BILLING_INVOICE,
    CON_BILLING_INVOICE_LINE,
    CON_BILLING_INVOICE_PAYMENT,
    CON_BILLING_ACCOUNT, /* a connected account, which the envelope names and not the object */
    CON_BILLING_TABLES
};

/* Ids longer than this do not exist at Stripe and do not fit an index. */
#define CON_BILLING_ID_BYTES_MAX 255u
/* Levels the handler looks into: event, data, object, items, data, item, price, recurring, and their members. */
#define CON_BILLING_JSON_DEPTH 12u

enum con_billing_act {
    CON_BILLING_IGNORE,
    CON_BILLING_UPSERT, /* the object is whole */
    CON_BILLING_DELETE, /* the object is a stub that says it was deleted */
};

struct con_billing_type {
    const char *name; /* "invoice.paid" */
    enum con_billing_table table;
    enum con_billing_phase phase;
};

/* All of the three. */
extern const struct con_billing_type con_billing_types[];
extern const size_t con_billing_type_count;
/* NULL when billing does not apply events of this type. */
const struct con_billing_type *con_billing_type_find(struct sl_span name);

struct con_billing_subject {
    enum con_billing_act act;
    const char *why; /* one sentence when IGNORE, else NULL */
    const struct con_billing_type *type;
    const struct sl_json *object; /* data.object */
    struct sl_span id;
};

/* root may be NULL: a body that is not JSON. */
bool con_billing_event_read(const struct sl_envelope *envelope, const struct sl_json *root,
                            struct sl_arena *arena, struct con_billing_subject *out_subject,
                            struct sl_err *err) SL_MUST;

#endif
