/*
 * amqp_content - method, header and body frames put together to one delivered or returned message.
 *
 * Decides only. A body in one frame is borrowed, a longer one is collected up to a ceiling; what a returned message carries is counted and
 * thrown away, since the publisher still has it.
 * Refuses: a body over the ceiling (before a byte of it is kept), more or fewer body bytes than announced, frames out of order. After a refusal the
 * connection must be ended.
 * Source: AMQP 0-9-1, 4.2.6: content frames of one channel are never mixed with other methods of that channel.
 * Threads: one owner.
 */
#ifndef SHARED_AMQP_CONTENT_H
#define SHARED_AMQP_CONTENT_H

#include "shared/amqp/amqp_wire.h"

struct sl_content {
    enum { SL_CONTENT_NONE, SL_CONTENT_HEADER_NEXT, SL_CONTENT_BODY_NEXT } stage;
    bool is_return;
    uint64_t body_bytes_left;
    size_t body_bytes_max;
    struct sl_buf body;
    char exchange[SL_WIRE_NAME_BYTES_MAX + 1];
    struct sl_amqp_delivery delivery; /* of a return only the message's names and id are set */
};

enum sl_content_step {
    SL_CONTENT_OTHER,     /* not content: the owner handles the frame */
    SL_CONTENT_TAKEN,     /* more frames follow */
    SL_CONTENT_DELIVERED, /* content->delivery is complete and borrowed until the next frame */
    SL_CONTENT_RETURNED,
    SL_CONTENT_BAD, /* err is set */
};

void sl_content_init(struct sl_content *content, size_t body_bytes_max);
void sl_content_done(struct sl_content *content);
/* For a new connection. */
void sl_content_reset(struct sl_content *content);
enum sl_content_step sl_content_feed(struct sl_content *content, const struct sl_wire_frame *frame,
                                     struct sl_err *err) SL_MUST;

#endif
