/*
 * headers - the headers of a message that we publish again, within what may travel.
 *
 * Decides only. All headers of a message go in one frame, so they have a budget together; a text that does not fit is left out, which is why the most
 * important ones are put first. A text with a bound of its own is cut between two characters.
 * Only what is put is there: the broker's own x- headers and anything a stranger added are not repeated. (RabbitMQ before 4.0 takes a repeated x-death
 * for a dead-letter cycle and drops the message.)
 * Threads: one owner.
 */
#ifndef CONSUMER_HEADERS_H
#define CONSUMER_HEADERS_H

#include "shared/amqp/amqp_link.h"

#define CON_HEADERS_BYTES_MAX 4096u
#define CON_HEADERS_MAX       12u

struct con_headers {
    struct sl_amqp_header items[CON_HEADERS_MAX];
    size_t count;
    size_t used_bytes; /* as they are encoded */
};

/* An absent text is no header. name and text are borrowed. */
void con_headers_text(struct con_headers *headers, const char *name, struct sl_span text,
                      size_t bytes_max);
void con_headers_number(struct con_headers *headers, const char *name, int64_t number);

#endif
