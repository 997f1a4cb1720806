/*
 * traffic - the figures of the public port: requests by route and status, and how long they took.
 *
 * Routes are few and fixed (webhook, api, health, other), whatever paths clients make up; "unread" is what was refused before it was a request.
 * Finding a series takes a lock, so each is found once.
 * Threads: belongs to the server's loop.
 */
#ifndef PUBLISHER_TRAFFIC_H
#define PUBLISHER_TRAFFIC_H

#include "shared/http/http_server.h"
#include "shared/metrics.h"

enum pub_route {
    PUB_ROUTE_WEBHOOK,
    PUB_ROUTE_API,
    PUB_ROUTE_HEALTH,
    PUB_ROUTE_OTHER,
    PUB_ROUTE_UNREAD,
    PUB_ROUTES
};

#define PUB_TRAFFIC_STATUSES 400u /* 200 to 599 */

struct pub_traffic {
    struct sl_metrics *metrics;                                  /* borrowed */
    struct sl_series *counted[PUB_ROUTES][PUB_TRAFFIC_STATUSES]; /* NULL: not found yet */
    struct sl_series *seconds[PUB_ROUTES];
};

void pub_traffic_init(struct pub_traffic *traffic, struct sl_metrics *metrics);
/* Which of the routes a path is on. */
enum pub_route pub_traffic_route(struct sl_span path);
void pub_traffic_answered(struct pub_traffic *traffic, const struct sl_http_request *request,
                          int status);
void pub_traffic_refused(struct pub_traffic *traffic, int status);

#endif
