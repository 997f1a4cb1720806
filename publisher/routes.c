#include "publisher/routes.h"

#include <stdio.h>

#define WEBHOOKS_PREFIX "/webhooks/"
#define BILLING_ALIAS   "/api/v1/billing/webhook"
#define BILLING_SOURCE  "stripe"

static const struct pub_source *find_source(const struct pub_routes *routes, struct sl_span path);
static const struct pub_source *source_named(const struct pub_routes *routes, struct sl_span name);
static void count(struct pub_routes *routes, const char *route, int status);

void pub_routes_on_request(struct sl_http_request *request, void *arg)
{
    struct pub_routes *routes = arg;
    const struct sl_http_head *head = sl_http_request_head(request);
    const struct pub_source *source = find_source(routes, head->path);
    if (source == NULL) {
        if (!sl_health_answer(routes->health, request)) {
            count(routes, "other", pub_answer_row(PUB_NOT_FOUND)->status);
            pub_intake_refuse(request, PUB_NOT_FOUND);
        }
        return;
    }
    if (!sl_span_is(head->method, "POST")) {
        count(routes, "webhook", pub_answer_row(PUB_BAD_METHOD)->status);
        pub_intake_refuse(request, PUB_BAD_METHOD);
        return;
    }
    int status = 0;
    if (pub_gate_refuse(routes->gate, source->name, request, &status)) {
        count(routes, "webhook", status);
        return;
    }
    if (!head->has_length && !head->is_chunked) {
        count(routes, "webhook", pub_answer_row(PUB_LENGTH_MISSING)->status);
        pub_intake_refuse(request, PUB_LENGTH_MISSING);
        return;
    }
    pub_intake_take(routes->intake, source, request);
}

static const struct pub_source *find_source(const struct pub_routes *routes, struct sl_span path)
{
    if (sl_span_is(path, BILLING_ALIAS)) {
        return source_named(routes, SL_SPAN_LITERAL(BILLING_SOURCE));
    }
    if (!sl_span_starts_with(path, WEBHOOKS_PREFIX)) {
        return NULL;
    }
    size_t prefix = strlen(WEBHOOKS_PREFIX);
    return source_named(routes, sl_span_make(path.data + prefix, path.bytes - prefix));
}

static const struct pub_source *source_named(const struct pub_routes *routes, struct sl_span name)
{
    for (size_t i = 0; i < routes->source_count; i++) {
        if (sl_span_is(name, routes->sources[i].name)) {
            return &routes->sources[i];
        }
    }
    return NULL;
}

void pub_routes_on_refused(int status, const char *why, void *arg)
{
    (void)why;
    count(arg, "unread", status);
}

static void count(struct pub_routes *routes, const char *route, int status)
{
    char code[8];
    snprintf(code, sizeof code, "%d", status);
    sl_series_add(sl_metrics_series(routes->metrics, SL_M_HTTP_REQUESTS, route, code), 1);
}
