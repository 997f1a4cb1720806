/*
 * topic - whether a topic pattern takes a routing key.
 *
 * Decides only. Words stand between dots; '*' is exactly one word, '#' none or more: AMQP 0-9-1, 3.1.3.3.
 * Threads: no state.
 */
#ifndef SHARED_TOPIC_H
#define SHARED_TOPIC_H

#include <stdbool.h>

#include "shared/span.h"

bool sl_topic_takes(struct sl_span pattern, struct sl_span key);

#endif
