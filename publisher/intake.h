/*
 * intake - one authentic request becomes one confirmed message, and only then an answer.
 *
 * Happy path: admit (webhook.c), read the facts (event_facts.c), wrap (envelope), publish persistent + mandatory, wait for the confirm, answer
 * 200. Failure modes: not authentic -> 400; no broker, blocked, nacked, returned, no confirm in time, connection lost -> 503, and the
 * sender retries; the number of publishes waiting is bounded -> 503.
 * The sender going away does not cancel its event.
 * Refuses: any other meaning of a 2xx.
 * Threads: belongs to its loop.
 */
#ifndef PUBLISHER_INTAKE_H
#define PUBLISHER_INTAKE_H

#include "publisher/webhook.h"
#include "shared/http_server.h"
#include "shared/log.h"
#include "shared/metrics.h"

struct pub_intake;

struct pub_intake_opts {
    struct sl_loop *loop;
    struct sl_log *log;
    struct sl_metrics *metrics;
    const struct sl_amqp_url *amqp; /* borrowed */
    const char *service;            /* borrowed */
    int64_t confirm_ms;
    size_t body_bytes_max;
};

/* Starts connecting to the broker. */
struct pub_intake *pub_intake_new(const struct pub_intake_opts *opts, struct sl_err *err) SL_MUST;
/* Closes the broker link; what still waits is answered 503. Accepts NULL. */
void pub_intake_free(struct pub_intake *intake);

/* Takes the request; answers it now or when its publish is settled. */
void pub_intake_take(struct pub_intake *intake, const struct pub_source *source,
                     struct sl_http_request *request);

/* An event can be made durable right now. */
bool pub_intake_is_ready(const struct pub_intake *intake);
/* The first attempt to reach the broker is over. */
bool pub_intake_has_tried(const struct pub_intake *intake);
/* Publishes not settled yet. */
size_t pub_intake_waiting(const struct pub_intake *intake);
/* From now on new requests are answered 503. */
void pub_intake_drain(struct pub_intake *intake);

/* Ends a request with one of the fixed answers; id only for PUB_CONFIRMED. */
void pub_intake_answer(struct pub_intake *intake, struct sl_http_request *request,
                       enum pub_answer answer, struct sl_span id);

SL_DEFINE_AUTO(struct pub_intake *, pub_intake_free)

#endif
