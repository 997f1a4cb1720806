#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <unistd.h>

#include "shared/amqp/amqp_link_parts.h"
#include "shared/clock.h"

#define OUT_KEPT_BYTES (4u * 1024u * 1024u) /* room kept between messages */
#define READ_BYTES_MAX 65536u               /* per turn of the loop */

static void read_papers(struct sl_amqp_link *link);
static void on_dialed(int fd, const struct sl_err *why, void *arg);
static bool open_bufferevent(struct sl_amqp_link *link, int fd, struct sl_err *err);
static void on_readable(struct bufferevent *bev, void *arg);
static void on_socket_event(struct bufferevent *bev, short what, void *arg);
static void explain(const struct sl_amqp_link *link, short what, int error, struct sl_err *err);

void sl_link_dial(struct sl_amqp_link *link)
{
    const struct sl_amqp_host *host = &link->opts.url->hosts[link->host_index];
    struct sl_err err = { 0 };
    read_papers(link);
    sl_timer_arm(link->attempt_timer, link->opts.attempt_ms);
    link->dial = sl_dial_new(link->opts.loop, on_dialed, link, &err);
    if (link->dial == NULL) {
        sl_link_fail(link, &err);
        return;
    }
    sl_dial_start(link->dial, host->name, host->port, link->opts.attempt_ms);
}

/* They may have been renewed since; while one half of a pair is, the last good ones serve. */
static void read_papers(struct sl_amqp_link *link)
{
    struct sl_err why = { 0 };
    if (link->tls != NULL && !sl_tls_client_load(link->tls, &why) && link->opts.on_papers != NULL) {
        link->opts.on_papers(link, &why, link->opts.arg);
    }
}

static void on_dialed(int fd, const struct sl_err *why, void *arg)
{
    struct sl_amqp_link *link = arg;
    struct sl_err err = { 0 };
    sl_link_enter(link);
    if (fd < 0) {
        sl_link_fail(link, why);
    } else {
        sl_dial_free(SL_TAKE(link->dial));
        if (!open_bufferevent(link, fd, &err)) {
            sl_link_fail(link, &err);
        } else if (link->tls == NULL) {
            sl_link_happened(link, SL_LINK_EV_CONNECTED);
        } /* else when the handshake of TLS is done */
    }
    sl_link_leave(link);
}

static bool open_bufferevent(struct sl_amqp_link *link, int fd, struct sl_err *err)
{
    struct event_base *base = sl_loop_base(link->opts.loop);
    if (link->tls != NULL) {
        const char *host = link->opts.url->hosts[link->host_index].name;
        link->bev = sl_tls_client_open(link->tls, base, fd, host, err);
        if (link->bev == NULL) {
            return false;
        }
    } else {
        link->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
        if (link->bev == NULL) {
            close(fd);
            return sl_fail(err, SL_E_MEMORY, "no memory for a broker connection");
        }
    }
    sl_wire_reset(link->wire);
    sl_content_reset(&link->content);
    bufferevent_setcb(link->bev, on_readable, NULL, on_socket_event, link);
    (void)bufferevent_set_max_single_read(link->bev, READ_BYTES_MAX);
    bufferevent_enable(link->bev, EV_READ | EV_WRITE);
    return true;
}

static void on_readable(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct sl_amqp_link *link = arg;
    sl_link_enter(link);
    link->received_at_ms = sl_clock_mono_ms();
    sl_link_read(link);
    sl_link_leave(link);
}

static void on_socket_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct sl_amqp_link *link = arg;
    int error = EVUTIL_SOCKET_ERROR();
    sl_link_enter(link);
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        sl_link_happened(link, SL_LINK_EV_CONNECTED);
    } else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        struct sl_err err = { 0 };
        explain(link, what, error, &err);
        sl_link_fail(link, &err);
    }
    sl_link_leave(link);
}

static void explain(const struct sl_amqp_link *link, short what, int error, struct sl_err *err)
{
    const struct sl_amqp_host *host = &link->opts.url->hosts[link->host_index];
    const char *reason = link->tls != NULL ? sl_tls_reason(link->bev) : NULL;
    if (reason != NULL) {
        sl_fail(err, SL_E_AMQP_TLS, "%s:%u: TLS: %s", host->name, (unsigned)host->port, reason);
    } else if ((what & BEV_EVENT_EOF) != 0 || error == 0) {
        sl_fail(err, SL_E_AMQP_CLOSED, "%s:%u: the broker ended the connection (%s)", host->name,
                (unsigned)host->port, sl_link_phase_doing(link->phase));
    } else {
        sl_fail(err, SL_E_AMQP_CLOSED, "%s:%u: %s (%s)", host->name, (unsigned)host->port,
                evutil_socket_error_to_string(error), sl_link_phase_doing(link->phase));
    }
}

bool sl_link_speak(struct sl_amqp_link *link, enum sl_link_action action, struct sl_err *err)
{
    struct sl_buf *out = sl_link_out(link);
    const struct sl_amqp_url *url = link->opts.url;
    bool put = false;
    if (action == SL_LINK_DO_GREET) {
        put = sl_wire_put_protocol(out, err);
    } else if (action == SL_LINK_DO_LOGIN) {
        struct sl_wire_login login = { url->user, url->password, link->opts.connection_name };
        put = sl_wire_put_start_ok(link->wire, out, &login, err);
    } else if (action == SL_LINK_DO_OPEN) {
        uint16_t heartbeat_s = (uint16_t)(link->heartbeat_ms / 1000);
        put = sl_wire_put_tune_ok(link->wire, out, heartbeat_s, err) &&
              sl_wire_put_open(link->wire, out, url->vhost, err);
        sl_timer_arm(link->beat_timer, link->heartbeat_ms / 4);
    } else if (action == SL_LINK_DO_CHANNEL) {
        put = sl_wire_put_channel_open(link->wire, out, err);
    } else {
        SL_ASSERT(action == SL_LINK_DO_SELECT);
        put = sl_wire_put_select(link->wire, out, err);
    }
    put = put && sl_link_send(link, err);
    if (action == SL_LINK_DO_LOGIN && out->data != NULL) {
        explicit_bzero(out->data, out->room_bytes); /* held the password */
    }
    return put;
}

struct sl_buf *sl_link_out(struct sl_amqp_link *link)
{
    if (link->out.room_bytes > OUT_KEPT_BYTES) {
        sl_buf_done(&link->out);
        sl_buf_init(&link->out, SL_LINK_OUT_BYTES_MAX);
    }
    sl_buf_reset(&link->out);
    return &link->out;
}

bool sl_link_send(struct sl_amqp_link *link, struct sl_err *err)
{
    SL_ASSERT(link->bev != NULL);
    if (bufferevent_write(link->bev, link->out.data, link->out.used_bytes) != 0) {
        return sl_fail(err, SL_E_MEMORY, "no memory to send %zu bytes", link->out.used_bytes);
    }
    link->sent_at_ms = sl_clock_mono_ms();
    return true;
}

void sl_link_flush(struct sl_amqp_link *link)
{
    if (link->tls != NULL) {
        sl_tls_flush(link->bev);
        return;
    }
    struct evbuffer *output = bufferevent_get_output(link->bev);
    int fd = bufferevent_getfd(link->bev);
    if (evbuffer_unfreeze(output, 1) == 0) { /* the bufferevent keeps the front for itself */
        while (evbuffer_get_length(output) > 0 && evbuffer_write(output, fd) > 0) {
        }
    }
}
