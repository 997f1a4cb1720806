/*
 * amqp_link_step - what a broker link does next, as a table.
 *
 * Decides only: state and event in, next state, action and a sentence out. The caller performs the action and feeds the next event.
 * A pair that is not in the table is NULL: for an event that came from the broker it means that the broker spoke out of turn (a protocol error),
 * for one of our own it is a bug.
 * Law: AMQP 0-9-1, 2.2.4 (start, tune, open) and 1.4.2.
 * Threads: no state.
 */
#ifndef SHARED_AMQP_LINK_STEP_H
#define SHARED_AMQP_LINK_STEP_H

#include <stddef.h>
#include <stdint.h>

#include "shared/amqp/amqp_link.h"

enum sl_link_phase {
    SL_LINK_NEW,       /* nothing tried yet */
    SL_LINK_DIALING,   /* resolving, TCP and TLS */
    SL_LINK_GREETING,  /* waits for connection.start */
    SL_LINK_LOGIN,     /* waits for connection.tune */
    SL_LINK_OPENING,   /* waits for connection.open-ok */
    SL_LINK_CHANNEL,   /* waits for channel.open-ok */
    SL_LINK_SELECTING, /* waits for confirm.select-ok */
    SL_LINK_UP,
    SL_LINK_BLOCKED,
    SL_LINK_STALLED, /* a publish has had no confirm within its deadline */
    SL_LINK_WAITING, /* until the next attempt */
};

enum sl_link_event {
    SL_LINK_EV_TRY, /* the pause is over */
    SL_LINK_EV_CONNECTED,
    SL_LINK_EV_START,
    SL_LINK_EV_TUNE,
    SL_LINK_EV_OPEN_OK,
    SL_LINK_EV_CHANNEL_OK, /* and confirms are wanted */
    SL_LINK_EV_READY,      /* channel open, nothing more to ask for */
    SL_LINK_EV_BLOCKED,
    SL_LINK_EV_UNBLOCKED,
    SL_LINK_EV_OVERDUE,   /* the oldest publish is past its deadline */
    SL_LINK_EV_CAUGHT_UP, /* no publish is any more */
    SL_LINK_EV_FAILED,    /* error, deadline, silence, close: the connection is gone */
};

enum sl_link_action {
    SL_LINK_DO_NOTHING,
    SL_LINK_DO_DIAL,
    SL_LINK_DO_GREET,   /* send the protocol header */
    SL_LINK_DO_LOGIN,   /* send start-ok */
    SL_LINK_DO_OPEN,    /* send tune-ok and connection.open */
    SL_LINK_DO_CHANNEL, /* send channel.open */
    SL_LINK_DO_SELECT,  /* send confirm.select */
    SL_LINK_DO_ANNOUNCE_UP,
    SL_LINK_DO_ANNOUNCE_BLOCKED,
    SL_LINK_DO_ANNOUNCE_UNBLOCKED,
    SL_LINK_DO_ANNOUNCE_STALLED,
    SL_LINK_DO_ANNOUNCE_CAUGHT_UP,
    SL_LINK_DO_BACK_OFF, /* settle what is in flight, tell the owner, arm the next attempt */
};

struct sl_link_rule {
    enum sl_link_phase from;
    enum sl_link_event on;
    enum sl_link_phase to;
    enum sl_link_action act;
    const char *why;
};

const struct sl_link_rule *sl_link_step(enum sl_link_phase phase, enum sl_link_event event);
/* The whole table, for whoever prints it. */
const struct sl_link_rule *sl_link_rules(size_t *out_count);
/* "waiting for the broker's greeting", to be used in an error. */
const char *sl_link_phase_doing(enum sl_link_phase phase);
enum sl_amqp_state sl_link_phase_state(enum sl_link_phase phase);

/* What the broker's reply code in connection.close or channel.close means to us. */
enum sl_code sl_link_close_code(uint16_t reply_code);
/*
 * The largest body the broker takes, when it closed the channel because one was larger; 0: it was closed for something else. RabbitMQ checks
 * before it routes (rabbit_channel: "message size 1001 is larger than configured max size 1000"), and no reply code tells this 406 from others.
 */
size_t sl_link_body_bytes_max(uint16_t reply_code, struct sl_span text);
/* Shortest pause after this error: a refused login or virtual host is not tried again at once, lest an account is locked. */
int64_t sl_link_pause_ms_min(enum sl_code code);

/* "3.10.8" -> 3010, "4.3.0" -> 4003; 0 for anything else. */
unsigned sl_link_version_read(struct sl_span text);

#endif
