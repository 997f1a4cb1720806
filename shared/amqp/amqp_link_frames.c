#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "shared/amqp/amqp_link_parts.h"
#include "shared/clock.h"

#define REASON_BYTES_MAX 200 /* of the broker's own words in an error */

static void on_frame(struct sl_amqp_link *link, const struct sl_wire_frame *frame);
static void on_start(struct sl_amqp_link *link, const struct sl_wire_frame *frame);
static void on_tune(struct sl_amqp_link *link, const struct sl_wire_frame *frame);
static void on_close(struct sl_amqp_link *link, const struct sl_wire_frame *frame);
static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason);
static void on_answer(struct sl_amqp_link *link, const struct sl_wire_frame *frame);
static void look_for_refusal(struct sl_amqp_link *link, bool is_nack);
static void on_returned(struct sl_amqp_link *link);
static void on_delivered(struct sl_amqp_link *link);
static void on_cancelled(struct sl_amqp_link *link, struct sl_span consumer_tag);
static void on_credit_ok(struct sl_amqp_link *link);
static void on_declare_ok(struct sl_amqp_link *link, const struct sl_wire_frame *frame);
static bool answers(enum sl_amqp_declare_kind kind, enum sl_wire_kind answer);
static void out_of_turn(struct sl_amqp_link *link, enum sl_wire_kind kind);

void sl_link_read(struct sl_amqp_link *link)
{
    struct sl_err err = { 0 };
    while (link->bev != NULL && sl_link_is_reading(link)) {
        struct evbuffer *input = bufferevent_get_input(link->bev);
        size_t here_bytes = evbuffer_get_length(input);
        unsigned char head[SL_WIRE_HEAD_BYTES];
        size_t frame_bytes = 0;
        if (here_bytes < sizeof head) {
            return;
        }
        evbuffer_copyout(input, head, sizeof head);
        if (!sl_wire_measure(link->wire, head, &frame_bytes, &err)) {
            sl_link_fail(link, &err);
            return;
        }
        if (here_bytes < frame_bytes) {
            return;
        }

        struct sl_wire_frame frame = { 0 };
        const void *bytes = evbuffer_pullup(input, (ev_ssize_t)frame_bytes);
        if (bytes == NULL) {
            sl_fail(&err, SL_E_MEMORY, "no memory for a frame of %zu bytes", frame_bytes);
        }
        if (bytes == NULL ||
            !sl_wire_decode(link->wire, sl_span_make(bytes, frame_bytes), &frame, &err)) {
            sl_link_fail(link, &err);
            return;
        }
        on_frame(link, &frame);
        if (link->bev != NULL) {
            evbuffer_drain(input, frame_bytes);
        }
    }
}

static void on_frame(struct sl_amqp_link *link, const struct sl_wire_frame *frame)
{
    struct sl_err err = { 0 };
    switch (sl_content_feed(&link->content, frame, &err)) {
    case SL_CONTENT_BAD:
        sl_link_fail(link, &err);
        return;
    case SL_CONTENT_TAKEN:
        if (!sl_link_is_open(link)) {
            out_of_turn(link, frame->kind);
        }
        return;
    case SL_CONTENT_DELIVERED:
        on_delivered(link);
        return;
    case SL_CONTENT_RETURNED:
        on_returned(link);
        return;
    case SL_CONTENT_OTHER:
        break;
    }

    switch (frame->kind) {
    case SL_WIRE_HEARTBEAT:
        return;
    case SL_WIRE_START:
        on_start(link, frame);
        return;
    case SL_WIRE_TUNE:
        on_tune(link, frame);
        return;
    case SL_WIRE_OPEN_OK:
        sl_link_happened(link, SL_LINK_EV_OPEN_OK);
        return;
    case SL_WIRE_CHANNEL_OPEN_OK:
        sl_link_happened(link, link->confirms != NULL ? SL_LINK_EV_CHANNEL_OK : SL_LINK_EV_READY);
        return;
    case SL_WIRE_SELECT_OK:
        if (link->phase != SL_LINK_SELECTING) {
            out_of_turn(link, frame->kind);
            return;
        }
        sl_link_happened(link, SL_LINK_EV_READY);
        return;
    case SL_WIRE_CLOSE:
    case SL_WIRE_CHANNEL_CLOSE:
        on_close(link, frame);
        return;
    case SL_WIRE_BLOCKED:
        on_blocked(link, true, frame->blocked.reason);
        return;
    case SL_WIRE_UNBLOCKED:
        on_blocked(link, false, SL_SPAN_LITERAL(""));
        return;
    case SL_WIRE_ACK:
    case SL_WIRE_NACK:
        on_answer(link, frame);
        return;
    case SL_WIRE_CANCEL:
        on_cancelled(link, frame->cancel.consumer_tag);
        return;
    case SL_WIRE_CANCEL_OK:
        if (!sl_link_is_open(link)) {
            out_of_turn(link, frame->kind);
        } else if (!link->is_freed && link->opts.on_stopped != NULL) {
            link->opts.on_stopped(link, link->opts.arg);
        }
        return;
    case SL_WIRE_CREDIT_OK:
        on_credit_ok(link);
        return;
    case SL_WIRE_CONSUME_OK:
    case SL_WIRE_QOS_OK:
        if (!sl_link_is_open(link)) {
            out_of_turn(link, frame->kind);
        }
        return;
    case SL_WIRE_EXCHANGE_OK:
    case SL_WIRE_QUEUE_OK:
    case SL_WIRE_BIND_OK:
        on_declare_ok(link, frame);
        return;
    case SL_WIRE_CLOSE_OK: /* we never wait for the answer to our own close */
    case SL_WIRE_CHANNEL_CLOSE_OK:
    case SL_WIRE_RETURN:
    case SL_WIRE_DELIVER:
    case SL_WIRE_CONTENT_HEADER:
    case SL_WIRE_CONTENT_BODY:
        out_of_turn(link, frame->kind);
        return;
    }
}

