/*
 * amqp_wire - AMQP 0-9-1 frames as bytes: what the broker sends becomes a struct, what we say becomes bytes.
 *
 * Its files (amqp_wire.c and amqp_wire_method.c for what comes in, amqp_wire_out.c for what goes out) are the only ones that include rabbitmq-c's headers, and
 * they use only its stateless functions (decode and encode of methods and properties). The library's connection object is not used at all,
 * not even for input: frames are cut here, so that type, channel and size are checked before a byte is kept, memory is bounded by one
 * message's methods and headers, and none of its traps (growing channel pools, aborts in tuning) exist.
 * Knows only the methods this project uses, on connection channel 0 and channel 1. Anything else is SL_E_AMQP_PROTOCOL, after which the connection
 * must be ended: the codec makes no promise after bad data.
 * Refuses: sockets, waiting, deciding.
 * Law: AMQP 0-9-1 specification, section 4.2; RabbitMQ's extensions basic.nack, basic.credit, confirm.select, connection.blocked.
 * Threads: one owner.
 */
#ifndef SHARED_AMQP_WIRE_H
#define SHARED_AMQP_WIRE_H

#include "shared/amqp/amqp_link.h"
#include "shared/buf.h"

#define SL_WIRE_HEAD_BYTES 7u /* type, channel, size */
/* frame-min-size of the specification: no smaller limit may be agreed. */
#define SL_WIRE_FRAME_BYTES_MIN 4096u
#define SL_WIRE_FRAME_BYTES_MAX 131072u /* what we offer; RabbitMQ's own default */
#define SL_WIRE_NAME_BYTES_MAX  255u    /* a short string */

enum sl_wire_kind {
    SL_WIRE_HEARTBEAT,
    SL_WIRE_START,
    SL_WIRE_TUNE,
    SL_WIRE_OPEN_OK,
    SL_WIRE_CLOSE, /* of the connection */
    SL_WIRE_CLOSE_OK,
    SL_WIRE_BLOCKED,
    SL_WIRE_UNBLOCKED,
    SL_WIRE_CHANNEL_OPEN_OK,
    SL_WIRE_CHANNEL_CLOSE,
    SL_WIRE_CHANNEL_CLOSE_OK,
    SL_WIRE_SELECT_OK,
    SL_WIRE_ACK,
    SL_WIRE_NACK,
    SL_WIRE_RETURN,
    SL_WIRE_DELIVER,
    SL_WIRE_CANCEL,
    SL_WIRE_CANCEL_OK,
    SL_WIRE_CREDIT_OK,
    SL_WIRE_CONSUME_OK,
    SL_WIRE_QOS_OK,
    SL_WIRE_EXCHANGE_OK,
    SL_WIRE_QUEUE_OK,
    SL_WIRE_BIND_OK,
    SL_WIRE_CONTENT_HEADER,
    SL_WIRE_CONTENT_BODY,
};
const char *sl_wire_kind_name(enum sl_wire_kind kind);

/*
 * All spans are borrowed. Those of RETURN, DELIVER and CONTENT_HEADER live until the next RETURN or DELIVER is decoded (so a message can be
 * put together without copies), all others until the next frame is.
 */
struct sl_wire_frame {
    enum sl_wire_kind kind;
    union {
        struct {
            struct sl_span mechanisms;
            struct sl_span version; /* of the server's software; or absent */
        } start;
        struct {
            uint16_t channel_max;
            uint32_t frame_bytes_max;
            uint16_t heartbeat_s;
        } tune;
        struct {
            uint16_t code;
            struct sl_span text;
        } close; /* CLOSE and CHANNEL_CLOSE */
        struct {
            struct sl_span reason;
        } blocked;
        struct {
            uint64_t tag;
            bool multiple;
        } settle; /* ACK and NACK */
        struct {
            uint16_t code;
            struct sl_span exchange;
            struct sl_span routing_key;
        } returned;
        struct {
            uint64_t tag;
            bool redelivered;
            struct sl_span exchange;
            struct sl_span routing_key;
        } deliver;
        struct {
            struct sl_span consumer_tag;
        } cancel;
        struct {
            uint32_t message_count;
            uint32_t consumer_count;
        } queue;
        struct {
            uint64_t body_bytes;
            struct sl_amqp_message properties; /* exchange, routing_key and body are not set */
            size_t headers_left_out;
        } content;
        struct sl_span body;
    };
};

