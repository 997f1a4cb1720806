#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "shared/amqp/amqp_link_parts.h"
#include "shared/clock.h"

/* More waiting for the socket than this, and a publish is refused: the broker does not read, and memory is not a queue. */
#define UNSENT_BYTES_MAX (16u * 1024u * 1024u)

static bool not_up(const struct sl_amqp_link *link, struct sl_err *err);

bool sl_amqp_publish(struct sl_amqp_link *link, const struct sl_amqp_message *message,
                     uint64_t cookie, struct sl_err *err)
{
    if (link->phase != SL_LINK_UP || link->bev == NULL) {
        return not_up(link, err);
    }
    if (link->confirms != NULL && !sl_confirms_has_room(link->confirms)) {
        return sl_fail(err, SL_E_LIMIT,
                       "%zu publishes wait for the broker's answer, which is the limit",
                       link->opts.publishes_max);
    }
    size_t unsent_bytes = evbuffer_get_length(bufferevent_get_output(link->bev));
    if (unsent_bytes > UNSENT_BYTES_MAX) {
        return sl_fail(err, SL_E_LIMIT, "%zu bytes wait for the broker to read them", unsent_bytes);
    }
    if (link->body_bytes_max > 0 && message->body.bytes > link->body_bytes_max) {
        return sl_fail(err, SL_E_AMQP_TOO_LARGE, "a message of %zu bytes: the broker takes %zu",
                       message->body.bytes, link->body_bytes_max);
    }
    if (!sl_wire_put_publish(link->wire, sl_link_out(link), message, err) ||
        !sl_link_send(link, err)) {
        return false;
    }

    if (link->confirms != NULL) {
        uint64_t key = sl_confirms_key(sl_span_of(message->exchange), message->routing_key,
                                       message->message_id);
        sl_confirms_add(link->confirms, key, cookie, link->sent_at_ms + link->opts.confirm_ms);
        if (!sl_timer_is_armed(link->confirm_timer)) {
            sl_timer_arm(link->confirm_timer, link->opts.confirm_ms);
        }
    }
    return true;
}

static bool not_up(const struct sl_amqp_link *link, struct sl_err *err)
{
    return sl_fail(err, SL_E_AMQP_NOT_UP, "the broker link is %s",
                   sl_amqp_state_name(sl_amqp_link_state(link)));
}

bool sl_amqp_consume(struct sl_amqp_link *link, const char *queue, uint16_t prefetch,
                     struct sl_err *err)
{
    return sl_amqp_consume_as(link, queue, queue, prefetch, err);
}

bool sl_amqp_consume_as(struct sl_amqp_link *link, const char *queue, const char *tag,
                        uint16_t prefetch, struct sl_err *err)
{
    if (!sl_link_is_open(link)) {
        return not_up(link, err);
    }
    return sl_wire_put_consume(link->wire, sl_link_out(link), queue, tag, prefetch, err) &&
           sl_link_send(link, err);
}

bool sl_amqp_consume_stop(struct sl_amqp_link *link, const char *tag, struct sl_err *err)
{
    if (!sl_link_is_open(link)) {
        return not_up(link, err);
    }
    return sl_link_quiet_stop(link, tag, err);
}

bool sl_amqp_ack(struct sl_amqp_link *link, uint64_t tag, bool multiple, struct sl_err *err)
{
    if (!sl_link_is_open(link)) {
        return not_up(link, err);
    }
    return sl_link_put_settlement(
        link, &(struct sl_link_settlement){ .tag = tag, .is_ack = true, .multiple = multiple },
        err);
}

bool sl_amqp_nack(struct sl_amqp_link *link, uint64_t tag, bool multiple, bool requeue,
                  struct sl_err *err)
{
    if (!sl_link_is_open(link)) {
        return not_up(link, err);
    }
    return sl_link_put_settlement(
        link, &(struct sl_link_settlement){ .tag = tag, .multiple = multiple, .requeue = requeue },
        err);
}

void sl_amqp_read_pause(struct sl_amqp_link *link, bool is_paused)
{
    if (!sl_link_is_open(link) || sl_link_is_reading(link) != is_paused) {
        return;
    }
    if (is_paused) {
        bufferevent_disable(link->bev, EV_READ);
    } else {
        link->received_at_ms = sl_clock_mono_ms(); /* its silence was our doing */
        bufferevent_enable(link->bev, EV_READ);
        sl_timer_arm(link->resume_timer, 0); /* reads what had arrived before the pause */
    }
}

bool sl_amqp_declare(struct sl_amqp_link *link, const struct sl_amqp_declare *declare,
                     void (*on_done)(struct sl_amqp_link *link,
                                     const struct sl_amqp_declared *declared,
                                     const struct sl_err *err, void *arg),
                     void *arg, struct sl_err *err)
{
    SL_ASSERT(on_done != NULL);
    if (!sl_link_is_open(link)) {
        return not_up(link, err);
    }
    if (link->declare.is_pending) {
        return sl_fail(err, SL_E_LIMIT, "one declaration at a time");
    }
    if (!sl_wire_put_declare(link->wire, sl_link_out(link), declare, err) ||
        !sl_link_send(link, err)) {
        return false;
    }
    link->declare.is_pending = true;
    link->declare.kind = declare->kind;
    link->declare.on_done = on_done;
    link->declare.arg = arg;
    sl_timer_arm(link->declare_timer, link->opts.attempt_ms);
    return true;
}

/* Clears first, so that on_done may declare the next. */
void sl_link_declared(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                      const struct sl_err *err)
{
    if (link->declare.is_pending) {
        link->declare.is_pending = false;
        sl_timer_disarm(link->declare_timer);
        if (!link->is_freed) {
            link->declare.on_done(link, declared, err, link->declare.arg);
        }
    }
}
