#include "publisher/traffic.h"

#include <stdio.h>

#include "shared/clock.h"

#define STATUS_FIRST 200

static const char *const names[PUB_ROUTES] = {
    [PUB_ROUTE_WEBHOOK] = "webhook", [PUB_ROUTE_API] = "api",       [PUB_ROUTE_HEALTH] = "health",
    [PUB_ROUTE_OTHER] = "other",     [PUB_ROUTE_UNREAD] = "unread",
};

static void count(struct pub_traffic *traffic, enum pub_route route, int status);

void pub_traffic_init(struct pub_traffic *traffic, struct sl_metrics *metrics)
{
    *traffic = (struct pub_traffic){ .metrics = metrics };
    for (enum pub_route route = 0; route < PUB_ROUTE_UNREAD; route++) {
        traffic->seconds[route] = sl_metrics_series(metrics, SL_M_HTTP_SECONDS, names[route], NULL);
    }
}

enum pub_route pub_traffic_route(struct sl_span path)
{
    if (sl_span_starts_with(path, "/webhooks/") || sl_span_is(path, "/api/v1/billing/webhook")) {
        return PUB_ROUTE_WEBHOOK;
    }
    if (sl_span_starts_with(path, "/api/")) {
        return PUB_ROUTE_API;
    }
    bool is_health =
        sl_span_is(path, "/health") || sl_span_is(path, "/livez") || sl_span_is(path, "/readyz");
    return is_health ? PUB_ROUTE_HEALTH : PUB_ROUTE_OTHER;
}

void pub_traffic_answered(struct pub_traffic *traffic, const struct sl_http_request *request,
                          int status)
{
    enum pub_route route = pub_traffic_route(sl_http_request_head(request)->path);
    count(traffic, route, status);
    sl_series_observe_us(traffic->seconds[route],
                         sl_clock_mono_us() - sl_http_request_started_us(request));
}

void pub_traffic_refused(struct pub_traffic *traffic, int status)
{
    count(traffic, PUB_ROUTE_UNREAD, status);
}

static void count(struct pub_traffic *traffic, enum pub_route route, int status)
{
    SL_ASSERT(status >= STATUS_FIRST && status < STATUS_FIRST + (int)PUB_TRAFFIC_STATUSES);
    struct sl_series **series = &traffic->counted[route][status - STATUS_FIRST];
    if (*series == NULL) {
        char code[8];
        snprintf(code, sizeof code, "%d", status);
        *series = sl_metrics_series(traffic->metrics, SL_M_HTTP_REQUESTS, names[route], code);
    }
    sl_series_add(*series, 1);
}
