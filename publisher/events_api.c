#include "publisher/events_api.h"

#include "publisher/problem.h"

#define ROUTE         "events"
#define NOBODY        "none"
#define CALLER_DENIED "this token may not publish events"

static const char *admit(const struct pub_events_api *api, const struct sl_http_head *head,
                         const char **out_caller, int *out_status);
static bool is_json(struct sl_span content_type);
static void begin(struct pub_events_api *api, struct sl_http_request *request);
static void hold_back(const struct pub_events_api *api, struct pub_produced *item);
static void on_answered(void *arg, int status);

void pub_events_api_take(struct pub_events_api *api, struct sl_http_request *request)
{
    const struct sl_http_head *head = sl_http_request_head(request);
    const char *caller = NOBODY;
    int status = 0;
    const char *why = admit(api, head, &caller, &status);
    sl_series_add(sl_metrics_series(api->metrics, SL_M_API_CALLS, ROUTE, caller), 1);
    if (why != NULL) {
        pub_problem_reply(request, status, why, status == 405 ? "POST" : NULL);
        return;
    }
    if (!pub_gate_refuse(api->gate, SL_SOURCE_INTERNAL, request, &status)) {
        begin(api, request);
    }
}

/* NULL: come in. Who asks is settled before what is asked. */
static const char *admit(const struct pub_events_api *api, const struct sl_http_head *head,
                         const char **out_caller, int *out_status)
{
    enum pub_caller caller = PUB_CALLER_CONSOLE;
    struct sl_span encoding = sl_http_field(head, "Content-Encoding");
    *out_status = 401;
    if (!pub_tokens_find(api->tokens, sl_http_field(head, "Authorization"), &caller)) {
        return "a bearer token of a known caller is needed";
    }
    *out_caller = pub_caller_name(caller);
    *out_status = 403;
    if ((pub_caller_scopes(caller) & PUB_SCOPE_EVENTS) == 0) {
        return CALLER_DENIED;
    }
    *out_status = 405;
    if (!sl_span_is(head->method, "POST")) {
        return "events are posted";
    }
    *out_status = 411;
    if (!head->has_length && !head->is_chunked) {
        return "a length is needed";
    }
    *out_status = 415;
    if (encoding.data != NULL && !sl_span_is_nocase(encoding, "identity")) {
        return "content encoding is not supported";
    }
    if (sl_http_field(head, "ce-specversion").data != NULL ||
        !is_json(sl_http_field(head, "Content-Type"))) {
        return "application/json, application/cloudevents+json or application/cloudevents-batch+json";
    }
    *out_status = 503;
    if (*api->is_draining) {
        return "shutting down";
    }
    return *api->batches >= PUB_BATCHES_MAX ? "too many requests at once" : NULL;
}

/* Parameters do not matter; none at all is taken for JSON. */
static bool is_json(struct sl_span content_type)
{
    struct sl_span type = { 0 };
    if (!sl_span_split(&content_type, ';', &type)) {
        return true;
    }
    type = sl_span_trim(type);
    return type.bytes == 0 || sl_span_is_nocase(type, "application/json") ||
           sl_span_is_nocase(type, "application/cloudevents+json") ||
           sl_span_is_nocase(type, "application/cloudevents-batch+json");
}

static void begin(struct pub_events_api *api, struct sl_http_request *request)
{
    struct sl_err err = { 0 };
    struct pub_batch *batch = pub_batch_new(request, &err);
    if (batch == NULL) {
        pub_problem_reply(request, 503, "no memory", NULL);
        return;
    }
    batch->on_answered = on_answered;
    batch->arg = api;
    const struct pub_production_opts opts = {
        .parser = api->parser,
        .arena = &batch->arena,
        .sources = api->webhook_sources,
        .received_at_us = sl_http_request_received_us(request),
    };
    const char *why = pub_production_read(&opts, sl_http_request_body(request), &batch->production);
    for (size_t i = 0; why == NULL && i < batch->production.count; i++) {
        hold_back(api, &batch->production.items[i]);
    }
    if (why != NULL || !pub_batch_begin(batch, &err)) {
        pub_batch_free(batch);
        pub_problem_reply(request, why != NULL ? 400 : 503, why != NULL ? why : "no memory", NULL);
        return;
    }
    (*api->batches)++;
    pub_intake_take_batch(api->intake, pub_sources_internal(api->sources), batch);
}

static void hold_back(const struct pub_events_api *api, struct pub_produced *item)
{
    if (item->fault == NULL && pub_breakers_refuse(api->breakers, item->envelope.type)) {
        item->fault = "events of this type fail, and their breaker is open; send it again later";
        item->is_held_back = true;
    }
}

static void on_answered(void *arg, int status)
{
    (void)status;
    struct pub_events_api *api = arg;
    (*api->batches)--;
}
