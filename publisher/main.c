/*
 * sluice-publisher - webhooks in, confirmed messages out.
 *
 * Reads its configuration from the environment, runs in the foreground, logs to stderr, never daemonises. SIGTERM and SIGINT drain: stop
 * accepting, settle what is in flight, exit 0; a second one exits at once. SIGHUP reads the configuration again (publisher/reload.h).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "publisher/config.h"
#include "publisher/control.h"
#include "publisher/reload.h"
#include "shared/clock.h"
#include "shared/daemon_log.h"
#include "shared/notify.h"
#include "shared/sandbox/sandbox.h"

#define DRAIN_POLL_MS    20
#define SENTRY_FLUSH_MS  2000 /* of the drain, for last counts */
#define HELP_BYTES_MAX   (16u * 1024u)
#define EXIT_INTERRUPTED 130
#define SERVING          "taking webhooks" /* as the service manager shows it */

struct app {
    struct pub_config config;
    const char *service;
    struct sl_sandbox sandbox;
    struct sl_log *log;
    struct sl_metrics *metrics;
    struct sl_loop *loop;
    struct pub_levels levels;
    struct sl_sentry *sentry; /* NULL: none */
    struct pub_gate *gate;
    struct pub_flood *flood;
    struct pub_board board;
    struct sl_http_totals *totals;
    _Atomic size_t batches;
    struct pub_lanes lanes;
    struct pub_reload reload;
    struct pub_control commands;
    struct sl_control *control; /* NULL: could not be opened */
    struct sl_notify *notify;
    struct sl_timer *drain_timer;
    _Atomic bool is_draining;
    bool is_flushing; /* Sentry's last counts */
    int64_t drain_left_ms;
};

static bool run(struct sl_err *err);
static void app_done(struct app *app);
static bool enter_sandbox(struct app *app, struct sl_err *err);
static bool open_log(struct app *app, struct sl_err *err);
static bool open_loop(struct app *app, struct sl_err *err);
static bool open_sentry(struct app *app, struct sl_err *err);
static void on_sentry(void *arg, const struct sl_err *err, uint64_t pending);
static bool open_guards(struct app *app, struct sl_err *err);
static bool open_lanes(struct app *app, struct sl_err *err);
static bool are_alive(void *arg);
static bool open_control(struct app *app, struct sl_err *err);
static void look_for_control(void *arg, struct pub_control_view *out_view);
static bool replay_for_control(void *arg, int64_t rate, struct sl_err *err);
static bool serve(struct app *app, struct sl_err *err);
static void tell_unsent(struct app *app);
static void on_stop_signal(int signal_number, void *arg);
static void on_reload_signal(int signal_number, void *arg);
static void on_drain_timer(void *arg);
static void look(void *arg, struct sl_health_state *out_state);
static bool take_loops(int argc, char **argv);
static int help(void);

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("sluice-publisher " SLUICE_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        return help();
    }
    if (argc > 1 && !take_loops(argc, argv)) {
        fprintf(
            stderr,
            "sluice-publisher: unknown argument \"%s\"; it takes its configuration from the environment, see --help\n",
            argv[1]);
        return EX_USAGE;
    }
    struct sl_err err = { 0 };
    if (!run(&err)) {
        fprintf(stderr, "sluice-publisher: %s (%s)\n", err.text, sl_code_name(err.code));
        return sl_err_exit_status(&err);
    }
    return EXIT_SUCCESS;
}

/* "--loops N" is another way to say SLUICE_LOOPS, and wins. */
static bool take_loops(int argc, char **argv)
{
    static const char name[] = "--loops";
    size_t bytes = sizeof name - 1;
    const char *count = NULL;
    if (argc == 3 && strcmp(argv[1], name) == 0) {
        count = argv[2];
    } else if (argc == 2 && strncmp(argv[1], name, bytes) == 0 && argv[1][bytes] == '=') {
        count = argv[1] + bytes + 1;
    }
    return count != NULL && setenv("SLUICE_LOOPS", count, 1) == 0;
}

