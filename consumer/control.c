#include "consumer/control.h"

#include <stdio.h>
#include <unistd.h>

#include "shared/clock.h"

#define FOR_MS_MAX (INT64_C(30) * 24 * 3600 * 1000)
#define US_PER_MS  1000

static bool status(void *arg, const struct sl_control_call *call, struct sl_err *err);
static bool database(void *arg, const struct sl_control_call *call, struct sl_err *err);

static const char *const database_members[] = { "state", "reason", "for_ms", NULL };
static const struct sl_control_command commands[] = {
    { "status", NULL, status },
    { "database", database_members, database },
};

const struct sl_control_command *con_control_commands(size_t *out_count)
{
    *out_count = SL_COUNT(commands);
    return commands;
}

static bool status(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    (void)err;
    const struct con_control *control = arg;
    struct sl_json_writer *json = call->answer;
    sl_json_put_text(json, "program", SL_SPAN_LITERAL(CON_PROGRAM));
    sl_json_put_text(json, "service", sl_span_of(control->service));
    sl_json_put_text(json, "version", sl_span_of(SLUICE_VERSION));
    sl_json_put_int(json, "pid", getpid());
    sl_json_put_int(json, "uptime_ms", sl_clock_mono_ms() - control->started_ms);
    control->look(control->arg, json);
    return true;
}

static bool database(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    struct con_control *control = arg;
    struct sl_span state = { 0 };
    struct sl_span reason = { 0 };
    int64_t for_ms = 0;
    if (!sl_control_text(call, "state", &state, err) ||
        !sl_control_text(call, "reason", &reason, err) ||
        !sl_control_int(call, "for_ms", 1, FOR_MS_MAX, &for_ms, err)) {
        return false;
    }
    bool is_open = sl_span_is(state, "open");
    if (!is_open && !sl_span_is(state, "closed")) {
        return sl_fail(err, SL_E_USAGE, "state is open or closed");
    }
    if (reason.bytes >= sizeof control->hand.reason) {
        return sl_fail(err, SL_E_USAGE, "a reason has at most %zu bytes",
                       sizeof control->hand.reason - 1);
    }
    control->hand = (struct con_hand){
        .force = is_open ? CON_FORCE_OPEN : CON_FORCE_CLOSED,
        .expires_us = for_ms == 0 ? 0 : sl_clock_wall_us() + for_ms * US_PER_MS,
    };
    snprintf(control->hand.reason, sizeof control->hand.reason, "%.*s", SL_SPAN_ARGS(reason));
    return true;
}
