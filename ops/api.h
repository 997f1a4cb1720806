/*
 * api - one question to RabbitMQ's management interface, about the virtual host of AMQP_URL or the broker as a whole.
 *
 * Login: the one in RABBITMQ_API_URL, else that of AMQP_URL. Only reads.
 * Threads: runs a loop of its own until the answer or the deadline.
 */
#ifndef OPS_API_H
#define OPS_API_H

#include "shared/amqp/amqp_url.h"
#include "shared/buf.h"

/* GET /api/<what>/<virtual host>; "queues", "bindings". Appends the answer to the buffer. */
bool ops_api_get(const char *api_url, const struct sl_amqp_url *url, const char *what,
                 struct sl_buf *out_body, struct sl_err *err) SL_MUST;
/* GET /api/<what>, which belongs to no virtual host; "nodes". */
bool ops_api_get_all(const char *api_url, const struct sl_amqp_url *url, const char *what,
                     struct sl_buf *out_body, struct sl_err *err) SL_MUST;

#endif
