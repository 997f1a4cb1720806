/* look_stripe - does an endpoint of Stripe's lead here; in full: `sluice doctor stripe`. Asks only with a key and SLUICE_PUBLIC_URL. */
#include "ops/doctor/patient.h"
#include "ops/stripe/stripe_api.h"
#include "ops/stripe/stripe_endpoint.h"

#define ARENA_BYTES_MAX (1024u * 1024u)
#define WRONG_BYTES_MAX 4096u

void ops_look_stripe(struct ops_patient *patient)
{
    const struct ops_settings *settings = &patient->address.settings;
    struct sl_err why = { 0 };
    const struct sl_json *root = NULL;
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf wrong = { 0 };
    sl_arena_init(&arena, ARENA_BYTES_MAX);
    sl_buf_init(&wrong, WRONG_BYTES_MAX);
    if (settings->public_url == NULL ||
        (settings->stripe_api_key == NULL && settings->stripe_restricted_key == NULL)) {
        ops_fact_skip(&patient->facts, OPS_CHECK_STRIPE_ENDPOINT,
                      "needs a key of Stripe's and SLUICE_PUBLIC_URL");
        return;
    }
    SL_AUTO(ops_stripe_api_free)
    struct ops_stripe_api *api = ops_stripe_api_new(&patient->address, 0, &why);
    if (api == NULL || !ops_stripe_api_get(api, "/v1/webhook_endpoints",
                                           SL_SPAN_LITERAL("limit=100"), "", &root, &why)) {
        ops_fact_blind(&patient->facts, OPS_CHECK_STRIPE_ENDPOINT, why.text);
        ops_fact_fix(&patient->facts, OPS_CHECK_STRIPE_ENDPOINT, "sluice doctor stripe");
        return;
    }
    const struct sl_json *data = sl_json_get(root, "data");
    int64_t ours = 0;
    for (const struct sl_json *at = data == NULL ? NULL : data->first; at != NULL; at = at->next) {
        struct ops_stripe_endpoint endpoint;
        ops_stripe_endpoint_read(at, &arena, &endpoint);
        if (ops_stripe_endpoint_is_ours(&endpoint, settings->public_url)) {
            ours++;
            ops_stripe_endpoint_judge(&endpoint, &wrong);
        }
    }
    struct sl_span rest = sl_buf_span(&wrong);
    struct sl_span first = { 0 };
    bool is_wrong = wrong.used_bytes > 0 && sl_span_split(&rest, '\n', &first);
    if (is_wrong) {
        ops_fact_see(&patient->facts, OPS_CHECK_STRIPE_ENDPOINT, 1, "", "%.*s",
                     SL_SPAN_ARGS(first));
    } else {
        ops_fact_see(&patient->facts, OPS_CHECK_STRIPE_ENDPOINT, ours == 0 ? 1 : 0, "", "%s %s",
                     ours == 0 ? "no endpoint of Stripe's leads to"
                               : "an endpoint, enabled, leads to",
                     settings->public_url);
    }
}
