#include "shared/amqp/amqp_link_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/units.h"

#define VERSION_DIGITS_MAX 4
#define DIGITS_MAX         10    /* of a size; RabbitMQ takes half a gibibyte at most */
#define REFUSED_PAUSE_MS   30000 /* runbooks/rabbitmq-unavailable.md: at most two logins a minute */

static const struct sl_link_rule rules[] = {
    /* from            on                      to                 do                            why, as logged */
    { SL_LINK_NEW, SL_LINK_EV_TRY, SL_LINK_DIALING, SL_LINK_DO_DIAL, "first attempt" },
    { SL_LINK_WAITING, SL_LINK_EV_TRY, SL_LINK_DIALING, SL_LINK_DO_DIAL, "next attempt" },

    { SL_LINK_DIALING, SL_LINK_EV_CONNECTED, SL_LINK_GREETING, SL_LINK_DO_GREET, "connected" },
    { SL_LINK_GREETING, SL_LINK_EV_START, SL_LINK_LOGIN, SL_LINK_DO_LOGIN, "broker greets" },
    { SL_LINK_LOGIN, SL_LINK_EV_TUNE, SL_LINK_OPENING, SL_LINK_DO_OPEN, "login accepted" },
    { SL_LINK_OPENING, SL_LINK_EV_OPEN_OK, SL_LINK_CHANNEL, SL_LINK_DO_CHANNEL,
      "virtual host open" },
    { SL_LINK_CHANNEL, SL_LINK_EV_CHANNEL_OK, SL_LINK_SELECTING, SL_LINK_DO_SELECT,
      "channel open" },
    { SL_LINK_CHANNEL, SL_LINK_EV_READY, SL_LINK_UP, SL_LINK_DO_ANNOUNCE_UP, "channel open" },
    { SL_LINK_SELECTING, SL_LINK_EV_READY, SL_LINK_UP, SL_LINK_DO_ANNOUNCE_UP, "confirms on" },

    { SL_LINK_UP, SL_LINK_EV_BLOCKED, SL_LINK_BLOCKED, SL_LINK_DO_ANNOUNCE_BLOCKED,
      "broker refuses publishes" },
    { SL_LINK_UP, SL_LINK_EV_UNBLOCKED, SL_LINK_UP, SL_LINK_DO_NOTHING, "was not blocked" },
    { SL_LINK_BLOCKED, SL_LINK_EV_BLOCKED, SL_LINK_BLOCKED, SL_LINK_DO_NOTHING,
      "still refuses publishes" },
    { SL_LINK_BLOCKED, SL_LINK_EV_UNBLOCKED, SL_LINK_UP, SL_LINK_DO_ANNOUNCE_UNBLOCKED,
      "broker takes publishes" },

    { SL_LINK_UP, SL_LINK_EV_OVERDUE, SL_LINK_STALLED, SL_LINK_DO_ANNOUNCE_STALLED,
      "a confirm is overdue" },
    { SL_LINK_BLOCKED, SL_LINK_EV_OVERDUE, SL_LINK_BLOCKED, SL_LINK_DO_NOTHING,
      "still refuses publishes" },
    { SL_LINK_STALLED, SL_LINK_EV_OVERDUE, SL_LINK_STALLED, SL_LINK_DO_NOTHING,
      "a confirm is still overdue" },
    { SL_LINK_STALLED, SL_LINK_EV_CAUGHT_UP, SL_LINK_UP, SL_LINK_DO_ANNOUNCE_CAUGHT_UP,
      "every overdue publish was answered" },
    { SL_LINK_STALLED, SL_LINK_EV_BLOCKED, SL_LINK_BLOCKED, SL_LINK_DO_ANNOUNCE_BLOCKED,
      "broker refuses publishes" },
    { SL_LINK_STALLED, SL_LINK_EV_UNBLOCKED, SL_LINK_STALLED, SL_LINK_DO_NOTHING,
      "was not blocked" },

    { SL_LINK_DIALING, SL_LINK_EV_FAILED, SL_LINK_WAITING, SL_LINK_DO_BACK_OFF, "not reachable" },
    { SL_LINK_GREETING, SL_LINK_EV_FAILED, SL_LINK_WAITING, SL_LINK_DO_BACK_OFF, "no greeting" },
    { SL_LINK_LOGIN, SL_LINK_EV_FAILED, SL_LINK_WAITING, SL_LINK_DO_BACK_OFF, "login failed" },
    { SL_LINK_OPENING, SL_LINK_EV_FAILED, SL_LINK_WAITING, SL_LINK_DO_BACK_OFF,
      "virtual host not opened" },
    { SL_LINK_CHANNEL, SL_LINK_EV_FAILED, SL_LINK_WAITING, SL_LINK_DO_BACK_OFF,
      "channel not opened" },
    { SL_LINK_SELECTING, SL_LINK_EV_FAILED, SL_LINK_WAITING, SL_LINK_DO_BACK_OFF,
      "confirms not granted" },
    { SL_LINK_UP, SL_LINK_EV_FAILED, SL_LINK_WAITING, SL_LINK_DO_BACK_OFF, "connection lost" },
    { SL_LINK_BLOCKED, SL_LINK_EV_FAILED, SL_LINK_WAITING, SL_LINK_DO_BACK_OFF, "connection lost" },
    { SL_LINK_STALLED, SL_LINK_EV_FAILED, SL_LINK_WAITING, SL_LINK_DO_BACK_OFF, "connection lost" },
};

