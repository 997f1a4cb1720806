/*
 * fuzz amqp - any bytes from a broker: never a crash, never memory beyond what is bounded, and a publish is settled at most once. The first byte of
 * the input says how the rest is presented: as it is, or cut into frames whose head and end are right, so that what lies behind them is reached.
 */
#include <stdlib.h>

#include "shared/amqp/amqp_content.h"
#include "shared/amqp/confirms.h"

#define BODY_BYTES_MAX 65536u
#define PUBLISHES      64u

struct broker {
    struct sl_wire *wire;
    struct sl_content content;
    struct sl_confirms *confirms;
    unsigned settled[PUBLISHES];
    bool is_ended;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
static void hear(struct broker *broker, struct sl_span stream);
static void obey(struct broker *broker, const struct sl_wire_frame *frame);
static void on_settled(void *arg, uint64_t cookie, enum sl_publish_outcome outcome);
static bool cut(struct sl_span *rest, struct sl_buf *out);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct broker broker = { 0 };
    struct sl_err err = { 0 };
    if (bytes == 0) {
        return 0;
    }
    broker.wire = sl_wire_new(&err);
    broker.confirms = sl_confirms_new(PUBLISHES, &err);
    sl_content_init(&broker.content, BODY_BYTES_MAX);
    if (broker.wire == NULL || broker.confirms == NULL) {
        abort();
    }
    sl_wire_set_frame_bytes_max(broker.wire, (data[0] & 2) != 0 ? SL_WIRE_FRAME_BYTES_MAX
                                                                : SL_WIRE_FRAME_BYTES_MIN);
    for (uint64_t i = 0; i < PUBLISHES / 2; i++) {
        sl_confirms_add(broker.confirms, i % 4, i, (int64_t)i);
    }
    struct sl_span rest = { (const char *)data + 1, bytes - 1 };
    if ((data[0] & 1) == 0) {
        hear(&broker, rest);
    } else {
        SL_DONE(sl_buf_done) struct sl_buf frame;
        sl_buf_init(&frame, SL_WIRE_FRAME_BYTES_MAX);
        while (!broker.is_ended && cut(&rest, &frame)) {
            hear(&broker, sl_buf_span(&frame));
        }
    }
    sl_confirms_reset(broker.confirms, on_settled, &broker);
    for (size_t i = 0; i < PUBLISHES / 2; i++) {
        if (broker.settled[i] != 1) {
            abort();
        }
    }
    sl_content_done(&broker.content);
    sl_confirms_free(broker.confirms);
    sl_wire_free(broker.wire);
    return 0;
}

/* Kind, size and payload of the next frame, made whole. */
static bool cut(struct sl_span *rest, struct sl_buf *out)
{
    if (rest->bytes < 3) {
        return false;
    }
    unsigned char kind = (unsigned char)rest->data[0];
    size_t wanted = ((size_t)(unsigned char)rest->data[1] << 8) | (unsigned char)rest->data[2];
    size_t size = wanted % (rest->bytes - 2);
    const char head[SL_WIRE_HEAD_BYTES] = {
        (char)((kind & 3) == 0 ? 8 : (kind & 3)),
        0,
        (char)((kind >> 2) & 1),
        0,
        0,
        (char)(size >> 8),
        (char)size,
    };
    sl_buf_reset(out);
    sl_buf_append(out, head, sizeof head);
    sl_buf_append(out, rest->data + 3, size);
    sl_buf_append(out, "\xce", 1);
    *rest = (struct sl_span){ rest->data + 3 + size, rest->bytes - 3 - size };
    return true;
}

static void hear(struct broker *broker, struct sl_span stream)
{
    struct sl_err err = { 0 };
    while (!broker->is_ended && stream.bytes >= SL_WIRE_HEAD_BYTES) {
        size_t size = 0;
        struct sl_wire_frame frame = { 0 };
        if (!sl_wire_measure(broker->wire, (const unsigned char *)stream.data, &size, &err)) {
            broker->is_ended = true;
            return;
        }
        if (size > SL_WIRE_FRAME_BYTES_MAX) {
            abort();
        }
        if (size > stream.bytes) {
            return;
        }
        /* Exactly as long as it claims to be, so that a read behind it is seen. */
        char *exact = malloc(size);
        if (exact == NULL) {
            return;
        }
        memcpy(exact, stream.data, size);
        if (sl_wire_decode(broker->wire, sl_span_make(exact, size), &frame, &err)) {
            obey(broker, &frame);
        } else {
            broker->is_ended = true;
        }
        free(exact);
        stream = (struct sl_span){ stream.data + size, stream.bytes - size };
    }
}

static void obey(struct broker *broker, const struct sl_wire_frame *frame)
{
    struct sl_err err = { 0 };
    const struct sl_amqp_message *message = &broker->content.delivery.message;
    switch (sl_content_feed(&broker->content, frame, &err)) {
    case SL_CONTENT_BAD:
        broker->is_ended = true;
        return;
    case SL_CONTENT_TAKEN:
        return;
    case SL_CONTENT_DELIVERED:
        if (message->body.bytes > BODY_BYTES_MAX || message->header_count > SL_AMQP_HEADERS_MAX) {
            abort();
        }
        return;
    case SL_CONTENT_RETURNED:
        broker->is_ended =
            !sl_confirms_return(broker->confirms,
                                sl_confirms_key(sl_span_of(message->exchange), message->routing_key,
                                                message->message_id) %
                                    8,
                                &err);
        return;
    case SL_CONTENT_OTHER:
        break;
    }
    if (frame->kind == SL_WIRE_ACK || frame->kind == SL_WIRE_NACK) {
        broker->is_ended =
            !sl_confirms_answer(broker->confirms, frame->settle.tag, frame->settle.multiple,
                                frame->kind == SL_WIRE_ACK, on_settled, broker, &err);
    }
}

static void on_settled(void *arg, uint64_t cookie, enum sl_publish_outcome outcome)
{
    (void)outcome;
    struct broker *broker = arg;
    broker->settled[cookie]++;
}