static int help(void)
{
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, HELP_BYTES_MAX);
    sl_buf_append_text(
        &text,
        "sluice-publisher: receives signed webhooks and publishes them to RabbitMQ, confirmed.\n\n"
        "usage: sluice-publisher [--loops N] | --help | --version\n\nconfiguration, from the environment:\n");
    pub_config_help(&text);
    fputs(text.data, stdout);
    return EXIT_SUCCESS;
}

static bool run(struct sl_err *err)
{
    SL_DONE(app_done) struct app app = { 0 };

    return pub_config_read(&app.config, environ, err) /* every mistake at once */
           && enter_sandbox(&app, err)                /* before the first thread */
           && open_log(&app, err)                     /* before anything can go wrong unseen */
           && open_loop(&app, err)                    /* signals become events of the loop */
           && open_sentry(&app, err)                  /* when there is a DSN */
           && open_guards(&app, err)                  /* what holds for all loops together */
           && open_lanes(&app, err)                   /* connect to the broker, and listen */
           && open_control(&app, err)                 /* or a warning, and on without */
           && pub_lanes_start(&app.lanes, err)        /* the loops beside this one */
           && serve(&app, err);                       /* until SIGTERM, then drain */
}

static void app_done(struct app *app)
{
    sl_control_free(app->control);
    pub_lanes_done(&app->lanes);
    sl_http_totals_free(app->totals);
    pub_flood_free(app->flood);
    pub_gate_free(app->gate);
    sl_sentry_free(app->sentry);
    sl_notify_free(app->notify);
    sl_timer_free(app->drain_timer);
    sl_loop_free(app->loop);
    sl_log_free(app->log);
    sl_metrics_free(app->metrics);
    pub_config_done(&app->config);
}

static bool enter_sandbox(struct app *app, struct sl_err *err)
{
    struct sl_sandbox_paths paths;
    sl_sandbox_look(&paths, environ);
    sl_sandbox_paths_add(&paths, sl_span_of(app->config.state_dir), true);
    sl_sandbox_paths_add_postgres(&paths, app->config.database_url);
    pub_doors_need(&app->config, &paths);
    return sl_sandbox_enter((enum sl_sandbox_mode)app->config.sandbox, &paths, &app->sandbox, err);
}

static bool open_log(struct app *app, struct sl_err *err)
{
    app->service = app->config.service_name == NULL ? "sluice-publisher" : app->config.service_name;
    if (!sl_daemon_log_open(app->service, (enum sl_level)app->config.log_level,
                            (enum sl_log_format)app->config.log_format, &app->log, &app->metrics,
                            err)) {
        return false;
    }
    app->levels = (struct pub_levels){ .log = app->log,
                                       .level = (enum sl_level)app->config.log_level,
                                       .degraded = (enum sl_level)app->config.degraded_log_level };
    if (app->config.secret_warning[0] != '\0') {
        sl_warn(app->log, "config.warning", "billing is off: its routes answer 503",
                sl_str("reason", app->config.secret_warning));
    }
    if (app->config.origin_warning[0] != '\0') {
        sl_warn(app->log, "config.warning",
                app->config.origin.mode == PUB_ORIGIN_REPORT
                    ? "the origin guard, once it enforces, would let nobody in"
                    : "the origin guard lets nobody in",
                sl_str("reason", app->config.origin_warning));
    }
    return true;
}

static bool open_loop(struct app *app, struct sl_err *err)
{
    signal(SIGPIPE, SIG_IGN);
    app->loop = sl_loop_new(err);
    if (app->loop == NULL) {
        return false;
    }
    app->drain_timer = sl_timer_new(app->loop, on_drain_timer, app);
    if (app->drain_timer == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for a timer");
    }
    app->notify = sl_notify_new(
        &(struct sl_notify_opts){ .loop = app->loop, .is_alive = are_alive, .arg = app }, err);
    return app->notify != NULL && sl_loop_on_signal(app->loop, SIGTERM, on_stop_signal, app, err) &&
           sl_loop_on_signal(app->loop, SIGINT, on_stop_signal, app, err) &&
           sl_loop_on_signal(app->loop, SIGHUP, on_reload_signal, app, err);
}

