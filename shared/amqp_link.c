/*
 * Happy path: dial a host, greet, log in, tune, open, open the channel, select confirms (amqp_link_step's table), announce UP. Then frames in
 * are cut from the input buffer and handled one by one; what the owner says is encoded and queued on the bufferevent.
 *
 * Failure: whatever goes wrong, on whichever path, ends in lose(): the socket is closed, everything in flight is settled as LOST, the owner is
 * told once, and the next attempt is armed. A failure found inside an owner's call is only noted and handled on the next turn of the loop.
 */
#include "shared/amqp_link.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "shared/amqp_content.h"
#include "shared/amqp_link_step.h"
#include "shared/amqp_wire.h"
#include "shared/backoff.h"
#include "shared/clock.h"
#include "shared/confirms.h"
#include "shared/dial.h"
#include "shared/digest.h"
#include "shared/envelope.h"

#define ATTEMPT_MS_DEFAULT    5000
#define CONFIRM_MS_DEFAULT    2000
#define HEARTBEAT_S_DEFAULT   10
#define PUBLISHES_MAX_DEFAULT 4096u
#define PROPERTIES_BYTES_ROOM 4096u
#define BACKOFF_BASE_MS       250
#define BACKOFF_CAP_MS        30000
/* Unsent bytes beyond which publishes are refused: the broker does not read. */
#define OUTPUT_BYTES_MAX (8u * 1024u * 1024u)
/* A broker that answers heartbeats but no confirms for so long beyond their deadline is left for another one. */
#define SILENT_CONFIRMS_MS 15000
/* Frames handled before other work of the loop gets its turn. */
#define FRAMES_A_TURN_MAX 512u

struct declaring {
    bool is_waiting;
    enum sl_wire_kind answer;
    void (*on_done)(struct sl_amqp_link *link, const struct sl_amqp_declared *declared,
                    const struct sl_err *err, void *arg);
    void *arg;
};

struct sl_amqp_link {
    struct sl_amqp_link_opts opts; /* with the defaults filled in */
    char connection_name[256];
    enum sl_link_phase phase;
    bool has_tried;
    unsigned depth; /* handlers of ours on the stack */
    bool is_doomed; /* freed inside one of them */

    struct sl_dial *dial;
    struct bufferevent *bev; /* NULL without a connection */
    struct sl_wire *wire;
    struct sl_content content;
    struct sl_confirms *confirms;
    struct sl_buf out; /* scratch for one encoding */
    struct declaring declaring;

    struct sl_timer *attempt; /* the next attempt, or the deadline of this one */
    struct sl_timer *heartbeat;
    struct sl_timer *deadlines; /* of confirms */
    struct sl_timer *again;     /* a noted failure, or input left over */
    struct sl_backoff backoff;
    size_t host_next;
    int64_t heartbeat_ms; /* agreed; 0: none */
    int64_t heard_ms;
    int64_t spoke_ms;
    bool is_paused;
    bool has_noted;
    struct sl_err noted;
};

static void fill_defaults(struct sl_amqp_link_opts *opts);
static void enter(struct sl_amqp_link *link);
static void leave(struct sl_amqp_link *link);
static void destroy(struct sl_amqp_link *link);
static void on_attempt(void *arg);
static void on_dialed(int fd, const struct sl_err *why, void *arg);
static bool attach(struct sl_amqp_link *link, int fd, struct sl_err *err);
static void on_read(struct bufferevent *bev, void *arg);
static void on_gone(struct bufferevent *bev, short what, void *arg);
static void take_frames(struct sl_amqp_link *link);
static bool take_frame(struct sl_amqp_link *link, bool *out_is_empty, struct sl_err *err);
static bool handle(struct sl_amqp_link *link, const struct sl_wire_frame *frame,
                   struct sl_err *err);
static bool handle_connection(struct sl_amqp_link *link, const struct sl_wire_frame *frame,
                              struct sl_err *err);
static bool handle_channel(struct sl_amqp_link *link, const struct sl_wire_frame *frame,
                           struct sl_err *err);
static bool agree(struct sl_amqp_link *link, const struct sl_wire_frame *frame, struct sl_err *err);
static bool closed_by_broker(struct sl_amqp_link *link, const char *what,
                             const struct sl_wire_frame *frame, struct sl_err *err);
static bool declared(struct sl_amqp_link *link, const struct sl_wire_frame *frame,
                     struct sl_err *err);
static bool step(struct sl_amqp_link *link, enum sl_link_event event,
                 const struct sl_wire_frame *frame, struct sl_err *err);
