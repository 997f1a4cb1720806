#include "consumer/alarm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "consumer/handlers/http_request.h"
#include "shared/clock.h"
#include "shared/http/http_client.h"
#include "shared/json/json_write.h"
#include "shared/sentry/sentry_tally.h"

#define ALARM_WAITING_MAX 32u
#define ALARM_QUIET_MS    60000
#define ALARM_WAIT_MS_MIN 2000
#define ALARM_WAIT_MS_MAX 300000
#define ALARM_TRIES_MAX   30
#define CONNECT_MS_MAX    5000
#define ANSWER_BYTES_MAX  4096u
#define BODY_BYTES_MAX    4096u
#define ARENA_BYTES_MAX   (64u * 1024u)
#define TYPE_BYTES        256u
#define SENTRY_REASON     "breaker open, owner "
#define SENTRY_LOSS       "event given up, owner "

/* One breaker that opened. Stays after it was told, so that another worker's is known to be the same. */
struct trip {
    const struct sl_subsystem *subsystem; /* NULL: free */
    char type[TYPE_BYTES];
    int64_t at_ms;   /* monotonic */
    int64_t wall_us; /* its idempotency key, with subsystem and type */
    int64_t due_ms;
    int tries;
    bool is_told;
    size_t body_bytes;
    char body[BODY_BYTES_MAX];
};

struct con_alarm {
    struct con_alarm_opts opts;
    struct sl_http_client *client;
    struct sl_timer *timer;
    struct sl_arena arena;
    struct trip trips[ALARM_WAITING_MAX];
    struct trip *posting; /* NULL: none */
};

static struct trip *find(struct con_alarm *alarm, const struct sl_subsystem *subsystem,
                         struct sl_span type);
static struct trip *free_place(struct con_alarm *alarm, int64_t now_ms);
static bool write_body(struct trip *trip, const struct sl_err *why, const char *code);
static void tell_sentry(struct sl_sentry *sentry, const struct sl_subsystem *subsystem,
                        struct sl_span type, const char *what);
static void plan(struct con_alarm *alarm);
static void on_timer(void *arg);
static bool post(struct con_alarm *alarm, const struct trip *trip, struct sl_err *err);
static void on_answer(const struct sl_http_answer *answer, void *arg);
static void failed(struct con_alarm *alarm, const struct sl_err *why);

struct con_alarm *con_alarm_new(const struct con_alarm_opts *opts, struct sl_err *err)
{
    SL_AUTO(con_alarm_free) struct con_alarm *alarm = calloc(1, sizeof *alarm);
    if (alarm == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for alarms");
        return NULL;
    }
    alarm->opts = *opts;
    sl_arena_init(&alarm->arena, ARENA_BYTES_MAX);
    alarm->timer = sl_timer_new(opts->loop, on_timer, alarm);
    if (alarm->timer == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for alarms");
        return NULL;
    }
    int64_t longest_ms = 1;
    for (size_t i = 0; i < opts->subsystem_count; i++) {
        int64_t timeout_ms = opts->subsystems[i]->timeout_ms;
        longest_ms = timeout_ms > longest_ms ? timeout_ms : longest_ms;
    }
    alarm->client =
        sl_http_client_new(&(struct sl_http_client_opts){ .loop = opts->loop,
                                                          .transfers_max = 1,
                                                          .connections_max = 1,
                                                          .connect_ms = CONNECT_MS_MAX,
                                                          .total_ms = longest_ms,
                                                          .answer_bytes_max = ANSWER_BYTES_MAX,
                                                          .cuts_answers = true },
                           err);
    return alarm->client == NULL ? NULL : SL_TAKE(alarm);
}

void con_alarm_free(struct con_alarm *alarm)
{
    if (alarm != NULL) {
        sl_http_client_free(alarm->client);
        sl_timer_free(alarm->timer);
        sl_arena_done(&alarm->arena);
        free(alarm);
    }
}