static bool open_sentry(struct app *app, struct sl_err *err)
{
    if (!app->config.has_sentry) {
        return true;
    }
    app->sentry = sl_sentry_new(
        &(struct sl_sentry_opts){
            .loop = app->loop,
            .dsn = &app->config.sentry,
            .service = app->service,
            .version = SLUICE_VERSION,
            .environment = app->config.sentry_environment,
            .on_change = on_sentry,
            .arg = app,
        },
        err);
    return app->sentry != NULL;
}

static void on_sentry(void *arg, const struct sl_err *err, uint64_t pending)
{
    const struct app *app = arg;
    if (err != NULL) {
        sl_log_err(app->log, SL_WARN, "sentry.failed",
                   "Sentry cannot be told; what was counted is kept and told later", err,
                   sl_int("pending", (int64_t)pending));
    } else {
        sl_info(app->log, "sentry.recovered", "Sentry can be told again",
                sl_int("pending", (int64_t)pending));
    }
}

static bool open_guards(struct app *app, struct sl_err *err)
{
    pub_board_init(&app->board, (size_t)app->config.loops);
    app->gate = pub_gate_new(app->loop, app->log, app->metrics, err);
    app->flood = app->gate == NULL ? NULL : pub_flood_new(app->config.bad_signatures, err);
    app->totals = app->flood == NULL ? NULL : sl_http_totals_new(err);
    return app->totals != NULL;
}

static bool open_lanes(struct app *app, struct sl_err *err)
{
    struct pub_common common = {
        .config = &app->config,
        .service = app->service,
        .log = app->log,
        .metrics = app->metrics,
        .levels = &app->levels,
        .sentry = app->sentry,
        .gate = app->gate,
        .flood = app->flood,
        .board = &app->board,
        .totals = app->totals,
        .batches = &app->batches,
        .health = { .service = app->service, .version = SLUICE_VERSION, .look = look, .arg = app },
    };
    common.private_health = common.health;
    common.private_health.metrics = app->metrics;
    return pub_lanes_open(&app->lanes, (size_t)app->config.loops, &common, app->loop, err);
}

/* Operators can do without it, events cannot wait for it. */
static bool open_control(struct app *app, struct sl_err *err)
{
    (void)err;
    struct sl_err why = { 0 };
    size_t count = 0;
    const struct sl_control_command *commands = pub_control_commands(&count);
    app->reload = (struct pub_reload){
        .config = &app->config,
        .environment = environ,
        .log = app->log,
        .levels = &app->levels,
        .lanes = &app->lanes,
        .sentry = app->sentry,
    };
    app->commands = (struct pub_control){
        .gate = app->gate,
        .levels = &app->levels,
        .sources = &app->lanes.items[0].sources,
        .metrics = app->metrics,
        .service = app->service,
        .look = look_for_control,
        .replay = replay_for_control,
        .arg = app,
        .started_ms = sl_clock_mono_ms(),
    };
    app->control = sl_control_new(
        &(struct sl_control_opts){
            .loop = app->loop,
            .state_dir = app->config.state_dir,
            .program = PUB_PROGRAM,
            .commands = commands,
            .command_count = count,
            .arg = &app->commands,
        },
        &why);
    if (app->control == NULL) {
        sl_log_err(
            app->log, SL_WARN, "control.unavailable",
            "there is no control socket: `sluice ingest` and `sluice log` cannot reach this process",
            &why, sl_str("state_dir", app->config.state_dir));
    }
    return true;
}

static void look_for_control(void *arg, struct pub_control_view *out_view)
{
    struct app *app = arg;
    struct pub_intake_state state = { 0 };
    pub_lanes_look(&app->lanes, &state);
    *out_view = (struct pub_control_view){
        .outage = state.outage,
        .is_changing_broker = state.is_changing_broker,
        .away_since_us = state.away_since_us,
        .waiting = state.waiting,
        .is_draining = app->is_draining,
        .sentry_pending = sl_sentry_pending(app->sentry),
        .journal = state.journal,
        .replay_rate = state.replay_rate,
    };
}

static bool replay_for_control(void *arg, int64_t rate, struct sl_err *err)
{
    const struct app *app = arg;
    return pub_intake_replay(app->lanes.items[0].intake, rate, err);
}