static void on_start(struct sl_amqp_link *link, const struct sl_wire_frame *frame)
{
    link->version = sl_link_version_read(frame->start.version);
    struct sl_span rest = frame->start.mechanisms;
    struct sl_span mechanism = { 0 };
    while (sl_span_split(&rest, ' ', &mechanism)) {
        if (sl_span_is(mechanism, "PLAIN")) {
            sl_link_happened(link, SL_LINK_EV_START);
            return;
        }
    }
    struct sl_err err = { 0 };
    sl_fail(&err, SL_E_AMQP_REFUSED, "the broker does not offer the login mechanism PLAIN");
    sl_link_fail(link, &err);
}

/* 0 means "no limit" for the frame size and "none" for the heartbeat, which we keep all the same. */
static void on_tune(struct sl_amqp_link *link, const struct sl_wire_frame *frame)
{
    uint32_t frame_bytes = frame->tune.frame_bytes_max;
    if (frame_bytes == 0 || frame_bytes > SL_WIRE_FRAME_BYTES_MAX) {
        frame_bytes = SL_WIRE_FRAME_BYTES_MAX;
    }
    if (frame_bytes < SL_WIRE_FRAME_BYTES_MIN) {
        struct sl_err err = { 0 };
        sl_fail(&err, SL_E_AMQP_PROTOCOL, "the broker wants frames of %u bytes, the least is %u",
                (unsigned)frame_bytes, SL_WIRE_FRAME_BYTES_MIN);
        sl_link_fail(link, &err);
        return;
    }
    int64_t heartbeat_s = frame->tune.heartbeat_s;
    if (heartbeat_s == 0 || heartbeat_s > link->opts.heartbeat_s) {
        heartbeat_s = link->opts.heartbeat_s;
    }
    if (link->phase == SL_LINK_LOGIN) {
        sl_wire_set_frame_bytes_max(link->wire, frame_bytes);
        link->heartbeat_ms = heartbeat_s * 1000;
    }
    sl_link_happened(link, SL_LINK_EV_TUNE);
}

/* A closed channel ends the connection too: one way down, one way up. */
static void on_close(struct sl_amqp_link *link, const struct sl_wire_frame *frame)
{
    struct sl_err err = { 0 };
    struct sl_span text = frame->close.text;
    int text_bytes = text.bytes < REASON_BYTES_MAX ? (int)text.bytes : REASON_BYTES_MAX;
    bool is_channel = frame->kind == SL_WIRE_CHANNEL_CLOSE;
    size_t body_bytes_max = is_channel ? sl_link_body_bytes_max(frame->close.code, text) : 0;
    enum sl_code code = sl_link_close_code(frame->close.code);
    link->body_bytes_max = body_bytes_max; /* kept over the next connection, if this was all */
    sl_fail(&err, body_bytes_max > 0 ? SL_E_AMQP_TOO_LARGE : code,
            "the broker closed the %s: %u %.*s (%s)", is_channel ? "channel" : "connection",
            (unsigned)frame->close.code, text_bytes, text.data, sl_link_phase_doing(link->phase));

    struct sl_buf *out = sl_link_out(link);
    bool put = is_channel ? sl_wire_put_channel_close_ok(link->wire, out, NULL) &&
                                sl_wire_put_close(link->wire, out, NULL)
                          : sl_wire_put_close_ok(link->wire, out, NULL);
    if (put && sl_link_send(link, NULL)) {
        sl_link_flush(link);
    }
    sl_link_fail(link, &err);
}

static void on_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason)
{
    enum sl_link_phase before = link->phase;
    sl_link_happened(link, is_blocked ? SL_LINK_EV_BLOCKED : SL_LINK_EV_UNBLOCKED);
    if (link->bev != NULL && link->phase != before && !link->is_freed &&
        link->opts.on_blocked != NULL) {
        link->opts.on_blocked(link, is_blocked, reason, link->opts.arg);
    }
}