void con_alarm_tripped(struct con_alarm *alarm, const struct sl_subsystem *subsystem,
                       struct sl_span type, const struct sl_err *why, const char *code)
{
    if (alarm == NULL || subsystem->on_trip.kind == SL_CALL_NONE) {
        return;
    }
    int64_t now_ms = sl_clock_mono_ms();
    struct trip *trip = find(alarm, subsystem, type);
    if (trip != NULL && (!trip->is_told || now_ms - trip->at_ms < ALARM_QUIET_MS)) {
        return; /* another worker has said so */
    }
    trip = trip == NULL ? free_place(alarm, now_ms) : trip;
    if (trip == NULL || type.bytes >= TYPE_BYTES) {
        sl_warn(alarm->opts.log, "alarm.dropped",
                "on-trip was not told that a breaker opened: too many alarms wait to be told",
                sl_str("subsystem", subsystem->name), sl_text("event_type", type));
        return;
    }
    *trip = (struct trip){
        .subsystem = subsystem, .at_ms = now_ms, .due_ms = now_ms, .wall_us = sl_clock_wall_us()
    };
    memcpy(trip->type, type.data, type.bytes);
    if (subsystem->on_trip.kind == SL_CALL_SENTRY) {
        tell_sentry(alarm->opts.sentry, subsystem, type, SENTRY_REASON);
        trip->is_told = true;
    } else if (write_body(trip, why, code)) {
        plan(alarm);
    } else {
        trip->is_told = true; /* its texts have a bound each, so there is room */
    }
}

static struct trip *find(struct con_alarm *alarm, const struct sl_subsystem *subsystem,
                         struct sl_span type)
{
    for (size_t i = 0; i < ALARM_WAITING_MAX; i++) {
        if (alarm->trips[i].subsystem == subsystem && sl_span_is(type, alarm->trips[i].type)) {
            return &alarm->trips[i];
        }
    }
    return NULL;
}

static struct trip *free_place(struct con_alarm *alarm, int64_t now_ms)
{
    for (size_t i = 0; i < ALARM_WAITING_MAX; i++) {
        const struct trip *trip = &alarm->trips[i];
        bool is_over = trip->is_told && now_ms - trip->at_ms >= ALARM_QUIET_MS;
        if (trip->subsystem == NULL || (is_over && trip != alarm->posting)) {
            return &alarm->trips[i];
        }
    }
    return NULL;
}

static bool write_body(struct trip *trip, const struct sl_err *why, const char *code)
{
    char at[SL_RFC3339_BYTES];
    struct sl_buf out;
    sl_buf_init(&out, BODY_BYTES_MAX);
    sl_clock_rfc3339(trip->wall_us, at);
    struct sl_json_writer json = sl_json_writer_make(&out);
    sl_json_object_begin(&json);
    sl_json_put_text(&json, "type", sl_span_of("breaker.opened"));
    sl_json_put_text(&json, "timestamp", sl_span_of(at));
    sl_json_put_object(&json, "data");
    sl_json_put_text(&json, "subsystem", sl_span_of(trip->subsystem->name));
    sl_json_put_text(&json, "owner", sl_span_of(trip->subsystem->owner));
    sl_json_put_text(&json, "severity",
                     sl_span_of(sl_subsystem_severity_name(trip->subsystem->severity)));
    sl_json_put_text(&json, "impact", sl_span_of(trip->subsystem->impact));
    sl_json_put_text(&json, "event_type", sl_span_of(trip->type));
    sl_json_put_text(&json, "error_code", sl_span_of(code));
    sl_json_put_text(&json, "error", sl_span_of(why->text));
    sl_json_put_text(&json, "runbook", sl_span_of(CON_ALARM_PAGE));
    sl_json_object_end(&json);
    sl_json_object_end(&json);
    bool is_written = sl_buf_ok(&out);
    if (is_written) {
        trip->body_bytes = out.used_bytes;
        memcpy(trip->body, out.data, out.used_bytes);
    }
    sl_buf_done(&out);
    return is_written;
}

static void tell_sentry(struct sl_sentry *sentry, const struct sl_subsystem *subsystem,
                        struct sl_span type, const char *what)
{
    char reason[SL_SENTRY_PART_BYTES];
    bool has_owner = subsystem->owner != NULL && subsystem->owner[0] != '\0';
    snprintf(reason, sizeof reason, "%s%s", what, has_owner ? subsystem->owner : "unknown");
    sl_sentry_count(sentry, sl_span_of(subsystem->name), type, reason);
    sl_sentry_flush(sentry);
}

void con_alarm_given_up(struct con_alarm *alarm, const struct sl_subsystem *subsystem,
                        struct sl_span type)
{
    if (alarm != NULL && alarm->opts.losses != NULL && subsystem->fail_loud) {
        tell_sentry(alarm->opts.losses, subsystem, type, SENTRY_LOSS);
    }
}

