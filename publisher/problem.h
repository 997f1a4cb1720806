/*
 * problem - an API's refusal that says what was wrong, as application/problem+json.
 *
 * Source: RFC 9457. type is about:blank, so title is the status' own name.
 * Threads: belongs to the request's loop.
 */
#ifndef PUBLISHER_PROBLEM_H
#define PUBLISHER_PROBLEM_H

#include "shared/buf.h"
#include "shared/http/http_server.h"

#define PUB_PROBLEM_TYPE "application/problem+json"

void pub_problem_body(int status, const char *detail, struct sl_buf *out);
/* Ends the request. allow: the methods there are, for 405; else NULL. */
void pub_problem_reply(struct sl_http_request *request, int status, const char *detail,
                       const char *allow);

#endif
