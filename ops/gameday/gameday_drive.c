#include "ops/gameday/gameday_drive.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "ops/dev/dev_process.h"
#include "ops/gameday/gameday_step.h"
#include "shared/clock.h"
#include "shared/http/http_client.h"

#define TICK_MS           50
#define LOOK_MS           250
#define LOOK_TIMEOUT_MS   2000
#define STEADY_MS         3000
#define WELL_FOR_MS       1500   /* without a bad look, before the load ends */
#define COMMAND_MS        180000 /* longest time for one command */
#define REPEAT_MS         3000   /* between two begins of a fault that repeats */
#define SPARE_S           400u   /* of load, for what commands may take */
#define CONCURRENCY       64u
#define STORM_CONCURRENCY 128u
#define HEALTH_BYTES_MAX  65536u
#define URL_BYTES         (OPS_URL_BYTES + 16)

/* Who is looked at. */
struct watched {
    struct drive *drive;
    char url[URL_BYTES];
    bool is_asking;
    bool has_answered; /* once, whatever it said */
    bool is_well;
    int64_t looked_ms; /* when the last answer came */
};

struct drive {
    const struct ops_gameday_drive_opts *opts;
    struct ops_gameday_course *course;
    struct sl_loop *loop;
    struct sl_timer *tick;
    struct sl_http_client *client;
    struct watched publisher;
    struct watched consumer;
    char url[OPS_WEBHOOK_URL_BYTES];
    enum ops_gameday_phase phase;
    int64_t started_ms;
    int64_t entered_ms; /* the phase */
    int64_t begun_ms;
    int64_t ended_ms;
    int64_t well_since_ms; /* 0: not now */
    int64_t asked_ms;      /* the last looks */
    pid_t child;           /* 0: none */
    int64_t child_ms;      /* since when */
    bool is_end_due;       /* the end command waits for the child before it */
    bool is_refused;       /* nothing may be begun: err of the call says why */
    struct sl_err refusal;
};

static bool prepare(struct drive *drive, struct sl_err *err);
static bool make_waves(struct drive *drive, struct sl_err *err);
static void drive_done(struct drive *drive);
static void on_tick(void *arg);
static void on_signal(int signal_number, void *arg);
static void happened(struct drive *drive, enum ops_gameday_event event);
static void enter(struct drive *drive, enum ops_gameday_phase phase);
static int64_t limit_of(const struct drive *drive);
static bool may_begin(struct drive *drive);
static void start_command(struct drive *drive, const char *command);
static void watch_command(struct drive *drive);
static void look(struct drive *drive);
static void ask(struct drive *drive, struct watched *watched);
static void on_health(const struct sl_http_answer *answer, void *arg);
static void judge_looks(struct drive *drive);
static void note_trouble(struct drive *drive, const struct sl_err *err);
static void say(const struct drive *drive, const char *text);
static bool finish(struct drive *drive, struct sl_err *err);

bool ops_gameday_drive(const struct ops_gameday_drive_opts *opts, struct ops_gameday_course *course,
                       struct sl_err *err)
{
    SL_DONE(drive_done) struct drive drive = { .opts = opts, .course = course };
    course->degraded_ms = OPS_GAMEDAY_NEVER;
    course->normal_ms = OPS_GAMEDAY_NEVER;
    if (!prepare(&drive, err)) {
        return false;
    }
    enter(&drive, OPS_GAMEDAY_STEADY);
    sl_timer_arm(drive.tick, TICK_MS);
    return sl_loop_run(drive.loop, err) && finish(&drive, err);
}

static bool prepare(struct drive *drive, struct sl_err *err)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    const struct ops_address *address = drive->opts->address;
    char base[OPS_URL_BYTES];
    drive->publisher.drive = drive;
    drive->consumer.drive = drive;
    if (!ops_webhook_url(address, NULL, drive->url, err) ||
        !ops_address_publisher(address, NULL, base, err)) {
        return false;
    }
    snprintf(drive->publisher.url, URL_BYTES, "%s/health", base);
    if (!ops_address_consumer(address, NULL, base, err)) {
        return false;
    }
    snprintf(drive->consumer.url, URL_BYTES, "%s/health", base);
    drive->loop = sl_loop_new(err);
    if (drive->loop == NULL) {
        return false;
    }
    for (size_t i = 0; i < SL_COUNT(signals); i++) {
        if (!sl_loop_on_signal(drive->loop, signals[i], on_signal, drive, err)) {
            return false;
        }
    }
    struct sl_http_client_opts client = { .loop = drive->loop,
                                          .transfers_max = 4,
                                          .connections_max = 2,
                                          .connect_ms = LOOK_TIMEOUT_MS,
                                          .total_ms = LOOK_TIMEOUT_MS,
                                          .answer_bytes_max = HEALTH_BYTES_MAX };
    drive->client = sl_http_client_new(&client, err);
    drive->tick = sl_timer_new(drive->loop, on_tick, drive);
    if (drive->client == NULL) {
        return false;
    }
    return drive->tick == NULL ? sl_fail(err, SL_E_MEMORY, "no memory for a timer")
                               : make_waves(drive, err);
}

