#include "publisher/routes.h"

#include "publisher/outcome.h"
#include "publisher/refuse.h"

#define WEBHOOKS_PREFIX "/webhooks/"
#define BILLING_ALIAS   PUB_BILLING_PREFIX "webhook"

static struct pub_source *find_source(const struct pub_routes *routes, struct sl_span path);
static void take_webhook(struct pub_routes *routes, struct pub_source *source,
                         struct sl_span client, struct sl_http_request *request);

void pub_routes_on_request(struct sl_http_request *request, void *arg)
{
    struct pub_routes *routes = arg;
    struct sl_span path = sl_http_request_head(request)->path;
    struct sl_span client = { 0 };
    if (!pub_guard_admit(routes->guard, request, &client)) {
        return;
    }
    struct pub_source *source = find_source(routes, path);
    if (source != NULL) {
        take_webhook(routes, source, client, request);
    } else if (sl_span_is(path, PUB_EVENTS_PATH)) {
        pub_events_api_take(routes->events, request);
    } else if (sl_span_starts_with(path, PUB_BILLING_PREFIX)) {
        if (routes->has_billing) {
            pub_billing_api_take(routes->billing, request);
        } else {
            pub_refuse(request, PUB_DISABLED);
        }
    } else if (!sl_health_answer(routes->health, request)) {
        pub_refuse(request, PUB_NOT_FOUND);
    }
}

static void take_webhook(struct pub_routes *routes, struct pub_source *source,
                         struct sl_span client, struct sl_http_request *request)
{
    const struct sl_http_head *head = sl_http_request_head(request);
    int status = 0;
    if (!sl_span_is(head->method, "POST")) {
        pub_refuse(request, PUB_BAD_METHOD);
        return;
    }
    sl_series_add(sl_metrics_series(routes->metrics, SL_M_EVENTS_TAKEN, source->name, NULL), 1);
    if (pub_gate_refuse(routes->gate, source->name, request, &status)) {
        return;
    }
    if (!head->has_length && !head->is_chunked) {
        pub_outcome_count(routes->metrics, source->name, PUB_LENGTH_MISSING);
        pub_refuse(request, PUB_LENGTH_MISSING);
        return;
    }
    if (pub_reception_admit(routes->reception, source, client, request, &status)) {
        pub_intake_take(routes->intake, source, request);
    }
}

static struct pub_source *find_source(const struct pub_routes *routes, struct sl_span path)
{
    if (sl_span_is(path, BILLING_ALIAS)) {
        return pub_sources_find(routes->sources, SL_SPAN_LITERAL(SL_SOURCE_STRIPE));
    }
    if (!sl_span_starts_with(path, WEBHOOKS_PREFIX)) {
        return NULL;
    }
    size_t prefix = strlen(WEBHOOKS_PREFIX);
    return pub_sources_find(routes->sources, sl_span_make(path.data + prefix, path.bytes - prefix));
}
