/*
 * amqp_link - one connection to RabbitMQ with one channel, kept alive for ever.
 *
 * Connects (resolving every host itself), starts, tunes, opens, opens channel 1, selects confirms when asked, and then tells its owner it is up.
 * Every wait has a deadline. Any error, deadline, missed heartbeat or close ends the connection, settles everything in flight
 * as LOST, and reconnects with full-jitter backoff up to 30 s, rotating over the hosts, for ever. A publish is settled exactly once; only
 * CONFIRMED means the broker took it (confirmed and not returned).
 * rabbitmq-c is used as a codec only, behind shared/amqp/amqp_wire.h; its sockets and waits are never used.
 * The program ignores SIGPIPE: a broker that is gone shows as an error, never as a signal.
 * Refuses: policy about what to do without a broker; sharing a connection between publishing and consuming (use two links).
 * Threads: belongs to its loop.
 */
#ifndef SHARED_AMQP_LINK_H
#define SHARED_AMQP_LINK_H

#include <stdint.h>

#include "shared/amqp/amqp_url.h"
#include "shared/loop.h"
#include "shared/span.h"

struct sl_amqp_link;

enum sl_amqp_state {
    SL_AMQP_CONNECTING, /* first attempt not over yet, or an attempt is running */
    SL_AMQP_UP,         /* channel open */
    SL_AMQP_BLOCKED,    /* channel open, but the broker told us not to publish */
    SL_AMQP_STALLED,    /* channel open, but the broker owes a confirm past its deadline */
    SL_AMQP_WAITING,    /* backing off until the next attempt */
};
const char *sl_amqp_state_name(enum sl_amqp_state state);

enum sl_publish_outcome {
    SL_PUBLISH_CONFIRMED,
    SL_PUBLISH_RETURNED, /* no queue took it */
    SL_PUBLISH_NACKED,
    SL_PUBLISH_TIMEOUT, /* no confirm within confirm_ms: unknown */
    SL_PUBLISH_LOST,    /* the connection or channel ended first: unknown */
};
const char *sl_publish_outcome_name(enum sl_publish_outcome outcome);

struct sl_amqp_header {
    const char *name;
    struct sl_span text; /* when not absent, a long string */
    int64_t number;      /* else a 64-bit integer */
};
#define SL_AMQP_HEADERS_MAX 24u

struct sl_amqp_message {
    const char *exchange;
    struct sl_span routing_key; /* <= 255 bytes */
    struct sl_span message_id;  /* <= 255 bytes */
    struct sl_span type;        /* <= 255 bytes; longer ones are left out */
    struct sl_span content_type;
    struct sl_span app_id;
    int64_t timestamp_s; /* 0: none */
    const struct sl_amqp_header *headers;
    size_t header_count;
    struct sl_span body;
};

struct sl_amqp_delivery {
    uint64_t tag;
    bool redelivered;
    size_t headers_left_out; /* tables, arrays and fractions, or more than SL_AMQP_HEADERS_MAX */
    struct sl_amqp_message message; /* borrowed during the callback; exchange is NULL-terminated */
};

struct sl_amqp_link_opts {
    struct sl_loop *loop;
    const struct sl_amqp_url *url; /* borrowed for the link's life */
    const char *connection_name; /* "sluice-publisher/host/pid", shown by the broker's own tools */
    bool confirms;               /* confirm.select after the channel is open */
    int64_t attempt_ms;          /* TCP connect to channel open, per host; default 5 s */
    int64_t confirm_ms;          /* longest wait for a confirm; default 2 s */
    int64_t
        refused_ms; /* nothing but nacks for so long: another connection is tried; default 20 s */
    int64_t heartbeat_s;  /* offered; default 10 */
    size_t publishes_max; /* unsettled at once; default 4096 */
    size_t
        message_bytes_max; /* inbound; a larger delivery ends the connection; default SL_ENVELOPE_BYTES_MAX + 4 KiB */

    void *arg;
    /* Any of these may be NULL. Called from the loop, never from inside a call the owner makes. */
    void (*on_up)(struct sl_amqp_link *link, void *arg);
    /* Also after a failed attempt; wait_ms is the pause before the next one. */
    void (*on_down)(struct sl_amqp_link *link, const struct sl_err *why, int64_t wait_ms,
                    void *arg);
    /* Files of url->papers cannot be used; what was read last serves this attempt too. */
    void (*on_papers)(struct sl_amqp_link *link, const struct sl_err *why, void *arg);
    /*
     * BLOCKED or STALLED begins, or ends with UP; sl_amqp_link_state says which it is. A link that is stalled becomes UP when nothing is owed any
     * more, and is given up for another connection when that takes too long.
     */
    void (*on_blocked)(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason,
                       void *arg);
    void (*on_settled)(struct sl_amqp_link *link, uint64_t cookie, enum sl_publish_outcome outcome,
                       void *arg);
    void (*on_delivery)(struct sl_amqp_link *link, const struct sl_amqp_delivery *delivery,
                        void *arg);
    /* Our own cancel (sl_amqp_consume_stop) is through: no delivery of that consumer comes any more. */
    void (*on_stopped)(struct sl_amqp_link *link, void *arg);
    /* The broker cancelled our consumer (its queue is gone): the link goes down after this. */
    void (*on_cancelled)(struct sl_amqp_link *link, struct sl_span consumer_tag, void *arg);
};