const struct sl_link_rule *sl_link_step(enum sl_link_phase phase, enum sl_link_event event)
{
    for (size_t i = 0; i < SL_COUNT(rules); i++) {
        if (rules[i].from == phase && rules[i].on == event) {
            return &rules[i];
        }
    }
    return NULL;
}

const struct sl_link_rule *sl_link_rules(size_t *out_count)
{
    *out_count = SL_COUNT(rules);
    return rules;
}

const char *sl_link_phase_doing(enum sl_link_phase phase)
{
    switch (phase) {
    case SL_LINK_NEW:
        return "starting";
    case SL_LINK_DIALING:
        return "connecting";
    case SL_LINK_GREETING:
        return "waiting for the broker's greeting";
    case SL_LINK_LOGIN:
        return "logging in";
    case SL_LINK_OPENING:
        return "opening the virtual host";
    case SL_LINK_CHANNEL:
        return "opening the channel";
    case SL_LINK_SELECTING:
        return "asking for confirms";
    case SL_LINK_UP:
        return "up";
    case SL_LINK_BLOCKED:
        return "blocked by the broker";
    case SL_LINK_STALLED:
        return "waiting for an overdue confirm";
    case SL_LINK_WAITING:
        return "waiting for the next attempt";
    }
    return "in no known phase";
}

enum sl_amqp_state sl_link_phase_state(enum sl_link_phase phase)
{
    switch (phase) {
    case SL_LINK_UP:
        return SL_AMQP_UP;
    case SL_LINK_BLOCKED:
        return SL_AMQP_BLOCKED;
    case SL_LINK_STALLED:
        return SL_AMQP_STALLED;
    case SL_LINK_WAITING:
        return SL_AMQP_WAITING;
    case SL_LINK_NEW:
    case SL_LINK_DIALING:
    case SL_LINK_GREETING:
    case SL_LINK_LOGIN:
    case SL_LINK_OPENING:
    case SL_LINK_CHANNEL:
    case SL_LINK_SELECTING:
        return SL_AMQP_CONNECTING;
    }
    return SL_AMQP_CONNECTING;
}

/* AMQP 0-9-1, 1.2 (reply codes), as RabbitMQ uses them. */
enum sl_code sl_link_close_code(uint16_t reply_code)
{
    switch (reply_code) {
    case 311: /* content-too-large */
    case 403: /* access-refused: login, permission */
    case 405: /* resource-locked */
    case 530: /* not-allowed: virtual host, limits */
        return SL_E_AMQP_REFUSED;
    case 404:
        return SL_E_AMQP_NOT_FOUND;
    case 406:
        return SL_E_AMQP_PRECONDITION;
    case 501: /* frame-error */
    case 502: /* syntax-error */
    case 503: /* command-invalid */
    case 504: /* channel-error */
    case 505: /* unexpected-frame */
    case 540: /* not-implemented */
        return SL_E_AMQP_PROTOCOL;
    default: /* 200, 313, 320 connection-forced, 506 resource-error, 541 internal-error */
        return SL_E_AMQP_CLOSED;
    }
}

size_t sl_link_body_bytes_max(uint16_t reply_code, struct sl_span text)
{
    char copy[256]; /* a short string has 255 bytes (AMQP 0-9-1, 4.2.5.3) */
    snprintf(copy, sizeof copy, "%.*s", text.bytes < sizeof copy ? (int)text.bytes : 0, text.data);
    const char *said = strstr(copy, "message size ");
    const char *limit = said == NULL ? NULL : strstr(said, "max size ");
    if (reply_code != 406 || limit == NULL) {
        return 0;
    }
    limit += strlen("max size ");
    size_t digits = strspn(limit, "0123456789");
    return digits > 0 && digits <= DIGITS_MAX ? strtoul(limit, NULL, 10) : 0;
}

int64_t sl_link_pause_ms_min(enum sl_code code)
{
    return code == SL_E_AMQP_REFUSED ? REFUSED_PAUSE_MS : 0;
}

unsigned sl_link_version_read(struct sl_span text)
{
    struct sl_span rest = text;
    struct sl_span major_text = { 0 };
    struct sl_span minor_text = { 0 };
    int64_t major = 0;
    int64_t minor = 0;
    bool is_read = sl_span_split(&rest, '.', &major_text) &&
                   sl_span_split(&rest, '.', &minor_text) &&
                   sl_units_decimal(major_text, VERSION_DIGITS_MAX, &major) &&
                   sl_units_decimal(minor_text, VERSION_DIGITS_MAX, &minor);
    return is_read ? (unsigned)(major * 1000 + minor) : 0;
}