static bool serve(struct app *app, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf sandbox;
    sl_buf_init(&sandbox, SL_SANDBOX_TEXT_MAX);
    sl_sandbox_describe(&app->sandbox, &sandbox);
    sl_info(app->log, "process.started", "listening for webhooks",
            sl_str("listen", app->config.listen),
            sl_int("port", sl_http_server_port(app->lanes.items[0].doors.server)),
            sl_str("metrics", app->config.metrics_listen), sl_str("sandbox", sandbox.data),
            sl_str("sandbox_missing", app->sandbox.missing), sl_int("loops", app->config.loops),
            sl_int("sources", (int64_t)app->lanes.items[0].sources.count - 1),
            sl_int("secrets", (int64_t)pub_config_secrets(&app->config)));
    sl_notify_ready(app->notify, SERVING);
    if (!sl_loop_run(app->loop, err)) {
        return false;
    }
    pub_lanes_stop(&app->lanes);
    tell_unsent(app);
    sl_info(app->log, "process.stopped", "drained",
            sl_int("unsettled", (int64_t)pub_lanes_waiting(&app->lanes)));
    return true;
}

static void tell_unsent(struct app *app)
{
    uint64_t unsent = sl_sentry_pending(app->sentry);
    if (unsent > 0) {
        sl_loss(app->log, SL_WARN, "sentry.unsent",
                "Sentry was not told of these; the log lines and the drop log are complete",
                sl_int("count", (int64_t)unsent));
    }
}

static void on_reload_signal(int signal_number, void *arg)
{
    (void)signal_number;
    struct app *app = arg;
    if (!app->is_draining) {
        sl_notify_reloading(app->notify);
        pub_lanes_hold(&app->lanes);
        pub_reload_run(&app->reload);
        pub_doors_reload(&app->lanes.items[0].doors);
        pub_lanes_release(&app->lanes);
        sl_notify_ready(app->notify, SERVING);
    }
}

static void on_stop_signal(int signal_number, void *arg)
{
    struct app *app = arg;
    if (app->is_draining) {
        _exit(EXIT_INTERRUPTED);
    }
    app->is_draining = true;
    app->drain_left_ms = app->config.drain_timeout;
    sl_info(app->log, "drain.begin", "finishing what is in flight",
            sl_str("signal", strsignal(signal_number)),
            sl_int("inflight", (int64_t)pub_lanes_waiting(&app->lanes)));
    sl_notify_stopping(app->notify, "finishing what is in flight");
    sl_timer_arm(app->drain_timer, DRAIN_POLL_MS);
    pub_lanes_drain(&app->lanes);
}

static void on_drain_timer(void *arg)
{
    struct app *app = arg;
    app->drain_left_ms -= DRAIN_POLL_MS;
    bool is_settled = pub_lanes_are_drained(&app->lanes) && pub_lanes_waiting(&app->lanes) == 0;
    if (is_settled && !app->is_flushing) {
        app->is_flushing = true;
        app->drain_left_ms =
            app->drain_left_ms < SENTRY_FLUSH_MS ? app->drain_left_ms : SENTRY_FLUSH_MS;
        sl_sentry_flush(app->sentry);
    }
    if ((is_settled && sl_sentry_is_flushed(app->sentry)) || app->drain_left_ms <= 0) {
        sl_loop_stop(app->loop);
        return;
    }
    sl_timer_arm(app->drain_timer, DRAIN_POLL_MS);
}

/* Asked for on any loop. */
static void look(void *arg, struct sl_health_state *out_state)
{
    struct app *app = arg;
    struct pub_standing all = { 0 };
    pub_board_read(&app->board, &all);
    bool can_take = pub_intake_can_take(app->lanes.items[0].intake, all.has_broker);
    out_state->is_degraded = !all.is_confirming;
    out_state->waiting = app->is_draining ? "draining"
                         : !all.has_tried ? "the first attempt to reach the broker is not over"
                         : !can_take      ? "the broker is away and nothing durable can be done"
                                          : NULL;
}

static bool are_alive(void *arg)
{
    struct app *app = arg;
    return pub_lanes_are_alive(&app->lanes);
}