/* Starts connecting on the next turn of the loop. Zero numbers mean the defaults named above. */
struct sl_amqp_link *sl_amqp_link_new(const struct sl_amqp_link_opts *opts,
                                      struct sl_err *err) SL_MUST;
/*
 * Closes at once: what is queued and connection.close are sent as far as the socket takes them now. No callback runs any more. May be called
 * from inside any callback. Accepts NULL.
 */
void sl_amqp_link_free(struct sl_amqp_link *link);
enum sl_amqp_state sl_amqp_link_state(const struct sl_amqp_link *link);
/* True once the first attempt has ended, either way. */
bool sl_amqp_link_has_tried(const struct sl_amqp_link *link);
size_t sl_amqp_link_inflight(const struct sl_amqp_link *link);
/* Bytes of the largest body this broker said it takes, when it refused one; 0: it has not said. */
size_t sl_amqp_link_takes(const struct sl_amqp_link *link);
/* Of the broker that was met last: 1000 times the major number and the minor one, 3010 for 3.10.8; 0: not known. */
unsigned sl_amqp_link_version(const struct sl_amqp_link *link);

/*
 * Sends persistent + mandatory. True: on_settled will be called exactly once with cookie (only when confirms are on). False: nothing was sent
 * (SL_E_AMQP_NOT_UP while not UP, SL_E_LIMIT at publishes_max or for oversized fields, SL_E_AMQP_TOO_LARGE for a body that is larger than what this
 * broker said it takes). The first such body is sent, and costs the connection; its limit is believed until the link goes down for anything else.
 */
bool sl_amqp_publish(struct sl_amqp_link *link, const struct sl_amqp_message *message,
                     uint64_t cookie, struct sl_err *err) SL_MUST;

/* basic.qos(prefetch, global=false) and basic.consume(consumer_tag = queue). Repeat after each on_up. */
bool sl_amqp_consume(struct sl_amqp_link *link, const char *queue, uint16_t prefetch,
                     struct sl_err *err) SL_MUST;
/* The same under a consumer tag of its own, for a queue that is consumed more than once on a connection. */
bool sl_amqp_consume_as(struct sl_amqp_link *link, const char *queue, const char *tag,
                        uint16_t prefetch, struct sl_err *err) SL_MUST;
/*
 * basic.cancel of our own consumer, as amqp_quiet says, so that none of its deliveries is counted before RabbitMQ 4; deliveries already on the way
 * still arrive, and acknowledgements meanwhile are sent behind it. Do not consume the queue again under the same tag while deliveries
 * of it are unacknowledged: RabbitMQ 3.10 ends the channel with an internal error.
 */
bool sl_amqp_consume_stop(struct sl_amqp_link *link, const char *tag, struct sl_err *err) SL_MUST;
/* Acknowledgements of an earlier connection's tags must not be sent: the owner forgets its deliveries on on_down. */
bool sl_amqp_ack(struct sl_amqp_link *link, uint64_t tag, bool multiple,
                 struct sl_err *err) SL_MUST;
bool sl_amqp_nack(struct sl_amqp_link *link, uint64_t tag, bool multiple, bool requeue,
                  struct sl_err *err) SL_MUST;

/*
 * Stops taking what the broker sends, or takes it again: how an owner bounds the bytes it holds, since the protocol's prefetch counts messages
 * only. While paused the broker's silence does not end the link. Every new connection starts unpaused; without a connection it does nothing.
 */
void sl_amqp_read_pause(struct sl_amqp_link *link, bool is_paused);

/*
 * Declarations, for topology. One at a time: on_done runs once with err NULL or the broker's refusal (SL_E_AMQP_NOT_FOUND for 404,
 * SL_E_AMQP_PRECONDITION for 406, SL_E_AMQP_REFUSED for others), after which the link reconnects by itself (a refusal closes the channel).
 */
enum sl_amqp_declare_kind {
    SL_AMQP_DECLARE_EXCHANGE,
    SL_AMQP_DECLARE_QUEUE,
    SL_AMQP_BIND_QUEUE,
    SL_AMQP_BIND_EXCHANGE
};
struct sl_amqp_declare {
    enum sl_amqp_declare_kind kind;
    bool passive;            /* only ask whether it exists */
    const char *name;        /* exchange or queue; for bindings the destination */
    const char *type;        /* exchange type */
    const char *source;      /* bindings: the exchange bound to */
    const char *routing_key; /* bindings */
    const struct sl_amqp_header *arguments;
    size_t argument_count;
};
struct sl_amqp_declared {
    uint32_t message_count;  /* queues */
    uint32_t consumer_count; /* queues */
};
bool sl_amqp_declare(struct sl_amqp_link *link, const struct sl_amqp_declare *declare,
                     void (*on_done)(struct sl_amqp_link *link,
                                     const struct sl_amqp_declared *declared,
                                     const struct sl_err *err, void *arg),
                     void *arg, struct sl_err *err) SL_MUST;

SL_DEFINE_AUTO(struct sl_amqp_link *, sl_amqp_link_free)

#endif
