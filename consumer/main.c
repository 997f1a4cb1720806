/*
 * sluice-consumer - confirmed messages in, committed rows out.
 *
 * Reads its configuration from the environment, runs in the foreground, logs to stderr, never daemonises. SIGTERM and SIGINT drain: what is in
 * hand is finished, what there is no time for goes back to its queue, exit 0; a second one exits at once. SIGHUP reads the
 * configuration again, the file of subsystems with it, and begins anew with it when what is in hand is finished.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consumer/config.h"
#include "consumer/control.h"
#include "consumer/errand.h"
#include "consumer/parts.h"
#include "shared/clock.h"
#include "shared/config/conf_tell.h"
#include "shared/daemon_log.h"
#include "shared/health.h"
#include "shared/notify.h"
#include "shared/sandbox/sandbox.h"

#define PROGRAM          CON_PROGRAM
#define DRAIN_POLL_MS    20
#define EXIT_INTERRUPTED 130
#define SERVING          "applying events" /* as the service manager shows it */

struct app {
    struct con_options options;
    struct con_config config; /* of the start: addresses, folders and forms that stay as they are */
    struct con_config *fresh; /* of the last SIGHUP; NULL: that of the start holds */
    const char *service;
    struct sl_sandbox sandbox;
    struct sl_log *log;
    struct sl_metrics *metrics;
    struct sl_loop *loop;
    struct con_parts *parts;
    struct sl_health health;
    struct sl_http_server *server;
    struct con_control commands;
    struct sl_control *control; /* NULL: could not be opened */
    struct sl_notify *notify;
    struct sl_timer *drain_timer;
    bool is_draining;
    bool is_ready;              /* was once */
    bool is_broken;             /* a reload could not begin anew */
    struct con_config *pending; /* read again, and waiting for the parts to drain */
    int64_t drain_until_ms;
};

static bool run(struct app *app, struct sl_err *err);
static void app_done(struct app *app);
static bool read_config(struct app *app, struct sl_err *err);
static bool enter_sandbox(struct app *app, struct sl_err *err);
static bool open_log(struct app *app, struct sl_err *err);
static bool open_loop(struct app *app, struct sl_err *err);
static bool start_parts(struct app *app, struct sl_err *err);
static bool open_health(struct app *app, struct sl_err *err);
static void open_control(struct app *app);
static void look_for_control(void *arg, struct sl_json_writer *json);
static bool serve(struct app *app, struct sl_err *err);
static void on_stop_signal(int signal_number, void *arg);
static void on_reload_signal(int signal_number, void *arg);
static void reload(struct app *app);
static void begin_anew(struct app *app);
static const char *needs_restart(const struct app *app);
static void config_free(struct con_config *config);
static void on_drain_timer(void *arg);
static void look(void *arg, struct sl_health_state *out_state);

int main(int argc, char **argv)
{
    SL_DONE(app_done) struct app app = { 0 };
    struct sl_err err = { 0 };
    int status = EXIT_SUCCESS;
    if (!con_options_parse(argc, argv, &app.options, &err)) {
        fprintf(stderr, PROGRAM ": %s\n", err.text);
        return sl_err_exit_status(&err);
    }
    if (app.options.mode != CON_MODE_RUN) {
        return con_errand_run(&app.options);
    }
    if (!run(&app, &err)) {
        fprintf(stderr, PROGRAM ": %s (%s)\n", err.text, sl_code_name(err.code));
        status = sl_err_exit_status(&err);
    }
    return status;
}

static bool run(struct app *app, struct sl_err *err)
{
    return read_config(app, err)      /* every mistake at once */
           && enter_sandbox(app, err) /* before the first thread */
           && open_log(app, err)      /* before anything can go wrong unseen */
           && open_loop(app, err)     /* signals become events of the loop */
           && start_parts(app, err)   /* everything that works */
           && open_health(app, err)   /* ready when the first attempts have ended */
           && serve(app, err);        /* until SIGTERM, then drain */
}

static void app_done(struct app *app)
{
    sl_http_server_free(app->server);
    sl_control_free(app->control);
    con_parts_free(app->parts);
    sl_notify_free(app->notify);
    sl_timer_free(app->drain_timer);
    sl_loop_free(app->loop);
    sl_log_free(app->log);
    sl_metrics_free(app->metrics);
    config_free(app->pending);
    config_free(app->fresh);
    con_config_done(&app->config);
}

static bool read_config(struct app *app, struct sl_err *err)
{
    return con_config_read(&app->config, &app->options, environ, err);
}

