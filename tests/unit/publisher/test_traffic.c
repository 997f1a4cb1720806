#include "publisher/traffic.h"

#include "tests/support/claims.h"

CLAIM(traffic__paths_that_clients_make_up_share_a_route)
{
    static const struct {
        const char *path;
        enum pub_route route;
    } cases[] = {
        { "/webhooks/stripe", PUB_ROUTE_WEBHOOK },
        { "/webhooks/made-up-123", PUB_ROUTE_WEBHOOK },
        { "/api/v1/billing/webhook", PUB_ROUTE_WEBHOOK },
        { "/api/v1/billing/webhooks", PUB_ROUTE_API },
        { "/api/v1/events", PUB_ROUTE_API },
        { "/health", PUB_ROUTE_HEALTH },
        { "/livez", PUB_ROUTE_HEALTH },
        { "/readyz", PUB_ROUTE_HEALTH },
        { "/healthz", PUB_ROUTE_OTHER },
        { "/webhooks", PUB_ROUTE_OTHER },
        { "/", PUB_ROUTE_OTHER },
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        CU_ASSERT_EQUAL(pub_traffic_route(sl_span_of(cases[i].path)), cases[i].route);
    }
}

CLAIM(traffic__refusals_are_counted_by_status)
{
    struct sl_err err = { 0 };
    struct sl_metrics *metrics = sl_metrics_new(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    struct pub_traffic traffic;
    pub_traffic_init(&traffic, metrics);
    pub_traffic_refused(&traffic, 400);
    pub_traffic_refused(&traffic, 400);
    pub_traffic_refused(&traffic, 431);
    CU_ASSERT_EQUAL(
        sl_series_value(sl_metrics_series(metrics, SL_M_HTTP_REQUESTS, "unread", "400")), 2);
    CU_ASSERT_EQUAL(
        sl_series_value(sl_metrics_series(metrics, SL_M_HTTP_REQUESTS, "unread", "431")), 1);
    sl_metrics_free(metrics);
}
