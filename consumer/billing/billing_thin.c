#include "consumer/billing/billing_thin.h"

#include "shared/scope.h"

#define TWIN_PREFIX "v1."
#define UNMADE_TYPE "v2.core.health.event_generation_failure.resolved"

static bool read_twin(const struct sl_json *root, struct sl_arena *arena,
                      struct con_billing_wish *wish);
static bool read_unmade(const struct sl_json *root, struct sl_arena *arena,
                        struct con_billing_wish *wish);
static bool read_related(const struct sl_json *related, struct sl_arena *arena,
                         struct con_billing_wish *wish);
static void read_context(const struct sl_json *context, struct sl_arena *arena,
                         struct con_billing_wish *wish);
static struct sl_span read_id(const struct sl_json *value, struct sl_arena *arena);

bool con_billing_thin_is(struct sl_span type)
{
    return sl_span_starts_with(type, TWIN_PREFIX) || sl_span_is(type, UNMADE_TYPE);
}

bool con_billing_thin_read(const struct sl_envelope *envelope, const struct sl_json *root,
                           struct sl_arena *arena, struct con_billing_wish *out_wish)
{
    struct con_billing_wish wish = {
        .account = envelope->account.data == NULL ? SL_SPAN_LITERAL("") : envelope->account,
        .livemode = envelope->livemode,
    };
    if (!sl_span_is(sl_json_text(sl_json_get(root, "object"), arena, true, NULL),
                    "v2.core.event")) {
        return false;
    }
    read_context(sl_json_get(root, "context"), arena, &wish);
    if (sl_span_is(envelope->type, UNMADE_TYPE)) {
        if (!read_unmade(root, arena, &wish)) {
            return false;
        }
    } else if (!sl_span_starts_with(envelope->type, TWIN_PREFIX) ||
               !read_twin(root, arena, &wish)) {
        return false;
    }
    wish.is_gone = sl_span_is(envelope->type, "v1.customer.deleted") ||
                   sl_span_is(envelope->type, "v1.invoice.deleted");
    *out_wish = wish;
    return true;
}

static bool read_twin(const struct sl_json *root, struct sl_arena *arena,
                      struct con_billing_wish *wish)
{
    wish->reason = "thin";
    wish->snapshot = read_id(sl_json_get(root, "snapshot_event"), arena);
    return read_related(sl_json_get(root, "related_object"), arena, wish);
}

static bool read_unmade(const struct sl_json *root, struct sl_arena *arena,
                        struct con_billing_wish *wish)
{
    const struct sl_json *impact = sl_json_at(root, "data.impact");
    wish->reason = "unmade";
    if (!sl_json_is_null(impact)) {
        read_context(sl_json_get(impact, "context"), arena, wish);
        return read_related(sl_json_get(impact, "related_object"), arena, wish);
    }
    wish->kind = CON_BILLING_WISH_EVENT;
    wish->id = read_id(sl_json_get(root, "id"), arena);
    return wish->id.data != NULL;
}

static bool read_related(const struct sl_json *related, struct sl_arena *arena,
                         struct con_billing_wish *wish)
{
    wish->kind =
        con_billing_wish_kind(sl_json_text(sl_json_get(related, "type"), arena, true, NULL));
    wish->id = read_id(sl_json_get(related, "id"), arena);
    return wish->kind != NULL && wish->id.data != NULL;
}

/* "acct_1", or a path that ends in it. Of the own account there is none. */
static void read_context(const struct sl_json *context, struct sl_arena *arena,
                         struct con_billing_wish *wish)
{
    struct sl_span rest = read_id(context, arena);
    struct sl_span part = { 0 };
    while (sl_span_split(&rest, '/', &part)) {
        if (sl_span_starts_with(part, "acct_")) {
            wish->account = part;
        }
    }
}

static struct sl_span read_id(const struct sl_json *value, struct sl_arena *arena)
{
    struct sl_span id = sl_json_text(value, arena, true, NULL);
    return id.bytes > 0 && id.bytes <= SL_EVENT_ID_BYTES_MAX ? id : (struct sl_span){ 0 };
}

const char *con_billing_wish_kind(struct sl_span type)
{
    static const char *const kinds[] = { "customer", "subscription", "invoice", "invoice_payment" };
    for (size_t i = 0; i < SL_COUNT(kinds); i++) {
        if (sl_span_is(type, kinds[i])) {
            return kinds[i];
        }
    }
    return NULL;
}