static bool make_waves(struct drive *drive, struct sl_err *err)
{
    const struct ops_gameday_drive_opts *opts = drive->opts;
    uint64_t hold_s = (uint64_t)opts->hold_ms / 1000 + 1;
    uint64_t storm_rate = ops_gameday_storm_rate(opts->scenario->storm, opts->rate_per_s);
    struct ops_gameday_wave_opts steady = {
        .address = opts->address,
        .count_max = opts->rate_per_s * (hold_s + (uint64_t)opts->calm_ms / 1000 + SPARE_S)
    };
    struct ops_gameday_wave_opts storm = { .kind = opts->scenario->storm,
                                           .address = opts->address,
                                           .count_max = storm_rate * hold_s };
    return ops_gameday_wave_init(&drive->course->steady, &steady, err) &&
           (storm_rate == 0 || ops_gameday_wave_init(&drive->course->storm, &storm, err)) &&
           ops_gameday_wave_begin(&drive->course->steady, drive->loop, drive->url, opts->rate_per_s,
                                  CONCURRENCY, err);
}

uint64_t ops_gameday_storm_rate(enum ops_gameday_storm storm, uint64_t rate_per_s)
{
    switch (storm) {
    case OPS_GAMEDAY_STORM_NONE:
        return 0;
    case OPS_GAMEDAY_STORM_PRODUCER:
        return 20 * rate_per_s;
    case OPS_GAMEDAY_STORM_POISON:
    case OPS_GAMEDAY_STORM_RETRY:
        return 2 * rate_per_s;
    }
    return 0;
}

static void drive_done(struct drive *drive)
{
    /* Nothing of the loop may outlive it; the fates stay. */
    ops_gameday_wave_drop(&drive->course->steady);
    ops_gameday_wave_drop(&drive->course->storm);
    sl_http_client_free(drive->client);
    sl_timer_free(drive->tick);
    sl_loop_free(drive->loop);
}

void ops_gameday_course_done(struct ops_gameday_course *course)
{
    ops_gameday_wave_done(&course->steady);
    ops_gameday_wave_done(&course->storm);
}

/* ---- the course of it ---- */

static void on_tick(void *arg)
{
    struct drive *drive = arg;
    int64_t now_ms = sl_clock_mono_ms();
    watch_command(drive);
    if (drive->is_end_due && drive->child == 0) {
        drive->is_end_due = false;
        start_command(drive, drive->opts->command.end);
    }
    if (drive->phase == OPS_GAMEDAY_HOLD && drive->opts->scenario->repeats_begin &&
        drive->child == 0 && now_ms - drive->child_ms >= REPEAT_MS) {
        start_command(drive, drive->opts->command.begin);
    }
    look(drive);
    judge_looks(drive);
    if (drive->phase < OPS_GAMEDAY_CALM && drive->course->steady.has_ended) {
        struct sl_err err = { 0 };
        if (!ops_gameday_wave_end(&drive->course->steady, &err)) {
            note_trouble(drive, &err);
        } else {
            sl_fail(&err, SL_E_HTTP_UNREACHABLE, "nothing answers at %s", drive->url);
            note_trouble(drive, &err);
        }
        happened(drive, OPS_GAMEDAY_STOP);
    }
    if (now_ms - drive->entered_ms >= limit_of(drive)) {
        happened(drive, OPS_GAMEDAY_DUE);
    }
    bool is_over = drive->phase == OPS_GAMEDAY_OVER &&
                   ops_gameday_wave_is_over(&drive->course->steady) &&
                   ops_gameday_wave_is_over(&drive->course->storm);
    if (is_over) {
        sl_loop_stop(drive->loop);
    } else {
        sl_timer_arm(drive->tick, TICK_MS);
    }
}

/* The commands have a limit of their own, in watch_command. */
static int64_t limit_of(const struct drive *drive)
{
    switch (drive->phase) {
    case OPS_GAMEDAY_STEADY:
        return STEADY_MS;
    case OPS_GAMEDAY_HOLD:
        return drive->opts->hold_ms;
    case OPS_GAMEDAY_CALM:
        return drive->opts->calm_ms;
    case OPS_GAMEDAY_BEGIN:
    case OPS_GAMEDAY_END:
    case OPS_GAMEDAY_OVER:
    case OPS_GAMEDAY_PHASES:
        break;
    }
    return INT64_MAX;
}

