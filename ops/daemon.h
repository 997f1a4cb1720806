/*
 * daemon - asks a daemon of this machine over its control socket.
 *
 * Works with broker and database both down. The socket's folder: --state-dir, SLUICE_STATE_DIR, the local stack, /var/lib/sluice.
 * Threads: one owner.
 */
#ifndef OPS_DAEMON_H
#define OPS_DAEMON_H

#include "ops/flags.h"
#include "shared/json/json.h"

#define OPS_PUBLISHER             "sluice-publisher"
#define OPS_CONSUMER              "sluice-consumer"
#define OPS_DAEMON_TIMEOUT_MS     3000
#define OPS_DAEMON_TIMEOUT_MS_MAX 60000

/* The flags that say which daemon is asked; `where` is a struct ops_daemon_where. */
#define OPS_FLAGS_DAEMON(where)                                                                    \
    { .name = "state-dir", .kind = OPS_FLAG_TEXT, .out = &(where).state_dir },                     \
    {                                                                                              \
        .name = "timeout", .kind = OPS_FLAG_DURATION, .out = &(where).timeout_ms, .min = 100,      \
        .max = OPS_DAEMON_TIMEOUT_MS_MAX                                                           \
    }
#define OPS_DAEMON_USAGE                                                                               \
    "  --state-dir DIR   where the publisher keeps its socket; default: SLUICE_STATE_DIR, the local\n" \
    "                    stack, /var/lib/sluice\n"                                                     \
    "  --timeout D       longest wait for its answer (3s)\n"

struct ops_daemon {
    struct sl_buf answer;       /* the daemon's line of JSON */
    const struct sl_json *root; /* the same, read */
    struct sl_json_parser *parser;
    struct sl_arena arena;
};

struct ops_daemon_where {
    const char *program;   /* "sluice-publisher" */
    const char *state_dir; /* the flag; NULL: not given */
    int64_t timeout_ms;
};

/*
 * Sends one request (shared/control/control_command.h). False when nobody answers, and when the daemon refuses: SL_E_USAGE for a wrong request, SL_E_CONTROL
 * with what it said for everything else. Release with ops_daemon_done either way.
 */
bool ops_daemon_ask(struct ops_daemon *daemon, const struct ops_daemon_where *where,
                    struct sl_span request, struct sl_err *err) SL_MUST;
/* Accepts zeroed storage. */
void ops_daemon_done(struct ops_daemon *daemon);

/* A member's text for people: "" when it is null, a number in its digits. Borrowed until done. */
const char *ops_daemon_text(struct ops_daemon *daemon, const struct sl_json *value);

#endif