static bool act(struct sl_amqp_link *link, enum sl_link_action action,
                const struct sl_wire_frame *frame, struct sl_err *err);
static void announce_up(struct sl_amqp_link *link);
static void announce_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason);
static void lose(struct sl_amqp_link *link, const struct sl_err *why);
static void note(struct sl_amqp_link *link, const struct sl_err *why);
static void on_again(void *arg);
static void settled(void *arg, uint64_t cookie, enum sl_publish_outcome outcome);
static void watch_deadlines(struct sl_amqp_link *link);
static void on_deadlines(void *arg);
static void on_heartbeat(void *arg);
static bool flush(struct sl_amqp_link *link, bool encoded, struct sl_err *err);
static bool is_open(const struct sl_amqp_link *link, struct sl_err *err);
static void say_goodbye(struct sl_amqp_link *link);
static void send_now(struct sl_amqp_link *link);

const char *sl_amqp_state_name(enum sl_amqp_state state)
{
    switch (state) {
    case SL_AMQP_CONNECTING:
        return "connecting";
    case SL_AMQP_UP:
        return "up";
    case SL_AMQP_BLOCKED:
        return "blocked";
    case SL_AMQP_WAITING:
        return "waiting";
    }
    return "unknown";
}

const char *sl_publish_outcome_name(enum sl_publish_outcome outcome)
{
    switch (outcome) {
    case SL_PUBLISH_CONFIRMED:
        return "confirmed";
    case SL_PUBLISH_RETURNED:
        return "returned";
    case SL_PUBLISH_NACKED:
        return "nacked";
    case SL_PUBLISH_TIMEOUT:
        return "timeout";
    case SL_PUBLISH_LOST:
        return "lost";
    }
    return "unknown";
}

struct sl_amqp_link *sl_amqp_link_new(const struct sl_amqp_link_opts *opts, struct sl_err *err)
{
    if (opts->url->is_tls) {
        sl_fail(err, SL_E_CONFIG, "AMQP_URL: amqps:// is not supported by this version");
        return NULL;
    }
    struct sl_amqp_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a broker link");
        return NULL;
    }
    link->opts = *opts;
    fill_defaults(&link->opts);
    snprintf(link->connection_name, sizeof link->connection_name, "%s", opts->connection_name);
    link->backoff = (struct sl_backoff){ .base_ms = BACKOFF_BASE_MS, .cap_ms = BACKOFF_CAP_MS };
    sl_buf_init(&link->out, link->opts.message_bytes_max + PROPERTIES_BYTES_ROOM);
    sl_content_init(&link->content, link->opts.message_bytes_max);
    link->wire = sl_wire_new(err);
    link->confirms = sl_confirms_new(link->opts.publishes_max, err);
    link->dial = sl_dial_new(opts->loop, on_dialed, link, err);
    link->attempt = sl_timer_new(opts->loop, on_attempt, link);
    link->heartbeat = sl_timer_new(opts->loop, on_heartbeat, link);
    link->deadlines = sl_timer_new(opts->loop, on_deadlines, link);
    link->again = sl_timer_new(opts->loop, on_again, link);
    bool is_seeded = sl_random_bytes(&link->backoff.rng, sizeof link->backoff.rng);
    link->backoff.rng |= 1;
    if (link->wire == NULL || link->confirms == NULL || link->dial == NULL ||
        link->attempt == NULL || link->heartbeat == NULL || link->deadlines == NULL ||
        link->again == NULL || !is_seeded) {
        destroy(link);
        sl_fail(err, SL_E_MEMORY, "no memory for a broker link");
        return NULL;
    }
    sl_timer_arm(link->attempt, 0);
    return link;
}

static void fill_defaults(struct sl_amqp_link_opts *opts)
{
    opts->attempt_ms = opts->attempt_ms == 0 ? ATTEMPT_MS_DEFAULT : opts->attempt_ms;
    opts->confirm_ms = opts->confirm_ms == 0 ? CONFIRM_MS_DEFAULT : opts->confirm_ms;
    opts->heartbeat_s = opts->heartbeat_s == 0 ? HEARTBEAT_S_DEFAULT : opts->heartbeat_s;
    opts->publishes_max = opts->publishes_max == 0 ? PUBLISHES_MAX_DEFAULT : opts->publishes_max;
    if (opts->message_bytes_max == 0) {
        opts->message_bytes_max = SL_ENVELOPE_BYTES_MAX + PROPERTIES_BYTES_ROOM;
    }
}