/* For the one that is due first. */
static void plan(struct con_alarm *alarm)
{
    const struct trip *first = NULL;
    for (size_t i = 0; i < ALARM_WAITING_MAX; i++) {
        const struct trip *trip = &alarm->trips[i];
        if (trip->subsystem != NULL && !trip->is_told &&
            (first == NULL || trip->due_ms < first->due_ms)) {
            first = trip;
        }
    }
    if (first != NULL && alarm->posting == NULL) {
        int64_t wait_ms = first->due_ms - sl_clock_mono_ms();
        sl_timer_arm(alarm->timer, wait_ms > 0 ? wait_ms : 0);
    }
}

static void on_timer(void *arg)
{
    struct con_alarm *alarm = arg;
    int64_t now_ms = sl_clock_mono_ms();
    for (size_t i = 0; i < ALARM_WAITING_MAX && alarm->posting == NULL; i++) {
        struct trip *trip = &alarm->trips[i];
        if (trip->subsystem != NULL && !trip->is_told && trip->due_ms <= now_ms) {
            struct sl_err err = { 0 };
            alarm->posting = trip;
            trip->tries++;
            if (!post(alarm, trip, &err)) {
                failed(alarm, &err);
            }
        }
    }
    plan(alarm);
}

static bool post(struct con_alarm *alarm, const struct trip *trip, struct sl_err *err)
{
    size_t index = 0;
    while (alarm->opts.subsystems[index] != trip->subsystem) {
        index++; /* it is one of them */
    }
    const struct con_target *target = &alarm->opts.targets[index];
    char id[64];
    snprintf(id, sizeof id, "trip-%" PRIx64 "-%zu", (uint64_t)trip->wall_us,
             (size_t)(trip - alarm->trips));
    struct sl_span body = sl_span_make(trip->body, trip->body_bytes);
    const struct con_http_content content = { .id = sl_span_of(id), .body = body };
    struct con_http_request request;
    sl_arena_reset(&alarm->arena);
    if (!con_http_request_sign(&request, target, &content, sl_clock_wall_us() / 1000000,
                               &alarm->arena, err) ||
        !con_http_request_add(&request, "sluice-subsystem", sl_span_of(trip->subsystem->name),
                              &alarm->arena, err)) {
        return false;
    }
    const struct sl_http_call call = {
        .method = "POST", .url = target->trip_url, .fields = request.fields, .body = body
    };
    return sl_http_client_call(alarm->client, &call, on_answer, alarm, err);
}

static void on_answer(const struct sl_http_answer *answer, void *arg)
{
    struct con_alarm *alarm = arg;
    struct sl_err why = { 0 };
    if (answer->status >= 200 && answer->status < 300) {
        sl_info(alarm->opts.log, "alarm.told", "on-trip was told that a breaker opened",
                sl_str("subsystem", alarm->posting->subsystem->name),
                sl_str("event_type", alarm->posting->type));
        alarm->posting->is_told = true;
        alarm->posting = NULL;
        plan(alarm);
        return;
    }
    if (answer->status == 0) {
        why = *answer->err;
    } else {
        sl_fail(&why, SL_E_TARGET_ITEM, "on-trip answered %d", answer->status);
    }
    failed(alarm, &why);
    plan(alarm);
}

static void failed(struct con_alarm *alarm, const struct sl_err *why)
{
    struct trip *trip = alarm->posting;
    int64_t wait_ms = ALARM_WAIT_MS_MIN;
    for (int i = 1; i < trip->tries && wait_ms < ALARM_WAIT_MS_MAX; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms < ALARM_WAIT_MS_MAX ? wait_ms : ALARM_WAIT_MS_MAX;
    trip->due_ms = sl_clock_mono_ms() + wait_ms;
    trip->is_told = trip->tries >= ALARM_TRIES_MAX;
    alarm->posting = NULL;
    sl_log_err(alarm->opts.log, SL_WARN, "alarm.failed",
               trip->is_told ? "on-trip was never told that a breaker opened: given up"
                             : "on-trip was not told that a breaker opened, trying again",
               why, sl_str("subsystem", trip->subsystem->name), sl_str("event_type", trip->type),
               sl_int("attempt", trip->tries), sl_int("wait_ms", trip->is_told ? 0 : wait_ms));
}