static bool enter_sandbox(struct app *app, struct sl_err *err)
{
    struct sl_sandbox_paths paths;
    sl_sandbox_look(&paths, environ);
    sl_sandbox_paths_add(&paths, sl_span_of(app->config.state_dir), true);
    sl_sandbox_paths_add_postgres(&paths, app->config.database_url);
    return sl_sandbox_enter((enum sl_sandbox_mode)app->config.sandbox, &paths, &app->sandbox, err);
}

static bool open_log(struct app *app, struct sl_err *err)
{
    app->service = app->config.service_name == NULL ? PROGRAM : app->config.service_name;
    return sl_daemon_log_open(app->service, (enum sl_level)app->config.log_level,
                              (enum sl_log_format)app->config.log_format, &app->log, &app->metrics,
                              err);
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
    app->notify = sl_notify_new(&(struct sl_notify_opts){ .loop = app->loop }, err);
    return app->notify != NULL && sl_loop_on_signal(app->loop, SIGTERM, on_stop_signal, app, err) &&
           sl_loop_on_signal(app->loop, SIGINT, on_stop_signal, app, err) &&
           sl_loop_on_signal(app->loop, SIGHUP, on_reload_signal, app, err);
}

static bool start_parts(struct app *app, struct sl_err *err)
{
    app->parts = con_parts_new(
        &(struct con_parts_opts){
            .loop = app->loop,
            .log = app->log,
            .metrics = app->metrics,
            .config = app->fresh == NULL ? &app->config : app->fresh,
            .service = app->service,
            .hand = &app->commands.hand,
        },
        err);
    return app->parts != NULL;
}

static bool open_health(struct app *app, struct sl_err *err)
{
    app->health = (struct sl_health){
        .service = app->service,
        .version = SLUICE_VERSION,
        .metrics = app->metrics,
        .look = look,
        .arg = app,
    };
    app->server = sl_http_server_new(
        &(struct sl_http_server_opts){
            .loop = app->loop,
            .listen = app->config.metrics_listen,
            .limits = sl_http_limits_default,
            .on_request = sl_health_on_request,
            .arg = &app->health,
        },
        err);
    return app->server != NULL;
}

/* Without one everything else works. */
static void open_control(struct app *app)
{
    struct sl_err why = { 0 };
    size_t count = 0;
    const struct sl_control_command *commands = con_control_commands(&count);
    app->commands.service = app->service;
    app->commands.started_ms = sl_clock_mono_ms();
    app->commands.look = look_for_control;
    app->commands.arg = app;
    app->control = sl_control_new(&(struct sl_control_opts){ .loop = app->loop,
                                                             .state_dir = app->config.state_dir,
                                                             .program = CON_PROGRAM,
                                                             .commands = commands,
                                                             .command_count = count,
                                                             .arg = &app->commands },
                                  &why);
    if (app->control == NULL) {
        sl_log_err(
            app->log, SL_INFO, "control.unavailable",
            "there is no control socket of this process; without Postgres it cannot be told anything",
            &why);
    }
}

static void look_for_control(void *arg, struct sl_json_writer *json)
{
    const struct app *app = arg;
    sl_json_put_bool(json, "draining", app->is_draining);
    sl_json_put_int(json, "held", (int64_t)con_parts_held(app->parts));
    sl_json_put_text(json, "paused", sl_span_of(con_parts_paused(app->parts)));
    sl_json_put_array(json, "breakers");
    con_parts_show_database(app->parts, json);
    sl_json_array_end(json);
}

static bool serve(struct app *app, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf sandbox;
    open_control(app);
    sl_buf_init(&sandbox, SL_SANDBOX_TEXT_MAX);
    sl_sandbox_describe(&app->sandbox, &sandbox);
    sl_info(app->log, "process.started", "connecting to broker and database",
            sl_int("subsystems", (int64_t)app->config.chosen_count),
            sl_int("workers", (int64_t)con_parts_workers(app->parts)),
            sl_str("metrics", app->config.metrics_listen), sl_str("sandbox", sandbox.data),
            sl_str("sandbox_missing", app->sandbox.missing),
            sl_int("port", sl_http_server_port(app->server)));
    sl_notify_ready(app->notify, SERVING);
    if (!sl_loop_run(app->loop, err)) {
        return false;
    }
    if (app->is_broken) {
        return sl_fail(err, SL_E_MEMORY, "a reload could not begin anew");
    }
    sl_info(app->log, "process.stopped", "everything is closed",
            sl_int("returned", con_parts_returned(app->parts)),
            sl_int("redelivered", con_parts_redelivered(app->parts)),
            sl_int("given_back", (int64_t)con_parts_held(app->parts)));
    return true;
}