void sl_amqp_link_free(struct sl_amqp_link *link)
{
    if (link == NULL) {
        return;
    }
    say_goodbye(link);
    if (link->depth > 0) {
        link->is_doomed = true; /* the handler on the stack destroys it when it leaves */
        return;
    }
    destroy(link);
}

/* What is queued, acknowledgements above all, and a proper close: as far as the socket takes it now. */
static void say_goodbye(struct sl_amqp_link *link)
{
    if (link->bev == NULL) {
        return;
    }
    struct sl_err ignored = { 0 };
    sl_buf_reset(&link->out);
    if (link->phase != SL_LINK_GREETING && sl_wire_put_close(link->wire, &link->out, &ignored)) {
        bufferevent_write(link->bev, link->out.data, link->out.used_bytes);
    }
    bufferevent_disable(link->bev, EV_READ);
    send_now(link);
}

/* What the socket takes without waiting. */
static void send_now(struct sl_amqp_link *link)
{
    struct evbuffer *output = bufferevent_get_output(link->bev);
    bufferevent_disable(link->bev, EV_WRITE);
    evbuffer_unfreeze(output, 1); /* a bufferevent keeps its output from others */
    while (evbuffer_get_length(output) > 0 &&
           evbuffer_write(output, bufferevent_getfd(link->bev)) > 0) {
    }
}

static void destroy(struct sl_amqp_link *link)
{
    if (link->bev != NULL) {
        bufferevent_free(link->bev);
    }
    sl_dial_free(link->dial);
    sl_timer_free(link->attempt);
    sl_timer_free(link->heartbeat);
    sl_timer_free(link->deadlines);
    sl_timer_free(link->again);
    sl_confirms_free(link->confirms);
    sl_content_done(&link->content);
    sl_wire_free(link->wire);
    sl_buf_done(&link->out);
    free(link);
}

/* Every handler that may call the owner runs between enter and leave. */
static void enter(struct sl_amqp_link *link)
{
    link->depth++;
}

static void leave(struct sl_amqp_link *link)
{
    if (--link->depth == 0 && link->is_doomed) {
        destroy(link);
    }
}

enum sl_amqp_state sl_amqp_link_state(const struct sl_amqp_link *link)
{
    return link->has_noted ? SL_AMQP_WAITING : sl_link_phase_state(link->phase);
}

bool sl_amqp_link_has_tried(const struct sl_amqp_link *link)
{
    return link->has_tried;
}

size_t sl_amqp_link_inflight(const struct sl_amqp_link *link)
{
    return sl_confirms_count(link->confirms);
}

/* The pause is over, or the attempt took too long. */
static void on_attempt(void *arg)
{
    struct sl_amqp_link *link = arg;
    struct sl_err err = { 0 };
    enter(link);
    bool is_pause_over = link->phase == SL_LINK_NEW || link->phase == SL_LINK_WAITING;
    if (!is_pause_over) {
        sl_fail(&err, SL_E_AMQP_UNREACHABLE, "no answer in time while %s",
                sl_link_phase_doing(link->phase));
        lose(link, &err);
    } else if (!step(link, SL_LINK_EV_TRY, NULL, &err)) {
        lose(link, &err);
    }
    leave(link);
}

static void on_dialed(int fd, const struct sl_err *why, void *arg)
{
    struct sl_amqp_link *link = arg;
    struct sl_err err = { 0 };
    enter(link);
    if (why != NULL) {
        lose(link, why);
    } else if (!attach(link, fd, &err) || !step(link, SL_LINK_EV_CONNECTED, NULL, &err)) {
        lose(link, &err);
    }
    leave(link);
}

static bool attach(struct sl_amqp_link *link, int fd, struct sl_err *err)
{
    unsigned silence_ms = (unsigned)link->opts.heartbeat_s * 2000u;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
    link->bev = bufferevent_socket_new(sl_loop_base(link->opts.loop), fd, BEV_OPT_CLOSE_ON_FREE);
    if (link->bev == NULL) {
        evutil_closesocket(fd);
        return sl_fail(err, SL_E_MEMORY, "no memory for a connection");
    }
    sl_wire_reset(link->wire);
    sl_content_reset(&link->content);
    link->is_paused = false;
    link->heartbeat_ms = 0;
    link->heard_ms = sl_clock_mono_ms();
    link->spoke_ms = link->heard_ms;
    bufferevent_setcb(link->bev, on_read, NULL, on_gone, link);
    bufferevent_setwatermark(link->bev, EV_READ, 0, 2 * SL_WIRE_FRAME_BYTES_MAX);
    bufferevent_enable(link->bev, EV_READ | EV_WRITE);
    return true;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct sl_amqp_link *link = arg;
    enter(link);
    link->heard_ms = sl_clock_mono_ms();
    take_frames(link);
    leave(link);
}

