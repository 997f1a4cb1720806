/*
 * amqp_link_parts - the inside of a broker link, shared by its five files and nobody else.
 *
 *   amqp_link.c         life, phases, deadlines, reconnecting
 *   amqp_link_connect.c the socket: dialling, TLS, the steps of the handshake, sending
 *   amqp_link_frames.c  what a frame from the broker means
 *   amqp_link_calls.c   what the owner asks for
 *   amqp_link_quiet.c   how a consumer leaves, and the acknowledgements that wait for it (amqp_quiet decides)
 *
 * An entry from the loop is wrapped in sl_link_enter and sl_link_leave: a link that its owner frees inside a callback is disconnected at once
 * but its memory goes when the outermost entry leaves. After every callback, code here looks at link->bev before it goes on.
 */
#ifndef SHARED_AMQP_LINK_PARTS_H
#define SHARED_AMQP_LINK_PARTS_H

#include "shared/amqp/amqp_content.h"
#include "shared/amqp/amqp_link_step.h"
#include "shared/amqp/amqp_quiet.h"
#include "shared/amqp/confirms.h"
#include "shared/backoff.h"
#include "shared/dial.h"
#include "shared/tls.h"

#define SL_LINK_OUT_BYTES_MAX (32u * 1024u * 1024u) /* largest message we encode, frames included */

struct bufferevent;

struct sl_amqp_link {
    struct sl_amqp_link_opts opts; /* defaults filled in; connection_name is owned */
    enum sl_link_phase phase;
    struct sl_backoff backoff;
    size_t host_index;
    size_t hosts_left; /* to be tried before the next pause */
    bool has_tried;
    int64_t up_since_ms;
    size_t body_bytes_max; /* what this broker said it takes; 0: nothing said */
    unsigned version;      /* as sl_amqp_link_version says it */

    unsigned entries; /* from the loop, nested */
    bool is_freed;

    struct sl_tls_client *tls; /* NULL: plain TCP */
    struct sl_dial *dial;
    struct bufferevent *bev; /* NULL: not connected */
    struct sl_wire *wire;
    struct sl_buf out; /* frames on their way into bev */
    struct sl_content content;
    struct sl_confirms *confirms; /* NULL: not wanted */

    struct sl_timer *attempt_timer; /* WAITING: next attempt; before UP: end of the attempt */
    struct sl_timer *beat_timer;
    struct sl_timer *confirm_timer;
    struct sl_timer *declare_timer;
    struct sl_timer *resume_timer; /* the owner's pause is over */
    struct sl_timer *quiet_timer;  /* a queue that was asked owes its answer */
    struct sl_quiet quiet;
    struct sl_buf settlements; /* that wait until those who leave are cancelled */
    int64_t heartbeat_ms;
    int64_t received_at_ms;   /* last byte */
    int64_t refused_since_ms; /* first nack since the last ack of this connection; 0: none */
    int64_t sent_at_ms;

    struct {
        bool is_pending;
        enum sl_amqp_declare_kind kind;
        void (*on_done)(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                        const struct sl_err *err, void *arg);
        void *arg;
    } declare;
};

void sl_link_enter(struct sl_amqp_link *link);
void sl_link_leave(struct sl_amqp_link *link);

/* An event of the broker: unknown in this phase, it is a protocol error. */
void sl_link_happened(struct sl_amqp_link *link, enum sl_link_event event);
/* Ends the connection for this reason; nothing happens when it has ended already. */
void sl_link_fail(struct sl_amqp_link *link, const struct sl_err *why);
bool sl_link_is_open(const struct sl_amqp_link *link); /* UP, BLOCKED or STALLED */
/* The owner has not paused it. */
bool sl_link_is_reading(const struct sl_amqp_link *link);

/* Connects to the host of this turn: CONNECTED or a failure follows. */
void sl_link_dial(struct sl_amqp_link *link);
/* Sends what this step of the handshake says. */
bool sl_link_speak(struct sl_amqp_link *link, enum sl_link_action action,
                   struct sl_err *err) SL_MUST;

/* link->out, emptied, to append frames to; sl_link_send then hands them to the socket. */
struct sl_buf *sl_link_out(struct sl_amqp_link *link);
bool sl_link_send(struct sl_amqp_link *link, struct sl_err *err) SL_MUST;
/* As much as the socket takes now: for last words before a close. */
void sl_link_flush(struct sl_amqp_link *link);

/* The pending declaration ends; err NULL is success. */
void sl_link_declared(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                      const struct sl_err *err);
/* Begins to leave: on_stopped follows. */
bool sl_link_quiet_stop(struct sl_amqp_link *link, const char *tag, struct sl_err *err) SL_MUST;
bool sl_link_quiet_answered(struct sl_amqp_link *link, struct sl_err *err) SL_MUST;
/* It has taken too long, or the link ends: cancels whoever is leaving, and sends what waited. */
bool sl_link_quiet_late(struct sl_amqp_link *link, struct sl_err *err) SL_MUST;
/* The connection is gone, and its tags with it. */
void sl_link_quiet_reset(struct sl_amqp_link *link);
struct sl_link_settlement {
    uint64_t tag;
    bool is_ack; /* else it is returned, or rejected */
    bool multiple;
    bool requeue;
};
/* Sent now, or with the cancel of whoever is leaving. */
bool sl_link_put_settlement(struct sl_amqp_link *link, const struct sl_link_settlement *settlement,
                            struct sl_err *err) SL_MUST;

/* Nothing is overdue any more: publishing goes on. */
void sl_link_look_for_caught_up(struct sl_amqp_link *link);
/* Visitor of the confirm window. */
void sl_link_settled(void *arg, uint64_t cookie, enum sl_publish_outcome outcome);

/* Handles every whole frame that has arrived. */
void sl_link_read(struct sl_amqp_link *link);

#endif