static void on_answer(struct sl_amqp_link *link, const struct sl_wire_frame *frame)
{
    struct sl_err err = { 0 };
    if (!sl_link_is_open(link) || link->confirms == NULL) {
        out_of_turn(link, frame->kind);
        return;
    }
    if (!sl_confirms_answer(link->confirms, frame->settle.tag, frame->settle.multiple,
                            frame->kind == SL_WIRE_ACK, sl_link_settled, link, &err)) {
        sl_link_fail(link, &err);
        return;
    }
    sl_link_look_for_caught_up(link);
    look_for_refusal(link, frame->kind == SL_WIRE_NACK);
}

/*
 * A channel of RabbitMQ 3.10 that was told of a full queue goes on refusing when the limit is taken away: only a new channel finds out. Another
 * node, where there are several, may be better off too.
 */
static void look_for_refusal(struct sl_amqp_link *link, bool is_nack)
{
    int64_t now_ms = sl_clock_mono_ms();
    if (!sl_link_is_open(link)) {
        return; /* a callback may have ended it */
    }
    if (!is_nack) {
        link->refused_since_ms = 0;
    } else if (link->refused_since_ms == 0) {
        link->refused_since_ms = now_ms;
    } else if (now_ms - link->refused_since_ms >= link->opts.refused_ms) {
        struct sl_err err = { 0 };
        sl_fail(&err, SL_E_AMQP_CLOSED,
                "the broker has refused every publish for %lld ms: trying another connection",
                (long long)(now_ms - link->refused_since_ms));
        sl_link_fail(link, &err);
    }
}

/* Without confirms nobody waits to hear of it. */
static void on_returned(struct sl_amqp_link *link)
{
    const struct sl_amqp_message *message = &link->content.delivery.message;
    struct sl_err err = { 0 };
    if (link->confirms == NULL) {
        return;
    }
    uint64_t key =
        sl_confirms_key(sl_span_of(message->exchange), message->routing_key, message->message_id);
    if (!sl_confirms_return(link->confirms, key, &err)) {
        sl_link_fail(link, &err);
    }
}

static void on_delivered(struct sl_amqp_link *link)
{
    if (!link->is_freed && link->opts.on_delivery != NULL) {
        link->opts.on_delivery(link, &link->content.delivery, link->opts.arg);
    }
}

static void on_cancelled(struct sl_amqp_link *link, struct sl_span consumer_tag)
{
    if (!sl_link_is_open(link)) {
        out_of_turn(link, SL_WIRE_CANCEL);
        return;
    }
    struct sl_err err = { 0 };
    sl_fail(&err, SL_E_AMQP_NOT_FOUND,
            "the broker cancelled the consumer of %.*s: its queue is gone",
            SL_SPAN_ARGS(consumer_tag));
    if (!link->is_freed && link->opts.on_cancelled != NULL) {
        link->opts.on_cancelled(link, consumer_tag, link->opts.arg);
    }
    sl_link_fail(link, &err);
}

static void on_credit_ok(struct sl_amqp_link *link)
{
    struct sl_err err = { 0 };
    if (!sl_link_is_open(link)) {
        out_of_turn(link, SL_WIRE_CREDIT_OK);
    } else if (!sl_link_quiet_answered(link, &err)) {
        sl_link_fail(link, &err);
    }
}

static void on_declare_ok(struct sl_amqp_link *link, const struct sl_wire_frame *frame)
{
    if (!link->declare.is_pending || !answers(link->declare.kind, frame->kind)) {
        out_of_turn(link, frame->kind);
        return;
    }
    struct sl_amqp_declared declared = { 0 };
    if (frame->kind == SL_WIRE_QUEUE_OK) {
        declared.message_count = frame->queue.message_count;
        declared.consumer_count = frame->queue.consumer_count;
    }
    sl_link_declared(link, &declared, NULL);
}

static bool answers(enum sl_amqp_declare_kind kind, enum sl_wire_kind answer)
{
    switch (kind) {
    case SL_AMQP_DECLARE_EXCHANGE:
        return answer == SL_WIRE_EXCHANGE_OK;
    case SL_AMQP_DECLARE_QUEUE:
        return answer == SL_WIRE_QUEUE_OK;
    case SL_AMQP_BIND_QUEUE:
    case SL_AMQP_BIND_EXCHANGE:
        return answer == SL_WIRE_BIND_OK;
    }
    return false;
}

static void out_of_turn(struct sl_amqp_link *link, enum sl_wire_kind kind)
{
    struct sl_err err = { 0 };
    sl_fail(&err, SL_E_AMQP_PROTOCOL, "the broker sent %s out of turn (%s)",
            sl_wire_kind_name(kind), sl_link_phase_doing(link->phase));
    sl_link_fail(link, &err);
}