static void on_gone(struct bufferevent *bev, short what, void *arg)
{
    struct sl_amqp_link *link = arg;
    struct sl_err err = { 0 };
    enter(link);
    const char *why = (what & BEV_EVENT_EOF) != 0
                          ? "closed by the other side"
                          : evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR());
    (void)bev;
    /* RabbitMQ ends a refused login by closing the socket, without a word, when it does not know our capabilities. */
    enum sl_code code = link->phase == SL_LINK_LOGIN ? SL_E_AMQP_REFUSED : SL_E_AMQP_CLOSED;
    sl_fail(&err, code, "connection ended while %s: %s", sl_link_phase_doing(link->phase), why);
    lose(link, &err);
    leave(link);
}

/* A bounded number of frames; the rest on the next turn. */
static void take_frames(struct sl_amqp_link *link)
{
    struct sl_err err = { 0 };
    bool is_empty = false;
    for (unsigned taken = 0; taken < FRAMES_A_TURN_MAX; taken++) {
        if (link->bev == NULL || link->is_doomed || link->is_paused) {
            return;
        }
        if (!take_frame(link, &is_empty, &err)) {
            lose(link, &err);
            return;
        }
        if (is_empty) {
            return;
        }
    }
    sl_timer_arm(link->again, 0);
}

static bool take_frame(struct sl_amqp_link *link, bool *out_is_empty, struct sl_err *err)
{
    struct evbuffer *input = bufferevent_get_input(link->bev);
    size_t have = evbuffer_get_length(input);
    unsigned char head[SL_WIRE_HEAD_BYTES];
    size_t bytes = 0;
    *out_is_empty = have < sizeof head;
    if (*out_is_empty) {
        return true;
    }
    evbuffer_copyout(input, head, sizeof head);
    if (!sl_wire_measure(link->wire, head, &bytes, err)) {
        return false;
    }
    *out_is_empty = have < bytes;
    if (*out_is_empty) {
        return true;
    }
    struct sl_span raw = sl_span_make(evbuffer_pullup(input, (ssize_t)bytes), bytes);
    struct sl_wire_frame frame = { 0 };
    if (raw.data == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a frame");
    }
    bool handled = sl_wire_decode(link->wire, raw, &frame, err) && handle(link, &frame, err);
    if (handled && link->bev != NULL && !link->is_doomed) {
        evbuffer_drain(input, bytes);
    }
    return handled;
}

static bool handle(struct sl_amqp_link *link, const struct sl_wire_frame *frame, struct sl_err *err)
{
    switch (sl_content_feed(&link->content, frame, err)) {
    case SL_CONTENT_BAD:
        return false;
    case SL_CONTENT_TAKEN:
        return true;
    case SL_CONTENT_RETURNED: {
        const struct sl_amqp_message *message = &link->content.delivery.message;
        return sl_confirms_return(link->confirms,
                                  sl_confirms_key(sl_span_of(message->exchange),
                                                  message->routing_key, message->message_id),
                                  err);
    }
    case SL_CONTENT_DELIVERED:
        if (link->opts.on_delivery != NULL) {
            link->opts.on_delivery(link, &link->content.delivery, link->opts.arg);
        }
        return true;
    case SL_CONTENT_OTHER:
        break;
    }
    return frame->kind <= SL_WIRE_UNBLOCKED ? handle_connection(link, frame, err)
                                            : handle_channel(link, frame, err);
}

static bool handle_connection(struct sl_amqp_link *link, const struct sl_wire_frame *frame,
                              struct sl_err *err)
{
    switch ((int)frame->kind) {
    case SL_WIRE_HEARTBEAT:
        return true;
    case SL_WIRE_START:
        return step(link, SL_LINK_EV_START, frame, err);
    case SL_WIRE_TUNE:
        return agree(link, frame, err) && step(link, SL_LINK_EV_TUNE, frame, err);
    case SL_WIRE_OPEN_OK:
        return step(link, SL_LINK_EV_OPEN_OK, frame, err);
    case SL_WIRE_BLOCKED:
        return step(link, SL_LINK_EV_BLOCKED, frame, err);
    case SL_WIRE_UNBLOCKED:
        return step(link, SL_LINK_EV_UNBLOCKED, frame, err);
    case SL_WIRE_CLOSE:
        return closed_by_broker(link, "connection", frame, err);
    default:
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "unexpected %s", sl_wire_kind_name(frame->kind));
    }
}

