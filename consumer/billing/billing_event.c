#include "consumer/billing/billing_event.h"

/* id, object and deleted: more than that is a whole object. */
#define STUB_MEMBERS_MAX 3u

static bool ignore(struct con_billing_subject *subject, const char *why);
static bool is_stub(const struct sl_json *object);

const struct con_billing_type con_billing_types[] = {
#define BILLING_TYPE(name, table, phase) { name, CON_BILLING_##table, phase },
#include "consumer/billing/billing_connect.def"
#include "consumer/billing/billing_observed.def"
#include "consumer/billing/billing_types.def"
#undef BILLING_TYPE
};
const size_t con_billing_type_count = SL_COUNT(con_billing_types);

/* What Stripe writes in `object` of the things an event can be about. */
static const char *const kinds[CON_BILLING_TABLES] = {
    [CON_BILLING_CUSTOMER] = "customer",   [CON_BILLING_SUBSCRIPTION] = "subscription",
    [CON_BILLING_INVOICE] = "invoice",     [CON_BILLING_INVOICE_PAYMENT] = "invoice_payment",
    [CON_BILLING_ACCOUNT] = "application",
};

const struct con_billing_type *con_billing_type_find(struct sl_span name)
{
    for (size_t i = 0; i < con_billing_type_count; i++) {
        if (sl_span_is(name, con_billing_types[i].name)) {
            return &con_billing_types[i];
        }
    }
    return NULL;
}

bool con_billing_event_read(const struct sl_envelope *envelope, const struct sl_json *root,
                            struct sl_arena *arena, struct con_billing_subject *out_subject,
                            struct sl_err *err)
{
    struct con_billing_subject subject = { .type = con_billing_type_find(envelope->type) };
    if (subject.type == NULL) {
        *out_subject = subject;
        return ignore(out_subject, "billing does not apply events of this type");
    }

    subject.object = sl_json_at(root, "data.object");
    if (subject.object == NULL || subject.object->type != SL_JSON_OBJECT) {
        *out_subject = subject;
        return ignore(out_subject, "the event carries no object");
    }
    const struct sl_json *kind = sl_json_get(subject.object, "object");
    if (!sl_json_is_null(kind) &&
        !sl_span_is(sl_json_text(kind, arena, true, NULL), kinds[subject.type->table])) {
        *out_subject = subject;
        return ignore(out_subject, "the object is not of the kind the type promises");
    }
    if (subject.type->table == CON_BILLING_ACCOUNT) {
        subject.id = envelope->account;
        subject.act = CON_BILLING_UPSERT;
        *out_subject = subject;
        return subject.id.bytes > 0 || ignore(out_subject, "the event names no account");
    }
    const struct sl_json *id = sl_json_get(subject.object, "id");
    if (sl_json_is_null(id)) {
        *out_subject = subject;
        return ignore(out_subject, "the object has no id");
    }

    subject.id = sl_json_text(id, arena, true, NULL);
    if (subject.id.data == NULL || subject.id.bytes == 0 ||
        subject.id.bytes > CON_BILLING_ID_BYTES_MAX) {
        return sl_fail(err, SL_E_EVENT_MALFORMED, "%s.id is not a string of 1 to %u bytes",
                       kinds[subject.type->table], CON_BILLING_ID_BYTES_MAX);
    }
    subject.act = subject.type->phase == CON_PHASE_TERMINAL && is_stub(subject.object)
                      ? CON_BILLING_DELETE
                      : CON_BILLING_UPSERT;
    *out_subject = subject;
    return true;
}

static bool ignore(struct con_billing_subject *subject, const char *why)
{
    subject->act = CON_BILLING_IGNORE;
    subject->why = why;
    return true;
}

/* Stripe sends both: {"id", "object", "deleted"} alone, and the whole object as it last was. Only the whole one has `created`. */
static bool is_stub(const struct sl_json *object)
{
    if (!sl_json_is_null(sl_json_get(object, "created"))) {
        return false;
    }
    return sl_json_true(sl_json_get(object, "deleted")) || object->child_count <= STUB_MEMBERS_MAX;
}
