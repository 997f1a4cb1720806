/*
 * health - /health, /livez, /readyz and /metrics, answered the same way by every program.
 *
 * /livez: 200 while the loop turns. /readyz: 200 when work can be taken, else 503 with the reason. /health: 200 with
 * {"service","status","timestamp","version"} (and "paused", a list, while something is) while the process can serve, status "ok" or "degraded". /metrics: Prometheus text,
 * only where the owner passes its metrics (never on a public port).
 * Decides only: what the state means is the owner's, through look(); opening a port is the caller's.
 * Law: the keys of /health are a public interface; "draining" answers 503 on /readyz so that a balancer stops sending.
 * Threads: belongs to the loop of its HTTP server.
 */
#ifndef SHARED_HEALTH_H
#define SHARED_HEALTH_H

#include "shared/http/http_server.h"
#include "shared/metrics.h"

struct sl_health_state {
    bool is_degraded;    /* /health says "degraded" */
    const char *waiting; /* NULL: ready; else why not, one constant phrase */
    const char *paused;  /* names an operator has paused, separated by commas; "" or NULL: none */
};

struct sl_health {
    const char *service;        /* borrowed */
    const char *version;        /* borrowed */
    struct sl_metrics *metrics; /* NULL: /metrics is not offered */
    /* Fills *out_state; called for /health and /readyz. */
    void (*look)(void *arg, struct sl_health_state *out_state);
    void *arg;
};

/* Answers the request when its path is one of ours and returns true; false leaves the request to the caller. */
bool sl_health_answer(const struct sl_health *health, struct sl_http_request *request);

/* An on_request for a server that offers nothing else: sl_health_answer, or 404. arg is a const struct sl_health *. */
void sl_health_on_request(struct sl_http_request *request, void *health);

#endif
