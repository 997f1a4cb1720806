/*
 * amqp_quiet - how a consumer leaves a quorum queue so that no delivery is counted for it.
 *
 * Decides only. What a queue has handed to a channel, and the channel has not passed on when it reads basic.cancel, the channel returns to the queue
 * by itself, and before RabbitMQ 4.3 each return counts towards the delivery limit of its message. So the queue is first told that this consumer
 * has no credit left (basic.credit, an extension of RabbitMQ 3) and the cancel follows when it has answered: the answer is behind all that was on its
 * way. Acknowledgements give credit again, so the owner's wait until the cancel is written, and follow it at once. The queue is asked twice: a
 * channel keeps back acknowledgements while 32 of its commands are unanswered, and has sent them when the first answer comes.
 * Brokers that do not know the extension (from 4.0 on) are cancelled at once.
 * Source: rabbitmq-server v3.10.8, deps/rabbit/src: rabbit_fifo_client.erl (cancel_checkout forgets the tag, handle_delivery returns what comes for a
 * tag that is not known, settle keeps back while slow), rabbit_fifo.erl (#requeue counts, #credit sets, increase_credit not for a cancelled
 * consumer), rabbit_channel.erl (basic.credit). Measured: schemas/topology.md.
 * Threads: one link.
 */
#ifndef SHARED_AMQP_QUIET_H
#define SHARED_AMQP_QUIET_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/err.h"

#define SL_QUIET_TAGS_MAX      8u
#define SL_QUIET_TAG_BYTES_MAX 255u /* a short string */

struct sl_quiet {
    char tags[SL_QUIET_TAGS_MAX][SL_QUIET_TAG_BYTES_MAX + 1]; /* consumers that are leaving */
    size_t count;         /* 0: nobody is, and acknowledgements need not wait */
    unsigned owed;        /* answers that have not come */
    unsigned rounds_left; /* of asking for all of them */
};

enum sl_quiet_act {
    SL_QUIET_WAIT,
    SL_QUIET_ASK,    /* tell the queue of each tag that it has no credit */
    SL_QUIET_CANCEL, /* cancel each tag, then send what waited, then sl_quiet_end */
};

/* version: of the broker, as sl_amqp_link_version says it. False: this one cannot be asked, or too many are leaving; cancel it at once. True: ASK. */
bool sl_quiet_add(struct sl_quiet *quiet, unsigned version, const char *tag) SL_MUST;
/* A queue has answered. */
enum sl_quiet_act sl_quiet_answered(struct sl_quiet *quiet);
void sl_quiet_end(struct sl_quiet *quiet);

#endif
