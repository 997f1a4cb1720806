/*
 * http_verdict - what the answer to a POST means for its event.
 *
 * Decides only. In this order: no answer at all; a 2xx is done; the section's errors.CODE for the code in the reply; the reply's own
 * "retry"; the table http_status.def. A reply is `{"code":"…","retry":true|false,"message":"…"}`, each part optional, everything else ignored.
 * Threads: no state; the parser belongs to the caller.
 */
#ifndef CONSUMER_HTTP_VERDICT_H
#define CONSUMER_HTTP_VERDICT_H

#include "shared/arena.h"
#include "shared/http/http_client.h"
#include "shared/json/json.h"
#include "shared/subsystem/subsystem.h"

#define CON_HTTP_CODE_BYTES    48u  /* as sluice-error-code has room for */
#define CON_HTTP_MESSAGE_BYTES 200u /* of the reply, kept in the error */

struct con_http_verdict {
    enum sl_rule_verdict verdict;
    bool is_reached;   /* the target answered */
    bool is_of_target; /* when every event gets this, the target is away (http_outage) */
    int64_t retry_after_s;
    char
        code[CON_HTTP_CODE_BYTES]; /* of the reply, else "http.422", else our name of the failure */
    struct sl_err err;             /* TARGET_ITEM, _PERMANENT, _SYSTEMIC or _HALT; NONE when done */
};

/* The arena and parser are for the reply; without memory the reply is as good as absent. where: the URL without its query. */
void con_http_verdict(const struct sl_http_answer *answer, const struct sl_subsystem *subsystem,
                      const char *where, struct sl_json_parser *parser, struct sl_arena *arena,
                      struct con_http_verdict *out);

#endif