static bool handle_channel(struct sl_amqp_link *link, const struct sl_wire_frame *frame,
                           struct sl_err *err)
{
    switch ((int)frame->kind) {
    case SL_WIRE_CHANNEL_OPEN_OK:
        return step(link, link->opts.confirms ? SL_LINK_EV_CHANNEL_OK : SL_LINK_EV_READY, frame,
                    err);
    case SL_WIRE_SELECT_OK:
        return step(link, SL_LINK_EV_READY, frame, err);
    case SL_WIRE_ACK:
    case SL_WIRE_NACK: {
        bool is_valid =
            sl_confirms_answer(link->confirms, frame->settle.tag, frame->settle.multiple,
                               frame->kind == SL_WIRE_ACK, settled, link, err);
        watch_deadlines(link);
        return is_valid;
    }
    case SL_WIRE_CANCEL:
        if (link->opts.on_cancelled != NULL) {
            link->opts.on_cancelled(link, frame->cancel.consumer_tag, link->opts.arg);
        }
        return sl_fail(err, SL_E_AMQP_NOT_FOUND,
                       "the broker cancelled the consumer of queue \"%.*s\": the queue is gone",
                       SL_SPAN_ARGS(frame->cancel.consumer_tag));
    case SL_WIRE_CHANNEL_CLOSE:
        return closed_by_broker(link, "channel", frame, err);
    case SL_WIRE_QUEUE_OK:
    case SL_WIRE_EXCHANGE_OK:
    case SL_WIRE_BIND_OK:
        return declared(link, frame, err);
    case SL_WIRE_QOS_OK:
    case SL_WIRE_CONSUME_OK:
    case SL_WIRE_CANCEL_OK:
    case SL_WIRE_CHANNEL_CLOSE_OK:
        return true;
    default:
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "unexpected %s", sl_wire_kind_name(frame->kind));
    }
}

/* The smaller wish wins; 0 means that the broker has none. */
static bool agree(struct sl_amqp_link *link, const struct sl_wire_frame *frame, struct sl_err *err)
{
    uint32_t frame_bytes = frame->tune.frame_bytes_max;
    if (frame_bytes == 0 || frame_bytes > SL_WIRE_FRAME_BYTES_MAX) {
        frame_bytes = SL_WIRE_FRAME_BYTES_MAX;
    }
    if (frame_bytes < SL_WIRE_FRAME_BYTES_MIN) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL,
                       "the broker wants frames of at most %u bytes, which AMQP forbids",
                       (unsigned)frame->tune.frame_bytes_max);
    }
    sl_wire_set_frame_bytes_max(link->wire, frame_bytes);
    int64_t theirs_s = frame->tune.heartbeat_s;
    int64_t agreed_s =
        theirs_s == 0 || theirs_s > link->opts.heartbeat_s ? link->opts.heartbeat_s : theirs_s;
    link->heartbeat_ms = agreed_s * 1000;
    sl_timer_arm(link->heartbeat, link->heartbeat_ms / 2);
    return true;
}

static bool closed_by_broker(struct sl_amqp_link *link, const char *what,
                             const struct sl_wire_frame *frame, struct sl_err *err)
{
    sl_fail(err, sl_link_close_code(frame->close.code), "the broker closed the %s: %u %.*s", what,
            (unsigned)frame->close.code,
            (int)(frame->close.text.bytes > 255 ? 255 : frame->close.text.bytes),
            frame->close.text.data);
    struct sl_err ignored = { 0 };
    bool encoded = frame->kind == SL_WIRE_CLOSE
                       ? sl_wire_put_close_ok(link->wire, &link->out, &ignored)
                       : sl_wire_put_channel_close_ok(link->wire, &link->out, &ignored);
    if (flush(link, encoded, &ignored)) {
        send_now(link);
    }
    return false;
}

static bool declared(struct sl_amqp_link *link, const struct sl_wire_frame *frame,
                     struct sl_err *err)
{
    struct declaring declaring = link->declaring;
    if (!declaring.is_waiting || declaring.answer != frame->kind) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "unexpected %s", sl_wire_kind_name(frame->kind));
    }
    link->declaring.is_waiting = false;
    const struct sl_amqp_declared answer = {
        .message_count = frame->kind == SL_WIRE_QUEUE_OK ? frame->queue.message_count : 0,
        .consumer_count = frame->kind == SL_WIRE_QUEUE_OK ? frame->queue.consumer_count : 0,
    };
    declaring.on_done(link, &answer, NULL, declaring.arg);
    return true;
}