static void on_signal(int signal_number, void *arg)
{
    (void)signal_number;
    struct drive *drive = arg;
    drive->course->is_interrupted = true;
    say(drive, drive->phase < OPS_GAMEDAY_CALM && drive->phase > OPS_GAMEDAY_STEADY
                   ? "stopped: the fault is ended first"
                   : "stopped");
    happened(drive, OPS_GAMEDAY_STOP);
}

static void happened(struct drive *drive, enum ops_gameday_event event)
{
    enum ops_gameday_phase to = ops_gameday_step(drive->phase, event);
    if (to == OPS_GAMEDAY_BEGIN && drive->phase == OPS_GAMEDAY_STEADY && !may_begin(drive)) {
        to = OPS_GAMEDAY_OVER;
    }
    if (to != drive->phase) {
        enter(drive, to);
    }
}

static void enter(struct drive *drive, enum ops_gameday_phase phase)
{
    struct ops_gameday_course *course = drive->course;
    const struct ops_gameday_drive_opts *opts = drive->opts;
    struct sl_err err = { 0 };
    int64_t now_ms = sl_clock_mono_ms();
    drive->phase = phase;
    drive->entered_ms = now_ms;
    if (phase == OPS_GAMEDAY_STEADY) {
        drive->started_ms = now_ms;
        course->started_us = sl_clock_wall_us();
    }
    say(drive, ops_gameday_phase_word(phase));
    switch (phase) {
    case OPS_GAMEDAY_BEGIN:
        course->begun_us = sl_clock_wall_us();
        drive->begun_ms = now_ms;
        start_command(drive, opts->command.begin);
        break;
    case OPS_GAMEDAY_HOLD:
        if (course->storm.fates != NULL &&
            !ops_gameday_wave_begin(&course->storm, drive->loop, drive->url,
                                    ops_gameday_storm_rate(opts->scenario->storm, opts->rate_per_s),
                                    STORM_CONCURRENCY, &err)) {
            note_trouble(drive, &err);
            happened(drive, OPS_GAMEDAY_STOP);
        }
        break;
    case OPS_GAMEDAY_END:
        ops_gameday_wave_stop(&course->storm);
        drive->is_end_due = true;
        break;
    case OPS_GAMEDAY_CALM:
        course->ended_us = sl_clock_wall_us();
        drive->ended_ms = now_ms;
        drive->well_since_ms = 0;
        break;
    case OPS_GAMEDAY_OVER:
        ops_gameday_wave_stop(&course->steady);
        ops_gameday_wave_stop(&course->storm);
        break;
    case OPS_GAMEDAY_STEADY:
    case OPS_GAMEDAY_PHASES:
        break;
    }
}

/* A fault on top of another trouble teaches nothing. */
static bool may_begin(struct drive *drive)
{
    struct ops_gameday_course *course = drive->course;
    course->sees_consumer = drive->consumer.has_answered;
    if (!drive->publisher.is_well || course->steady.degraded > 0) {
        sl_fail(&drive->refusal, SL_E_HTTP_UNREACHABLE,
                "the publisher is not well before the fault, so none was begun: sluice health");
    } else if (course->sees_consumer && !drive->consumer.is_well) {
        sl_fail(&drive->refusal, SL_E_HTTP_UNREACHABLE,
                "the consumer is not well before the fault, so none was begun: sluice health");
    } else {
        return true;
    }
    drive->is_refused = true;
    return false;
}

/* ---- commands ---- */

/* None (NULL) is done at once. */
static void start_command(struct drive *drive, const char *command)
{
    struct sl_err err = { 0 };
    drive->child_ms = sl_clock_mono_ms();
    if (command == NULL) {
        happened(drive, OPS_GAMEDAY_DONE);
        return;
    }
    const char *argv[] = { "/bin/sh", "-c", command, NULL };
    struct dev_spawn spawn = {
        .argv = argv, .environment = environ, .death_signal = SIGTERM, .output = STDERR_FILENO
    };
    pid_t pid = dev_process_spawn(&spawn, &err);
    if (pid < 0) {
        note_trouble(drive, &err);
        happened(drive, OPS_GAMEDAY_FAILED);
        return;
    }
    drive->child = pid;
}

