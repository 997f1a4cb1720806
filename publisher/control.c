#include "publisher/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/clock.h"

#define ANSWER_DEFAULT  503
#define REPLAY_RATE_MAX 100000 /* that of SLUICE_REPLAY_RATE */
#define BY_OPERATOR     "an operator"

static bool status(void *arg, const struct sl_control_call *call, struct sl_err *err);
static bool pause_source(void *arg, const struct sl_control_call *call, struct sl_err *err);
static bool resume_source(void *arg, const struct sl_control_call *call, struct sl_err *err);
static bool log_level(void *arg, const struct sl_control_call *call, struct sl_err *err);
static bool degraded_log_level(void *arg, const struct sl_control_call *call, struct sl_err *err);
static bool journal_replay(void *arg, const struct sl_control_call *call, struct sl_err *err);
static bool metrics(void *arg, const struct sl_control_call *call, struct sl_err *err);
static bool take_source(const struct pub_control *control, const struct sl_control_call *call,
                        const char **out_source, struct sl_err *err);
static bool take_level(const struct sl_control_call *call, enum sl_level *out_level,
                       struct sl_err *err);
static void put_broker(const struct pub_control_view *view, struct sl_json_writer *json);
static void put_journal(const struct pub_control_view *view, struct sl_json_writer *json);
static void put_sources(const struct pub_control *control, struct sl_json_writer *json);
static void put_pauses(const struct pub_control *control, struct sl_json_writer *json);
static void put_levels(const struct pub_control *control, struct sl_json_writer *json);
static void put_time(struct sl_json_writer *json, const char *key, int64_t wall_us);

static const char *const pause_members[] = { "source", "answer", "for_ms", NULL };
static const char *const resume_members[] = { "source", NULL };
static const char *const replay_members[] = { "rate", NULL };
static const char *const level_members[] = { "level", NULL };

static const struct sl_control_command commands[] = {
    { "status", NULL, status },
    { "pause", pause_members, pause_source },
    { "resume", resume_members, resume_source },
    { "log-level", level_members, log_level },
    { "degraded-log-level", level_members, degraded_log_level },
    { "journal-replay", replay_members, journal_replay },
    { "metrics", NULL, metrics },
};

const struct sl_control_command *pub_control_commands(size_t *out_count)
{
    *out_count = SL_COUNT(commands);
    return commands;
}

static bool status(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    (void)err;
    const struct pub_control *control = arg;
    struct sl_json_writer *json = call->answer;
    struct pub_control_view view = { 0 };
    control->look(control->arg, &view);
    sl_json_put_text(json, "program", sl_span_of(PUB_PROGRAM));
    sl_json_put_text(json, "service", sl_span_of(control->service));
    sl_json_put_text(json, "version", sl_span_of(SLUICE_VERSION));
    sl_json_put_int(json, "pid", getpid());
    sl_json_put_int(json, "uptime_ms", sl_clock_mono_ms() - control->started_ms);
    sl_json_put_bool(json, "draining", view.is_draining);
    sl_json_put_int(json, "inflight", (int64_t)view.waiting);
    put_broker(&view, json);
    put_journal(&view, json);
    sl_json_put_int(json, "sentry_pending", (int64_t)view.sentry_pending);
    put_sources(control, json);
    put_pauses(control, json);
    put_levels(control, json);
    return true;
}

static void put_broker(const struct pub_control_view *view, struct sl_json_writer *json)
{
    sl_json_put_bool(json, "degraded", view->away_since_us != 0);
    put_time(json, "degraded_since", view->away_since_us);
    sl_json_put_object(json, "broker");
    sl_json_put_text(json, "state", sl_span_of(pub_outage_name(view->outage)));
    sl_json_put_bool(json, "changing", view->is_changing_broker);
    sl_json_object_end(json);
}

/* null for 0. */
static void put_time(struct sl_json_writer *json, const char *key, int64_t wall_us)
{
    char text[SL_RFC3339_BYTES];
    if (wall_us == 0) {
        sl_json_put_null(json, key);
        return;
    }
    sl_clock_rfc3339(wall_us, text);
    sl_json_put_text(json, key, sl_span_of(text));
}

/* A journal always has a quota. */
static void put_journal(const struct pub_control_view *view, struct sl_json_writer *json)
{
    const struct sl_journal_stats *journal = &view->journal;
    if (journal->quota_bytes == 0) {
        sl_json_put_null(json, "journal");
        return;
    }
    sl_json_put_object(json, "journal");
    sl_json_put_text(json, "state", sl_span_of(sl_journal_state_name(journal->state)));
    sl_json_put_bool(json, "durable", journal->is_durable);
    sl_json_put_int(json, "events", (int64_t)journal->pending);
    sl_json_put_int(json, "bytes", (int64_t)journal->bytes);
    sl_json_put_int(json, "quota_bytes", (int64_t)journal->quota_bytes);
    put_time(json, "oldest", (int64_t)(journal->oldest_ns / 1000));
    sl_json_put_int(json, "replay_rate", view->replay_rate);
    sl_json_object_end(json);
}

static void put_sources(const struct pub_control *control, struct sl_json_writer *json)
{
    sl_json_put_array(json, "sources");
    for (size_t i = 0; i < control->sources->count; i++) {
        sl_json_put_text(json, NULL, sl_span_of(control->sources->items[i].name));
    }
    sl_json_array_end(json);
}