static void on_stop_signal(int signal_number, void *arg)
{
    struct app *app = arg;
    if (app->is_draining) {
        _exit(EXIT_INTERRUPTED);
    }
    app->is_draining = true;
    app->drain_until_ms = sl_clock_mono_ms() + app->config.drain_timeout;
    sl_info(app->log, "drain.begin",
            "finishing what is in hand, giving back what there is no time for",
            sl_str("signal", strsignal(signal_number)),
            sl_int("held", (int64_t)con_parts_held(app->parts)));
    sl_notify_stopping(app->notify, "finishing what is in hand");
    con_parts_drain(app->parts, app->config.drain_timeout);
    sl_timer_arm(app->drain_timer, 0);
}

static void on_drain_timer(void *arg)
{
    struct app *app = arg;
    bool have_left = con_parts_have_left(app->parts);
    bool is_late = !have_left && sl_clock_mono_ms() >= app->drain_until_ms;
    if (is_late) {
        sl_warn(app->log, "drain.timeout", "going on; what is unfinished will be delivered again",
                sl_int("held", (int64_t)con_parts_held(app->parts)));
    }
    if (!have_left && !is_late) {
        sl_timer_arm(app->drain_timer, DRAIN_POLL_MS);
    } else if (app->is_draining) {
        sl_loop_stop(app->loop);
    } else {
        begin_anew(app);
    }
}

static void on_reload_signal(int signal_number, void *arg)
{
    (void)signal_number;
    struct app *app = arg;
    if (!app->is_draining) {
        sl_notify_reloading(app->notify);
        reload(app);
    }
}

/* All or nothing: a configuration with a mistake changes nothing. A second signal while the parts drain counts too. */
static void reload(struct app *app)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    sl_buf_init(&mistakes, CON_CONFIG_MISTAKES_BYTES_MAX);
    struct con_config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        sl_buf_append_text(&mistakes, "no memory for a configuration\n");
    } else {
        con_config_reread(config, &app->options, environ, &mistakes);
    }
    if (mistakes.used_bytes > 0) {
        config_free(config);
        sl_conf_tell_mistakes(app->log, &mistakes);
        sl_notify_ready(app->notify, SERVING);
        return;
    }
    bool is_under_way = app->pending != NULL;
    config_free(app->pending);
    app->pending = config;
    if (!is_under_way) {
        app->drain_until_ms = sl_clock_mono_ms() + app->config.drain_timeout;
        con_parts_drain(app->parts, app->config.drain_timeout);
        sl_timer_arm(app->drain_timer, 0);
    }
}

/* The old parts are drained. */
static void begin_anew(struct app *app)
{
    struct sl_err err = { 0 };
    con_parts_free(app->parts);
    app->parts = NULL;
    config_free(app->fresh);
    app->fresh = app->pending;
    app->pending = NULL;
    sl_log_set_level(app->log, (enum sl_level)app->fresh->log_level);
    if (!start_parts(app, &err)) {
        sl_log_err(app->log, SL_ERROR, "process.reload_failed", "cannot begin anew, stopping",
                   &err);
        app->is_broken = true;
        sl_loop_stop(app->loop);
        return;
    }
    sl_loss(app->log, SL_INFO, "process.reloaded",
            "the configuration was read again: subsystems, secrets, addresses and the log level",
            sl_int("subsystems", (int64_t)app->fresh->chosen_count),
            sl_int("workers", (int64_t)con_parts_workers(app->parts)),
            sl_str("needs_restart", needs_restart(app)));
    sl_notify_ready(app->notify, SERVING);
}

/* What is taken from the start alone, and has changed. */
static const char *needs_restart(const struct app *app)
{
    const struct con_config *old = &app->config;
    const struct con_config *now = app->fresh;
    return strcmp(old->metrics_listen, now->metrics_listen) != 0 ? "SLUICE_METRICS_LISTEN"
           : strcmp(old->state_dir, now->state_dir) != 0         ? "SLUICE_STATE_DIR"
           : old->log_format != now->log_format                  ? "LOG_FORMAT"
                                                                 : "";
}

static void config_free(struct con_config *config)
{
    if (config != NULL) {
        con_config_done(config);
        free(config);
    }
}

static void look(void *arg, struct sl_health_state *out_state)
{
    struct app *app = arg;
    app->is_ready = app->is_ready || con_parts_have_tried(app->parts);
    out_state->is_degraded = !con_parts_are_well(app->parts);
    out_state->paused = con_parts_paused(app->parts);
    out_state->waiting =
        app->is_draining ? "draining"
        : !app->is_ready
            ? "the first attempts to reach broker and database, and to read what operators "
              "have set, are not over"
            : NULL;
}