static void watch_command(struct drive *drive)
{
    int status = 0;
    struct sl_err err = { 0 };
    if (drive->child == 0) {
        return;
    }
    if (!dev_process_has_ended(drive->child, &status)) {
        if (sl_clock_mono_ms() - drive->child_ms >= COMMAND_MS) {
            (void)kill(-drive->child, SIGKILL); /* its group; the end is seen at the next tick */
        }
        return;
    }
    drive->child = 0;
    if (status != 0) {
        char how[DEV_EXIT_TEXT_BYTES];
        bool is_end = drive->phase == OPS_GAMEDAY_END && !drive->is_end_due;
        dev_process_describe(status, how);
        sl_fail(&err, SL_E_IO, "the command that %s the fault failed: %s",
                is_end ? "ends" : "begins", how);
        note_trouble(drive, &err);
    }
    /* A repeat that was overtaken by the end says nothing about the end command. */
    if (!drive->is_end_due) {
        happened(drive, status == 0 ? OPS_GAMEDAY_DONE : OPS_GAMEDAY_FAILED);
    }
}

/* The first one is the cause. */
static void note_trouble(struct drive *drive, const struct sl_err *err)
{
    if (drive->course->trouble.text[0] == '\0') {
        drive->course->trouble = *err;
    }
    say(drive, err->text);
}

/* ---- looks ---- */

static void look(struct drive *drive)
{
    int64_t now_ms = sl_clock_mono_ms();
    if (drive->phase == OPS_GAMEDAY_OVER || now_ms - drive->asked_ms < LOOK_MS) {
        return;
    }
    drive->asked_ms = now_ms;
    ask(drive, &drive->publisher);
    ask(drive, &drive->consumer);
}

static void ask(struct drive *drive, struct watched *watched)
{
    struct sl_http_call call = { .method = "GET", .url = watched->url };
    struct sl_err err = { 0 };
    if (!watched->is_asking) {
        watched->is_asking = sl_http_client_call(drive->client, &call, on_health, watched, &err);
    }
}

static void on_health(const struct sl_http_answer *answer, void *arg)
{
    struct watched *watched = arg;
    static const char ok[] = "\"status\":\"ok\"";
    watched->is_asking = false;
    watched->looked_ms = sl_clock_mono_ms();
    watched->has_answered = watched->has_answered || answer->status != 0;
    watched->is_well = answer->status == 200 && answer->body.bytes > 0 &&
                       memmem(answer->body.data, answer->body.bytes, ok, sizeof ok - 1) != NULL;
}

static void judge_looks(struct drive *drive)
{
    struct ops_gameday_course *course = drive->course;
    int64_t now_ms = sl_clock_mono_ms();
    bool is_well = drive->publisher.is_well && (drive->consumer.is_well || !course->sees_consumer);
    if (drive->phase < OPS_GAMEDAY_BEGIN || drive->phase == OPS_GAMEDAY_OVER) {
        return;
    }
    if (course->degraded_ms == OPS_GAMEDAY_NEVER &&
        (!is_well || course->steady.degraded > 0 || course->storm.degraded > 0)) {
        course->degraded_ms = now_ms - drive->begun_ms;
        say(drive, "degraded");
    }
    if (drive->phase != OPS_GAMEDAY_CALM) {
        return;
    }
    /* Only what was seen after the end counts. */
    bool is_fresh = drive->publisher.looked_ms > drive->ended_ms &&
                    (!course->sees_consumer || drive->consumer.looked_ms > drive->ended_ms);
    if (!is_well || !is_fresh) {
        drive->well_since_ms = 0;
    } else if (drive->well_since_ms == 0) {
        drive->well_since_ms = now_ms;
    }
    if (drive->well_since_ms != 0 && now_ms - drive->well_since_ms >= WELL_FOR_MS) {
        course->normal_ms = drive->well_since_ms - drive->ended_ms;
        happened(drive, OPS_GAMEDAY_WELL);
    }
}

/* ---- the end ---- */

static bool finish(struct drive *drive, struct sl_err *err)
{
    struct ops_gameday_course *course = drive->course;
    if (drive->is_refused) {
        *err = drive->refusal;
        return false;
    }
    if (course->begun_us == 0 && course->trouble.text[0] != '\0') {
        *err = course->trouble;
        return false;
    }
    struct sl_err late = { 0 };
    if (!ops_gameday_wave_end(&course->steady, &late) ||
        !ops_gameday_wave_end(&course->storm, &late)) {
        note_trouble(drive, &late);
    }
    return true;
}

static void say(const struct drive *drive, const char *text)
{
    fprintf(stderr, "%7.1f s  %s\n", (double)(sl_clock_mono_ms() - drive->started_ms) / 1000, text);
}