/* frame: what the event came with, or NULL. */
static bool step(struct sl_amqp_link *link, enum sl_link_event event,
                 const struct sl_wire_frame *frame, struct sl_err *err)
{
    const struct sl_link_rule *rule = sl_link_step(link->phase, event);
    if (rule == NULL) {
        return sl_fail(err, SL_E_AMQP_PROTOCOL, "the broker spoke out of turn (%s) while %s",
                       frame == NULL ? "nothing" : sl_wire_kind_name(frame->kind),
                       sl_link_phase_doing(link->phase));
    }
    link->phase = rule->to;
    return act(link, rule->act, frame, err);
}

static bool act(struct sl_amqp_link *link, enum sl_link_action action,
                const struct sl_wire_frame *frame, struct sl_err *err)
{
    const struct sl_amqp_url *url = link->opts.url;
    switch (action) {
    case SL_LINK_DO_NOTHING:
        return true;
    case SL_LINK_DO_DIAL: {
        const struct sl_amqp_host *host = &url->hosts[link->host_next++ % url->host_count];
        sl_timer_arm(link->attempt, link->opts.attempt_ms);
        sl_dial_start(link->dial, host->name, host->port, link->opts.attempt_ms);
        return true;
    }
    case SL_LINK_DO_GREET:
        return flush(link, sl_wire_put_protocol(&link->out, err), err);
    case SL_LINK_DO_LOGIN: {
        const struct sl_wire_login login = { .user = url->user,
                                             .password = url->password,
                                             .connection_name = link->connection_name };
        bool sent = flush(link, sl_wire_put_start_ok(link->wire, &link->out, &login, err), err);
        explicit_bzero(link->out.data, link->out.room_bytes);
        return sent;
    }
    case SL_LINK_DO_OPEN:
        return flush(link,
                     sl_wire_put_tune_ok(link->wire, &link->out,
                                         (uint16_t)(link->heartbeat_ms / 1000), err) &&
                         sl_wire_put_open(link->wire, &link->out, url->vhost, err),
                     err);
    case SL_LINK_DO_CHANNEL:
        return flush(link, sl_wire_put_channel_open(link->wire, &link->out, err), err);
    case SL_LINK_DO_SELECT:
        return flush(link, sl_wire_put_select(link->wire, &link->out, err), err);
    case SL_LINK_DO_ANNOUNCE_UP:
        announce_up(link);
        return true;
    case SL_LINK_DO_ANNOUNCE_BLOCKED:
        announce_blocked(link, true, frame->blocked.reason);
        return true;
    case SL_LINK_DO_ANNOUNCE_UNBLOCKED:
        announce_blocked(link, false, SL_SPAN_LITERAL(""));
        return true;
    case SL_LINK_DO_BACK_OFF:
        break; /* lose() performs it */
    }
    return true;
}

static void announce_up(struct sl_amqp_link *link)
{
    sl_timer_disarm(link->attempt);
    sl_backoff_reset(&link->backoff);
    link->has_tried = true;
    link->host_next--; /* a lost connection is tried again where it was */
    if (link->opts.on_up != NULL) {
        link->opts.on_up(link, link->opts.arg);
    }
}

static void announce_blocked(struct sl_amqp_link *link, bool is_blocked, struct sl_span reason)
{
    if (link->opts.on_blocked != NULL) {
        link->opts.on_blocked(link, is_blocked, reason, link->opts.arg);
    }
}

/* The only way down. */
static void lose(struct sl_amqp_link *link, const struct sl_err *why)
{
    const struct sl_link_rule *rule = sl_link_step(link->phase, SL_LINK_EV_FAILED);
    if (link->is_doomed || rule == NULL) {
        return; /* down already */
    }
    struct sl_err reason = *why;
    bool was_up = link->phase == SL_LINK_UP || link->phase == SL_LINK_BLOCKED;
    link->phase = rule->to;
    link->has_tried = true;
    link->has_noted = false;
    sl_timer_disarm(link->attempt);
    sl_timer_disarm(link->heartbeat);
    sl_timer_disarm(link->deadlines);
    if (link->bev != NULL) {
        bufferevent_free(link->bev);
        link->bev = NULL;
    }
    link->host_next += was_up ? 1 : 0;
    struct declaring declaring = link->declaring;
    link->declaring.is_waiting = false;
    int64_t wait_ms = sl_backoff_next_ms(&link->backoff);
    int64_t least_ms = sl_link_pause_ms_min(reason.code);
    wait_ms = wait_ms < least_ms ? least_ms : wait_ms;
    if (declaring.is_waiting && was_up) {
        wait_ms = 0; /* a refused declaration is an answer, not trouble */
        sl_backoff_reset(&link->backoff);
    }
    sl_timer_arm(link->attempt, wait_ms);
    sl_confirms_reset(link->confirms, settled, link);
    if (declaring.is_waiting && !link->is_doomed) {
        declaring.on_done(link, NULL, &reason, declaring.arg);
    }
    if (link->opts.on_down != NULL && !link->is_doomed) {
        link->opts.on_down(link, &reason, wait_ms, link->opts.arg);
    }
}

