/*
 * routes - the public port's map: exact paths, one handler each.
 *
 * POST /webhooks/{source} and its alias POST /api/v1/billing/webhook go to the intake, unless an operator's pause keeps them out (gate); /health, /livez and /readyz are answered here.
 * POST /api/v1/events goes to events_api, what is below /api/v1/billing to billing_api. /metrics is never on this port.
 * Refuses: decoding or normalising paths; what is not in the map is 404, a known path with another method 405.
 * Threads: belongs to the server's loop.
 */
#ifndef PUBLISHER_ROUTES_H
#define PUBLISHER_ROUTES_H

#include "publisher/billing/billing_api.h"
#include "publisher/events_api.h"
#include "publisher/guard/gate.h"
#include "publisher/guard/guard.h"
#include "publisher/intake.h"
#include "publisher/reception.h"
#include "shared/health.h"

struct pub_routes {
    struct pub_intake *intake;
    struct pub_gate *gate;
    struct pub_sources *sources; /* by name in /webhooks/{source} */
    struct pub_reception *reception;
    struct pub_guard *guard;
    struct pub_events_api *events;
    struct pub_billing_api *billing;
    bool has_billing; /* else its routes answer 503 */
    const struct sl_health *health;
    struct sl_metrics *metrics;
};

/* An on_request of the public server; arg is a struct pub_routes *. */
void pub_routes_on_request(struct sl_http_request *request, void *arg);

#endif