static void put_pauses(const struct pub_control *control, struct sl_json_writer *json)
{
    struct pub_pauses pauses;
    pub_gate_read_pauses(control->gate, &pauses);
    int64_t now_ms = sl_clock_mono_ms();
    sl_json_put_array(json, "paused");
    for (size_t i = 0; i < pauses.count; i++) {
        const struct pub_pause *pause = &pauses.items[i];
        bool is_open = pause->until_ms == PUB_PAUSE_FOR_EVER;
        int64_t left_ms = is_open || pause->until_ms < now_ms ? 0 : pause->until_ms - now_ms;
        sl_json_object_begin(json);
        sl_json_put_text(json, "source",
                         pause->source[0] == '\0' ? (struct sl_span){ NULL, 0 }
                                                  : sl_span_of(pause->source));
        sl_json_put_int(json, "answer", pause->answer);
        put_time(json, "since", pause->since_us);
        put_time(json, "until", is_open ? 0 : sl_clock_wall_us() + left_ms * 1000);
        sl_json_put_int(json, "refused", (int64_t)pause->refused);
        sl_json_object_end(json);
    }
    sl_json_array_end(json);
}

static void put_levels(const struct pub_control *control, struct sl_json_writer *json)
{
    sl_json_put_text(json, "log_level", sl_span_of(sl_level_name(control->levels->level)));
    sl_json_put_text(json, "degraded_log_level",
                     sl_span_of(sl_level_name((enum sl_level)control->levels->degraded)));
}

static bool pause_source(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    const struct pub_control *control = arg;
    const char *source = NULL;
    int64_t answer = ANSWER_DEFAULT;
    int64_t for_ms = 0;
    if (!take_source(control, call, &source, err) ||
        !sl_control_int(call, "answer", 429, 503, &answer, err) ||
        !sl_control_int(call, "for_ms", 1, PUB_PAUSE_MS_MAX, &for_ms, err) ||
        !pub_gate_pause(control->gate, source, (int)answer, for_ms, call->uid, err)) {
        return false;
    }
    put_pauses(control, call->answer);
    return true;
}

/* A source that exists; "" when none was named. */
static bool take_source(const struct pub_control *control, const struct sl_control_call *call,
                        const char **out_source, struct sl_err *err)
{
    struct sl_span named = { NULL, 0 };
    if (!sl_control_text(call, "source", &named, err)) {
        return false;
    }
    *out_source = "";
    if (named.data == NULL) {
        return true;
    }
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < control->sources->count; i++) {
        const char *name = control->sources->items[i].name;
        if (sl_span_is(named, name)) {
            *out_source = name;
            return true;
        }
        int bytes = snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", name);
        used += bytes < 0 || (size_t)bytes >= sizeof known - used ? 0 : (size_t)bytes;
    }
    return sl_fail(err, SL_E_USAGE, "there is no source \"%.*s\"; there is: %s",
                   named.bytes > 40 ? 40 : (int)named.bytes, named.data, known);
}

static bool resume_source(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    const struct pub_control *control = arg;
    const char *source = NULL;
    size_t ended = 0;
    if (!take_source(control, call, &source, err) ||
        !pub_gate_resume(control->gate, source, call->uid, &ended, err)) {
        return false;
    }
    sl_json_put_int(call->answer, "ended", (int64_t)ended);
    put_pauses(control, call->answer);
    return true;
}

static bool log_level(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    const struct pub_control *control = arg;
    enum sl_level level = SL_INFO;
    if (!take_level(call, &level, err)) {
        return false;
    }
    pub_levels_set(control->levels, level, BY_OPERATOR);
    put_levels(control, call->answer);
    return true;
}

static bool degraded_log_level(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    const struct pub_control *control = arg;
    enum sl_level level = SL_WARN;
    if (!take_level(call, &level, err)) {
        return false;
    }
    pub_levels_set_degraded(control->levels, level, BY_OPERATOR);
    put_levels(control, call->answer);
    return true;
}

static bool journal_replay(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    const struct pub_control *control = arg;
    struct pub_control_view view = { 0 };
    int64_t rate = 0;
    if (!sl_control_int(call, "rate", 1, REPLAY_RATE_MAX, &rate, err) ||
        !control->replay(control->arg, rate, err)) {
        return false;
    }
    control->look(control->arg, &view);
    put_broker(&view, call->answer);
    put_journal(&view, call->answer);
    return true;
}

/* For who may not reach, or does not know, the private port. */
static bool metrics(void *arg, const struct sl_control_call *call, struct sl_err *err)
{
    const struct pub_control *control = arg;
    SL_DONE(sl_buf_done) struct sl_buf page = { 0 };
    sl_buf_init(&page, SL_CONTROL_LINE_BYTES_MAX);
    sl_metrics_render(control->metrics, &page);
    if (!sl_buf_ok(&page)) {
        return sl_fail(err, SL_E_LIMIT, "the metrics do not fit into one answer: read /metrics");
    }
    sl_json_put_text(call->answer, "metrics", sl_buf_span(&page));
    return true;
}

static bool take_level(const struct sl_control_call *call, enum sl_level *out_level,
                       struct sl_err *err)
{
    struct sl_span text = { NULL, 0 };
    if (!sl_control_text(call, "level", &text, err)) {
        return false;
    }
    return sl_level_parse(text, out_level) ||
           sl_fail(err, SL_E_USAGE, "\"level\" is debug, info, warn, error or fatal");
}
