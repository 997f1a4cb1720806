#include "shared/amqp/amqp_link_parts.h"

/* Acknowledgements that wait: 21 bytes each, and the room that the codec wants for a frame. */
#define WAITING_BYTES_MAX (SL_WIRE_FRAME_BYTES_MAX + 512u * 1024u)

static bool ask(struct sl_amqp_link *link, struct sl_err *err);
static bool leave_all(struct sl_amqp_link *link, struct sl_err *err);

bool sl_link_quiet_stop(struct sl_amqp_link *link, const char *tag, struct sl_err *err)
{
    if (!sl_quiet_add(&link->quiet, link->version, tag)) {
        return sl_wire_put_cancel(link->wire, sl_link_out(link), tag, err) &&
               sl_link_send(link, err);
    }
    sl_timer_arm(link->quiet_timer, link->opts.attempt_ms);
    return ask(link, err);
}

static bool ask(struct sl_amqp_link *link, struct sl_err *err)
{
    struct sl_buf *out = sl_link_out(link);
    for (size_t i = 0; i < link->quiet.count; i++) {
        if (!sl_wire_put_no_credit(out, link->quiet.tags[i], err)) {
            return false;
        }
    }
    return sl_link_send(link, err);
}

bool sl_link_quiet_answered(struct sl_amqp_link *link, struct sl_err *err)
{
    switch (sl_quiet_answered(&link->quiet)) {
    case SL_QUIET_ASK:
        return ask(link, err);
    case SL_QUIET_CANCEL:
        return leave_all(link, err);
    case SL_QUIET_WAIT:
        return true;
    }
    return true;
}

bool sl_link_quiet_late(struct sl_amqp_link *link, struct sl_err *err)
{
    return link->quiet.count == 0 || leave_all(link, err);
}

/* One write: no acknowledgement may be read before the cancel. */
static bool leave_all(struct sl_amqp_link *link, struct sl_err *err)
{
    struct sl_buf *out = sl_link_out(link);
    for (size_t i = 0; i < link->quiet.count; i++) {
        if (!sl_wire_put_cancel(link->wire, out, link->quiet.tags[i], err)) {
            return false;
        }
    }
    if (!sl_buf_append_span(out, sl_buf_span(&link->settlements))) {
        return sl_fail(err, SL_E_MEMORY, "no memory for acknowledgements");
    }
    sl_link_quiet_reset(link);
    return sl_link_send(link, err);
}

bool sl_link_put_settlement(struct sl_amqp_link *link, const struct sl_link_settlement *settlement,
                            struct sl_err *err)
{
    bool waits = link->quiet.count > 0;
    struct sl_buf *out = sl_link_out(link);
    if (waits) {
        out = &link->settlements;
        if (out->bytes_max == 0) {
            sl_buf_init(out, WAITING_BYTES_MAX);
        }
    }
    bool is_put = settlement->is_ack
                      ? sl_wire_put_ack(link->wire, out, settlement->tag, settlement->multiple, err)
                      : sl_wire_put_nack(link->wire, out, settlement->tag, settlement->multiple,
                                         settlement->requeue, err);
    if (!is_put && waits) { /* more than may wait: they are not put off any longer */
        out->failed = false;
        return leave_all(link, err) && sl_link_put_settlement(link, settlement, err);
    }
    return is_put && (waits || sl_link_send(link, err));
}

void sl_link_quiet_reset(struct sl_amqp_link *link)
{
    sl_quiet_end(&link->quiet);
    sl_buf_done(&link->settlements);
    link->settlements = (struct sl_buf){ 0 };
    if (link->quiet_timer != NULL) {
        sl_timer_disarm(link->quiet_timer);
    }
}