/* A failure inside an owner's call: dealt with on the next turn. */
static void note(struct sl_amqp_link *link, const struct sl_err *why)
{
    if (!link->has_noted) {
        link->has_noted = true;
        link->noted = *why;
        sl_timer_arm(link->again, 0);
    }
}

static void on_again(void *arg)
{
    struct sl_amqp_link *link = arg;
    enter(link);
    if (link->has_noted) {
        struct sl_err why = link->noted;
        lose(link, &why);
    } else {
        take_frames(link);
    }
    leave(link);
}

static void settled(void *arg, uint64_t cookie, enum sl_publish_outcome outcome)
{
    struct sl_amqp_link *link = arg;
    if (link->opts.on_settled != NULL && !link->is_doomed) {
        link->opts.on_settled(link, cookie, outcome, link->opts.arg);
    }
}

static void watch_deadlines(struct sl_amqp_link *link)
{
    int64_t oldest_ms = sl_confirms_oldest_deadline_ms(link->confirms);
    if (oldest_ms >= 0 && link->bev != NULL && !sl_timer_is_armed(link->deadlines)) {
        int64_t next_ms = sl_confirms_next_deadline_ms(link->confirms);
        int64_t wait_ms =
            (next_ms >= 0 ? next_ms : oldest_ms + SILENT_CONFIRMS_MS) - sl_clock_mono_ms();
        sl_timer_arm(link->deadlines, wait_ms > 0 ? wait_ms : 0);
    }
}

static void on_deadlines(void *arg)
{
    struct sl_amqp_link *link = arg;
    struct sl_err err = { 0 };
    enter(link);
    int64_t now_ms = sl_clock_mono_ms();
    sl_confirms_expire(link->confirms, now_ms, settled, link);
    int64_t oldest_ms = sl_confirms_oldest_deadline_ms(link->confirms);
    if (oldest_ms >= 0 && now_ms - oldest_ms >= SILENT_CONFIRMS_MS) {
        sl_fail(&err, SL_E_DEADLINE, "the broker has stopped confirming");
        lose(link, &err);
    } else {
        watch_deadlines(link);
    }
    leave(link);
}

static void on_heartbeat(void *arg)
{
    struct sl_amqp_link *link = arg;
    struct sl_err err = { 0 };
    int64_t now_ms = sl_clock_mono_ms();
    enter(link);
    if (!link->is_paused && now_ms - link->heard_ms > 2 * link->heartbeat_ms) {
        sl_fail(&err, SL_E_DEADLINE, "nothing heard from the broker for %lld s",
                (long long)((now_ms - link->heard_ms) / 1000));
        lose(link, &err);
    } else {
        bool is_quiet = now_ms - link->spoke_ms >= link->heartbeat_ms / 2 - 1;
        if (is_quiet && !flush(link, sl_wire_put_heartbeat(&link->out, &err), &err)) {
            lose(link, &err);
        } else {
            sl_timer_arm(link->heartbeat, link->heartbeat_ms / 2);
        }
    }
    leave(link);
}

/* Hands what was encoded into `out` to the connection. */
static bool flush(struct sl_amqp_link *link, bool encoded, struct sl_err *err)
{
    bool queued = encoded &&
                  (link->bev != NULL || sl_fail(err, SL_E_AMQP_NOT_UP, "no connection")) &&
                  (bufferevent_write(link->bev, link->out.data, link->out.used_bytes) == 0 ||
                   sl_fail(err, SL_E_MEMORY, "no memory to send"));
    sl_buf_reset(&link->out);
    if (queued) {
        link->spoke_ms = sl_clock_mono_ms();
    }
    return queued;
}

static bool is_open(const struct sl_amqp_link *link, struct sl_err *err)
{
    bool is_up = (link->phase == SL_LINK_UP || link->phase == SL_LINK_BLOCKED) && !link->has_noted;
    return is_up || sl_fail(err, SL_E_AMQP_NOT_UP, "the broker link is %s",
                            sl_amqp_state_name(sl_amqp_link_state(link)));
}

