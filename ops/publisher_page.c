#include "ops/publisher_page.h"

#include "ops/daemon.h"

bool ops_publisher_page(const char *state_dir, int64_t timeout_ms, struct sl_buf *out_page,
                        struct sl_err *err)
{
    SL_DONE(ops_daemon_done) struct ops_daemon daemon = { 0 };
    const struct ops_daemon_where where = { .program = OPS_PUBLISHER,
                                            .state_dir = state_dir,
                                            .timeout_ms = timeout_ms };
    if (!ops_daemon_ask(&daemon, &where, SL_SPAN_LITERAL("{\"command\":\"metrics\"}"), err)) {
        return false;
    }
    struct sl_span page =
        sl_json_text(sl_json_get(daemon.root, "metrics"), &daemon.arena, false, NULL);
    return (page.data != NULL && sl_buf_append_span(out_page, page)) ||
           sl_fail(err, SL_E_LIMIT, "the publisher's metrics cannot be read");
}

enum ops_answered ops_answered(struct sl_span outcome)
{
    static const struct {
        const char *outcome;
        enum ops_answered answered;
    } rows[] = {
        { "accepted", OPS_ANSWERED_200 },   { "journaled", OPS_ANSWERED_202 },
        { "dropped", OPS_ANSWERED_202 },    { "disabled", OPS_ANSWERED_503 },
        { "draining", OPS_ANSWERED_503 },   { "held_back", OPS_ANSWERED_503 },
        { "overloaded", OPS_ANSWERED_503 }, { "unavailable", OPS_ANSWERED_503 },
        { "late", OPS_ANSWERED_503 },       { "paused", OPS_ANSWERED_503 },
        { "rate", OPS_ANSWERED_503 },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        if (sl_span_is(outcome, rows[i].outcome)) {
            return rows[i].answered;
        }
    }
    return OPS_ANSWERED_4XX;
}
