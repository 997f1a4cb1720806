/*
 * refuse - ends a request with one of the fixed answers.
 *
 * Threads: belongs to the request's loop.
 */
#ifndef PUBLISHER_REFUSE_H
#define PUBLISHER_REFUSE_H

#include "publisher/answer.h"
#include "shared/http/http_server.h"

void pub_refuse(struct sl_http_request *request, enum pub_answer answer);

#endif
