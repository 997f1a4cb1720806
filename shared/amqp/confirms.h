/*
 * confirms - the publishes of one channel that the broker has not answered yet.
 *
 * Decides only: the owner says what happened and is told, once per publish, how it ended. Tags are counted from 1 per channel, as the broker
 * counts them (rabbitmq.com/confirms). A returned message is never CONFIRMED, although its ack follows.
 * basic.return carries no tag: it is matched by (exchange, routing key, message id), and where several unanswered publishes share these, all
 * of them count as returned. That errs on the safe side: "not published" for one that was is a duplicate, the opposite is a loss.
 * A publish whose deadline passes is settled as TIMEOUT but keeps its place until the broker answers, since its tag is still out.
 * Refuses: a tag that is not outstanding (SL_E_AMQP_PROTOCOL), growing past its bound, clocks.
 * Threads: one owner. The visitor may call sl_confirms_add, nothing else here.
 */
#ifndef SHARED_CONFIRMS_H
#define SHARED_CONFIRMS_H

#include <stdint.h>

#include "shared/amqp/amqp_link.h"

struct sl_confirms;
typedef void sl_confirms_fn(void *arg, uint64_t cookie, enum sl_publish_outcome outcome);

struct sl_confirms *sl_confirms_new(size_t publishes_max, struct sl_err *err) SL_MUST;
/* Settles nothing. Accepts NULL. */
void sl_confirms_free(struct sl_confirms *confirms);

/* What a return is matched by. */
uint64_t sl_confirms_key(struct sl_span exchange, struct sl_span routing_key,
                         struct sl_span message_id);
bool sl_confirms_has_room(const struct sl_confirms *confirms);
/* The next publish of the channel; there must be room. deadline_ms never goes back from one publish to the next. */
void sl_confirms_add(struct sl_confirms *confirms, uint64_t key, uint64_t cookie,
                     int64_t deadline_ms);

bool sl_confirms_return(struct sl_confirms *confirms, uint64_t key, struct sl_err *err) SL_MUST;
/* basic.ack (taken) or basic.nack. multiple: all up to and including tag, 0 meaning all. */
bool sl_confirms_answer(struct sl_confirms *confirms, uint64_t tag, bool multiple, bool taken,
                        sl_confirms_fn *fn, void *arg, struct sl_err *err) SL_MUST;
/* Settles those with deadline_ms <= now_ms. */
void sl_confirms_expire(struct sl_confirms *confirms, int64_t now_ms, sl_confirms_fn *fn,
                        void *arg);
/* The channel is gone: settles the rest as LOST and starts again at tag 1. */
void sl_confirms_reset(struct sl_confirms *confirms, sl_confirms_fn *fn, void *arg);

/* Earliest deadline of an unsettled publish; -1 without one. */
int64_t sl_confirms_next_deadline_ms(const struct sl_confirms *confirms);
/* Deadline of the oldest publish without an answer, settled or not; -1 without one. Long past means that the broker has stopped confirming. */
int64_t sl_confirms_oldest_deadline_ms(const struct sl_confirms *confirms);
/* Unsettled ones. */
size_t sl_confirms_count(const struct sl_confirms *confirms);

SL_DEFINE_AUTO(struct sl_confirms *, sl_confirms_free)

#endif