struct sl_wire;
struct sl_wire *sl_wire_new(struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void sl_wire_free(struct sl_wire *wire);
/* For a new connection: the frame size is the initial one again. */
void sl_wire_reset(struct sl_wire *wire);
/* What was agreed; both directions. At least SL_WIRE_FRAME_BYTES_MIN, at most SL_WIRE_FRAME_BYTES_MAX. */
void sl_wire_set_frame_bytes_max(struct sl_wire *wire, uint32_t bytes_max);
uint32_t sl_wire_frame_bytes_max(const struct sl_wire *wire);

/* head: SL_WIRE_HEAD_BYTES of a frame. out_bytes: size of the whole frame. */
bool sl_wire_measure(const struct sl_wire *wire, const unsigned char *head, size_t *out_bytes,
                     struct sl_err *err) SL_MUST;
/* frame: exactly as many bytes as measured. */
bool sl_wire_decode(struct sl_wire *wire, struct sl_span frame, struct sl_wire_frame *out_frame,
                    struct sl_err *err) SL_MUST;

/* Each appends whole frames to out. On failure what out holds is to be thrown away. SL_E_LIMIT: a field or the whole is too large. */
struct sl_wire_login {
    const char *user;
    const char *password;
    const char *connection_name;
};
bool sl_wire_put_protocol(struct sl_buf *out, struct sl_err *err) SL_MUST;
bool sl_wire_put_start_ok(const struct sl_wire *wire, struct sl_buf *out,
                          const struct sl_wire_login *login, struct sl_err *err) SL_MUST;
bool sl_wire_put_tune_ok(const struct sl_wire *wire, struct sl_buf *out, uint16_t heartbeat_s,
                         struct sl_err *err) SL_MUST;
bool sl_wire_put_open(const struct sl_wire *wire, struct sl_buf *out, const char *vhost,
                      struct sl_err *err) SL_MUST;
bool sl_wire_put_channel_open(const struct sl_wire *wire, struct sl_buf *out,
                              struct sl_err *err) SL_MUST;
bool sl_wire_put_select(const struct sl_wire *wire, struct sl_buf *out, struct sl_err *err) SL_MUST;
bool sl_wire_put_heartbeat(struct sl_buf *out, struct sl_err *err) SL_MUST;
bool sl_wire_put_close(const struct sl_wire *wire, struct sl_buf *out, struct sl_err *err) SL_MUST;
bool sl_wire_put_close_ok(const struct sl_wire *wire, struct sl_buf *out,
                          struct sl_err *err) SL_MUST;
bool sl_wire_put_channel_close_ok(const struct sl_wire *wire, struct sl_buf *out,
                                  struct sl_err *err) SL_MUST;
/* Method, header and as many body frames as it takes. */
bool sl_wire_put_publish(const struct sl_wire *wire, struct sl_buf *out,
                         const struct sl_amqp_message *message, struct sl_err *err) SL_MUST;
/* basic.qos and basic.consume. */
bool sl_wire_put_consume(const struct sl_wire *wire, struct sl_buf *out, const char *queue,
                         const char *consumer_tag, uint16_t prefetch, struct sl_err *err) SL_MUST;
bool sl_wire_put_cancel(const struct sl_wire *wire, struct sl_buf *out, const char *consumer_tag,
                        struct sl_err *err) SL_MUST;
/* basic.credit: no credit is left. Not known to rabbitmq-c, nor to RabbitMQ 4. */
bool sl_wire_put_no_credit(struct sl_buf *out, const char *consumer_tag,
                           struct sl_err *err) SL_MUST;
bool sl_wire_put_ack(const struct sl_wire *wire, struct sl_buf *out, uint64_t tag, bool multiple,
                     struct sl_err *err) SL_MUST;
bool sl_wire_put_nack(const struct sl_wire *wire, struct sl_buf *out, uint64_t tag, bool multiple,
                      bool requeue, struct sl_err *err) SL_MUST;
bool sl_wire_put_declare(const struct sl_wire *wire, struct sl_buf *out,
                         const struct sl_amqp_declare *declare, struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct sl_wire *, sl_wire_free)

#endif
