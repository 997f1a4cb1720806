#include "ops/stripe/stripe_endpoint.h"

#include <string.h>

#define EVERY_TYPE "*"
#define NAMED_MAX  5u /* of the types that are missing */

static const char *const paths[] = { "/webhooks/stripe", "/api/v1/billing/webhook" };

/* What billing applies. */
static const char *const types[] = {
#define BILLING_TYPE(name, table, phase) name,
#include "consumer/billing/billing_types.def"
#undef BILLING_TYPE
};

static void judge_types(const struct ops_stripe_endpoint *endpoint, struct sl_buf *out);
static bool asks_for(const struct ops_stripe_endpoint *endpoint, const char *type);

void ops_stripe_endpoint_read(const struct sl_json *object, struct sl_arena *arena,
                              struct ops_stripe_endpoint *out)
{
    *out = (struct ops_stripe_endpoint){
        .id = sl_json_text(sl_json_get(object, "id"), arena, true, NULL),
        .url = sl_json_text(sl_json_get(object, "url"), arena, true, NULL),
        .status = sl_json_text(sl_json_get(object, "status"), arena, true, NULL),
        .api_version = sl_json_text(sl_json_get(object, "api_version"), arena, true, NULL),
        .livemode = sl_json_true(sl_json_get(object, "livemode")),
        .types = sl_json_get(object, "enabled_events"),
    };
}

bool ops_stripe_endpoint_is_ours(const struct ops_stripe_endpoint *endpoint, const char *public_url)
{
    size_t base = strlen(public_url);
    if (endpoint->url.bytes < base || memcmp(endpoint->url.data, public_url, base) != 0) {
        return false;
    }
    struct sl_span path = sl_span_make(endpoint->url.data + base, endpoint->url.bytes - base);
    for (size_t i = 0; i < SL_COUNT(paths); i++) {
        if (sl_span_is(path, paths[i])) {
            return true;
        }
    }
    return false;
}

void ops_stripe_endpoint_judge(const struct ops_stripe_endpoint *endpoint, struct sl_buf *out)
{
    if (!sl_span_is(endpoint->status, "enabled")) {
        sl_buf_printf(out,
                      "%.*s is disabled, and what happened meanwhile is not sent later: enable it "
                      "in Stripe's dashboard, then run `sluice reconcile stripe`\n",
                      SL_SPAN_ARGS(endpoint->id));
    }
    judge_types(endpoint, out);
}

static void judge_types(const struct ops_stripe_endpoint *endpoint, struct sl_buf *out)
{
    size_t missing = 0;
    for (size_t i = 0; i < SL_COUNT(types); i++) {
        missing += asks_for(endpoint, types[i]) ? 0 : 1;
    }
    if (missing == 0) {
        return;
    }
    sl_buf_printf(out, "%.*s does not send %zu of the %zu event types that billing applies:",
                  SL_SPAN_ARGS(endpoint->id), missing, SL_COUNT(types));
    size_t named = 0;
    for (size_t i = 0; i < SL_COUNT(types) && named < NAMED_MAX; i++) {
        if (!asks_for(endpoint, types[i])) {
            sl_buf_printf(out, "%s %s", named == 0 ? "" : ",", types[i]);
            named++;
        }
    }
    sl_buf_printf(out, "%s; add them to the endpoint in Stripe's dashboard\n",
                  missing > named ? ", …" : "");
}

static bool asks_for(const struct ops_stripe_endpoint *endpoint, const char *type)
{
    const struct sl_json *asked = endpoint->types == NULL ? NULL : endpoint->types->first;
    for (; asked != NULL; asked = asked->next) {
        struct sl_span name = asked->type != SL_JSON_STRING
                                  ? (struct sl_span){ 0 }
                                  : sl_span_make(asked->raw.data + 1, asked->raw.bytes - 2);
        if (sl_span_is(name, type) || sl_span_is(name, EVERY_TYPE)) {
            return true;
        }
    }
    return false;
}