bool sl_amqp_publish(struct sl_amqp_link *link, const struct sl_amqp_message *message,
                     uint64_t cookie, struct sl_err *err)
{
    if (!is_open(link, err)) {
        return false;
    }
    if (link->phase == SL_LINK_BLOCKED) {
        return sl_fail(err, SL_E_AMQP_NOT_UP,
                       "the broker blocks publishing (memory or disk alarm)");
    }
    if (link->opts.confirms && !sl_confirms_has_room(link->confirms)) {
        return sl_fail(err, SL_E_LIMIT, "%zu publishes wait for their confirm already",
                       link->opts.publishes_max);
    }
    if (evbuffer_get_length(bufferevent_get_output(link->bev)) > OUTPUT_BYTES_MAX) {
        return sl_fail(err, SL_E_LIMIT, "the broker does not read what it is sent");
    }
    if (!flush(link, sl_wire_put_publish(link->wire, &link->out, message, err), err)) {
        return false;
    }
    if (link->opts.confirms) {
        sl_confirms_add(link->confirms,
                        sl_confirms_key(sl_span_of(message->exchange), message->routing_key,
                                        message->message_id),
                        cookie, sl_clock_mono_ms() + link->opts.confirm_ms);
        watch_deadlines(link);
    }
    return true;
}

bool sl_amqp_consume(struct sl_amqp_link *link, const char *queue, uint16_t prefetch,
                     struct sl_err *err)
{
    return is_open(link, err) &&
           flush(link, sl_wire_put_consume(link->wire, &link->out, queue, prefetch, err), err);
}

bool sl_amqp_consume_stop(struct sl_amqp_link *link, const char *queue, struct sl_err *err)
{
    return is_open(link, err) &&
           flush(link, sl_wire_put_cancel(link->wire, &link->out, queue, err), err);
}

bool sl_amqp_ack(struct sl_amqp_link *link, uint64_t tag, bool multiple, struct sl_err *err)
{
    if (!is_open(link, err)) {
        return false;
    }
    bool sent = flush(link, sl_wire_put_ack(link->wire, &link->out, tag, multiple, err), err);
    if (!sent) {
        note(link, err); /* the delivery would stay unacknowledged for ever: start anew */
    }
    return sent;
}

bool sl_amqp_nack(struct sl_amqp_link *link, uint64_t tag, bool multiple, bool requeue,
                  struct sl_err *err)
{
    if (!is_open(link, err)) {
        return false;
    }
    bool sent =
        flush(link, sl_wire_put_nack(link->wire, &link->out, tag, multiple, requeue, err), err);
    if (!sent) {
        note(link, err);
    }
    return sent;
}

void sl_amqp_read_pause(struct sl_amqp_link *link, bool is_paused)
{
    if (link->bev == NULL || link->is_paused == is_paused) {
        return;
    }
    link->is_paused = is_paused;
    if (is_paused) {
        bufferevent_disable(link->bev, EV_READ);
        return;
    }
    link->heard_ms = sl_clock_mono_ms();
    bufferevent_enable(link->bev, EV_READ);
    sl_timer_arm(link->again, 0); /* frames that are in the buffer already */
}

bool sl_amqp_declare(struct sl_amqp_link *link, const struct sl_amqp_declare *declare,
                     void (*on_done)(struct sl_amqp_link *link,
                                     const struct sl_amqp_declared *declared,
                                     const struct sl_err *err, void *arg),
                     void *arg, struct sl_err *err)
{
    static const enum sl_wire_kind answers[] = {
        [SL_AMQP_DECLARE_EXCHANGE] = SL_WIRE_EXCHANGE_OK,
        [SL_AMQP_DECLARE_QUEUE] = SL_WIRE_QUEUE_OK,
        [SL_AMQP_BIND_QUEUE] = SL_WIRE_BIND_OK,
        [SL_AMQP_BIND_EXCHANGE] = SL_WIRE_BIND_OK,
    };
    if (link->declaring.is_waiting) {
        return sl_fail(err, SL_E_BUG, "one declaration at a time");
    }
    if (!is_open(link, err) ||
        !flush(link, sl_wire_put_declare(link->wire, &link->out, declare, err), err)) {
        return false;
    }
    link->declaring = (struct declaring){
        .is_waiting = true, .answer = answers[declare->kind], .on_done = on_done, .arg = arg
    };
    return true;
}
