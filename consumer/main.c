/*
 * sluice-consumer - confirmed messages in, committed rows out.
 *
 * Reads its configuration from the environment, runs in the foreground, logs to stderr, never daemonises. SIGTERM and SIGINT drain: the
 * running transaction ends, what was not started goes back to its queue, exit 0; a second one exits at once. SIGHUP reads LOG_LEVEL again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consumer/attempts.h"
#include "consumer/census.h"
#include "consumer/check.h"
#include "consumer/clerk.h"
#include "consumer/config.h"
#include "consumer/crew.h"
#include "consumer/parker.h"
#include "consumer/teller.h"
#include "consumer/upkeep.h"
#include "shared/clock.h"
#include "shared/health.h"
#include "shared/notify.h"
#include "shared/sandbox/sandbox.h"

#define PROGRAM          "sluice-consumer"
#define DRAIN_POLL_MS    20
#define HELP_BYTES_MAX   (16u * 1024u)
#define CHECK_BYTES_MAX  (1024u * 1024u)
#define EXIT_INTERRUPTED 130
#define SERVING          "applying events" /* as the service manager shows it */

struct app {
    struct con_options options;
    struct con_config config;
    const char *service;
    struct sl_sandbox sandbox;
    struct sl_log *log;
    struct sl_metrics *metrics;
    struct sl_loop *loop;
    struct con_crew *crew;
    struct con_clerk *clerk;
    struct con_census *census;
    struct con_attempts *attempts;
    struct con_teller *teller;
    struct sl_sentry *sentry; /* NULL: none */
    struct con_alarm *alarm;
    struct con_parker *parker;
    struct con_upkeep *upkeep;
    struct sl_health health;
    struct sl_http_server *server;
    struct sl_notify *notify;
    struct sl_timer *drain_timer;
    bool is_draining;
    bool is_leaving; /* drained, and saying so */
    int64_t drain_until_ms;
};

static bool run(struct app *app, struct sl_err *err);
static void app_done(struct app *app);
static bool read_config(struct app *app, struct sl_err *err);
static bool enter_sandbox(struct app *app, struct sl_err *err);
static bool open_log(struct app *app, struct sl_err *err);
static bool open_loop(struct app *app, struct sl_err *err);
static bool start_attempts(struct app *app, struct sl_err *err);
static bool start_workers(struct app *app, struct sl_err *err);
static bool start_teller(struct app *app, struct sl_err *err);
static bool start_alarm(struct app *app, struct sl_err *err);
static bool open_sentry(struct app *app, struct sl_err *err);
static void on_sentry(void *arg, const struct sl_err *err, uint64_t pending);
static bool start_clerk(struct app *app, struct sl_err *err);
static void look_at_subsystem(void *arg, size_t i, struct con_standing *out_standing);
static void on_orders(void *arg, const struct con_orders *orders);
static bool start_parker(struct app *app, struct sl_err *err);
static bool start_upkeep(struct app *app, struct sl_err *err);
static bool open_health(struct app *app, struct sl_err *err);
static bool serve(struct app *app, struct sl_err *err);
static void on_stop_signal(int signal_number, void *arg);
static void on_reload_signal(int signal_number, void *arg);
static void reload(struct app *app);
static void on_drain_timer(void *arg);
static void look(void *arg, struct sl_health_state *out_state);
static int help(void);
static int check(struct app *app);

int main(int argc, char **argv)
{
    SL_DONE(app_done) struct app app = { 0 };
    struct sl_err err = { 0 };
    int status = EXIT_SUCCESS;
    if (!con_options_parse(argc, argv, &app.options, &err)) {
        fprintf(stderr, PROGRAM ": %s\n", err.text);
        return sl_err_exit_status(&err);
    }
    switch (app.options.mode) {
    case CON_MODE_HELP:
        return help();
    case CON_MODE_VERSION:
        puts(PROGRAM " " SLUICE_VERSION);
        return EXIT_SUCCESS;
    case CON_MODE_CHECK:
        return check(&app);
    case CON_MODE_RUN:
        break;
    }
    if (!run(&app, &err)) {
        fprintf(stderr, PROGRAM ": %s (%s)\n", err.text, sl_code_name(err.code));
        status = sl_err_exit_status(&err);
    }
    return status;
}

static bool run(struct app *app, struct sl_err *err)
{
    return read_config(app, err)       /* every mistake at once */
           && enter_sandbox(app, err)  /* before the first thread */
           && open_log(app, err)       /* before anything can go wrong unseen */
           && open_loop(app, err)      /* signals become events of the loop */
           && start_attempts(app, err) /* the history of failed tries */
           && start_alarm(app, err)    /* on-trip */
           && start_workers(app, err)  /* links connect by themselves, for ever */
           && start_teller(app, err)   /* on-dead */
           && start_clerk(app, err)    /* what operators have set, and what there is */
           && start_parker(app, err)   /* dead letters into their table */
           && start_upkeep(app, err)   /* partitions of the inbox */
           && open_health(app, err)    /* ready when the first attempts have ended */
           && serve(app, err);         /* until SIGTERM, then drain */
}

static void app_done(struct app *app)
{
    sl_http_server_free(app->server);
    con_upkeep_free(app->upkeep);
    con_parker_free(app->parker);
    con_teller_free(app->teller);
    con_crew_free(app->crew);
    con_alarm_free(app->alarm); /* likewise */
    sl_sentry_free(app->sentry);
    con_clerk_free(app->clerk); /* behind the crew, which borrows its orders */
    con_census_free(app->census);
    con_attempts_free(app->attempts);
    sl_notify_free(app->notify);
    sl_timer_free(app->drain_timer);
    sl_loop_free(app->loop);
    sl_log_free(app->log);
    sl_metrics_free(app->metrics);
    con_config_done(&app->config);
}

static int help(void)
{
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, HELP_BYTES_MAX);
    sl_buf_append_text(
        &text, PROGRAM
        ": applies events from RabbitMQ to Postgres, each exactly once.\n\n"
        "usage: " PROGRAM " [SUBSYSTEM...]   run these subsystems; default: every enabled one\n"
        "       " PROGRAM
        " --check          say what is wrong with the configuration, or every value that holds; exit 78 or 0\n"
        "       " PROGRAM " --help | --version\n\n"
        "configuration, from the environment:\n");
    con_config_help(&text);
    fputs(sl_buf_span(&text).data, stdout);
    return EXIT_SUCCESS;
}

static int check(struct app *app)
{
    struct sl_err err = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    SL_DONE(sl_buf_done) struct sl_buf notes;
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&mistakes, CHECK_BYTES_MAX);
    sl_buf_init(&notes, CHECK_BYTES_MAX);
    sl_buf_init(&text, CHECK_BYTES_MAX);
    if (!read_config(app, &err)) {
        return sl_err_exit_status(&err); /* every mistake has been said */
    }
    for (size_t i = 0; i < app->config.chosen_count; i++) {
        sl_buf_append_text(&text, i == 0 ? "" : "\n");
        sl_subsystem_tell(app->config.chosen[i], &text);
    }
    fputs(sl_buf_span(&text).data, stdout);
    if (!con_check_functions(&app->config, &mistakes, &notes, &err)) {
        fprintf(stderr, PROGRAM ": %s (%s)\n", err.text, sl_code_name(err.code));
        return sl_err_exit_status(&err);
    }
    fputs(sl_buf_span(&notes).data, stderr);
    return sl_conf_verdict(&mistakes, &err) ? EXIT_SUCCESS : sl_err_exit_status(&err);
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
    app->log = sl_log_new(
        &(struct sl_log_opts){
            .service = app->service,
            .version = SLUICE_VERSION,
            .level = (enum sl_level)app->config.log_level,
            .format = (enum sl_log_format)app->config.log_format,
            .fd = STDERR_FILENO,
        },
        err);
    app->metrics = app->log == NULL ? NULL : sl_metrics_new(err);
    if (app->metrics == NULL) {
        return false;
    }
    sl_series_set(sl_metrics_series(app->metrics, SL_M_BUILD_INFO, SLUICE_VERSION, NULL), 1);
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
    app->notify = sl_notify_new(&(struct sl_notify_opts){ .loop = app->loop }, err);
    return app->notify != NULL && sl_loop_on_signal(app->loop, SIGTERM, on_stop_signal, app, err) &&
           sl_loop_on_signal(app->loop, SIGINT, on_stop_signal, app, err) &&
           sl_loop_on_signal(app->loop, SIGHUP, on_reload_signal, app, err);
}

static bool start_attempts(struct app *app, struct sl_err *err)
{
    app->attempts = con_attempts_new(
        &(struct con_attempts_opts){
            .loop = app->loop,
            .log = app->log,
            .metrics = app->metrics,
            .database_url = app->config.database_url,
            .service = app->service,
        },
        err);
    return app->attempts != NULL;
}

static bool start_workers(struct app *app, struct sl_err *err)
{
    app->crew = con_crew_new(
        &(struct con_crew_opts){
            .loop = app->loop,
            .log = app->log,
            .metrics = app->metrics,
            .config = &app->config,
            .service = app->service,
            .attempts = app->attempts,
            .alarm = app->alarm,
        },
        err);
    return app->crew != NULL;
}

static bool start_clerk(struct app *app, struct sl_err *err)
{
    app->census = con_census_new(
        &(struct con_census_opts){
            .loop = app->loop,
            .log = app->log,
            .metrics = app->metrics,
            .amqp = &app->config.amqp,
            .service = app->service,
            .subsystems = app->config.chosen,
            .subsystem_count = app->config.chosen_count,
        },
        err);
    app->clerk = app->census == NULL ? NULL
                                     : con_clerk_new(
                                           &(struct con_clerk_opts){
                                               .loop = app->loop,
                                               .log = app->log,
                                               .metrics = app->metrics,
                                               .database_url = app->config.database_url,
                                               .service = app->service,
                                               .subsystems = app->config.chosen,
                                               .subsystem_count = app->config.chosen_count,
                                               .arg = app,
                                               .look = look_at_subsystem,
                                               .on_orders = on_orders,
                                           },
                                           err);
    return app->clerk != NULL;
}

static void look_at_subsystem(void *arg, size_t i, struct con_standing *out_standing)
{
    const struct app *app = arg;
    con_crew_standing(app->crew, i, out_standing);
    out_standing->waiting = con_census_waiting(app->census, i);
}

static void on_orders(void *arg, const struct con_orders *orders)
{
    const struct app *app = arg;
    con_crew_obey(app->crew, orders);
}

static bool start_alarm(struct app *app, struct sl_err *err)
{
    if (!open_sentry(app, err)) {
        return false;
    }
    app->alarm = con_alarm_new(
        &(struct con_alarm_opts){
            .loop = app->loop,
            .log = app->log,
            .subsystems = app->config.chosen,
            .targets = app->config.targets,
            .subsystem_count = app->config.chosen_count,
            .sentry = app->sentry,
        },
        err);
    return app->alarm != NULL;
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
            .status = "breaker_open",
            .happening = "breaker opened",
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

static bool start_teller(struct app *app, struct sl_err *err)
{
    app->teller = con_teller_new(
        &(struct con_teller_opts){
            .loop = app->loop,
            .log = app->log,
            .database_url = app->config.database_url,
            .service = app->service,
            .subsystems = app->config.chosen,
            .targets = app->config.targets,
            .subsystem_count = app->config.chosen_count,
        },
        err);
    return app->teller != NULL;
}

static bool start_parker(struct app *app, struct sl_err *err)
{
    app->parker = con_parker_new(
        &(struct con_parker_opts){
            .loop = app->loop,
            .log = app->log,
            .metrics = app->metrics,
            .amqp = &app->config.amqp,
            .database_url = app->config.database_url,
            .service = app->service,
            .teller = app->teller,
            .subsystems = app->config.chosen,
            .subsystem_count = app->config.chosen_count,
        },
        err);
    return app->parker != NULL;
}

static bool start_upkeep(struct app *app, struct sl_err *err)
{
    app->upkeep = con_upkeep_new(
        &(struct con_upkeep_opts){
            .loop = app->loop,
            .log = app->log,
            .database_url = app->config.database_url,
            .service = app->service,
            .subsystems = &app->config.described,
        },
        err);
    return app->upkeep != NULL;
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

static bool serve(struct app *app, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf sandbox;
    sl_buf_init(&sandbox, SL_SANDBOX_TEXT_MAX);
    sl_sandbox_describe(&app->sandbox, &sandbox);
    sl_info(app->log, "process.started", "connecting to broker and database",
            sl_int("subsystems", (int64_t)app->config.chosen_count),
            sl_int("workers", (int64_t)con_crew_count(app->crew)),
            sl_str("metrics", app->config.metrics_listen), sl_str("sandbox", sandbox.data),
            sl_str("sandbox_missing", app->sandbox.missing),
            sl_int("port", sl_http_server_port(app->server)));
    sl_notify_ready(app->notify, SERVING);
    if (!sl_loop_run(app->loop, err)) {
        return false;
    }
    sl_info(app->log, "process.stopped", "everything is closed",
            sl_int("given_back", (int64_t)con_crew_held(app->crew)));
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
    sl_info(app->log, "drain.begin", "ending the running transactions, giving back the rest",
            sl_str("signal", strsignal(signal_number)),
            sl_int("held", (int64_t)con_crew_held(app->crew)));
    sl_notify_stopping(app->notify, "ending the running transactions");
    con_crew_drain(app->crew);
    con_parker_drain(app->parker);
    sl_timer_arm(app->drain_timer, 0);
}

static void on_drain_timer(void *arg)
{
    struct app *app = arg;
    bool is_drained = con_parker_is_drained(app->parker) &&
                      con_attempts_is_drained(app->attempts) && con_crew_is_drained(app->crew);
    if (is_drained && !app->is_leaving) {
        app->is_leaving = true;
        con_clerk_leave(app->clerk);
    }
    if (is_drained && con_clerk_has_left(app->clerk)) {
        sl_loop_stop(app->loop);
    } else if (sl_clock_mono_ms() >= app->drain_until_ms) {
        sl_warn(app->log, "drain.timeout", "stopping; what is unfinished will be delivered again",
                sl_int("held", (int64_t)con_crew_held(app->crew)));
        sl_loop_stop(app->loop);
    } else {
        sl_timer_arm(app->drain_timer, DRAIN_POLL_MS);
    }
}

static void on_reload_signal(int signal_number, void *arg)
{
    (void)signal_number;
    struct app *app = arg;
    if (!app->is_draining) {
        sl_notify_reloading(app->notify);
        reload(app);
        sl_notify_ready(app->notify, SERVING);
    }
}

static void reload(struct app *app)
{
    int level = con_config_log_level(environ);
    if (level < 0) {
        sl_warn(app->log, "process.reloaded",
                "the configuration has mistakes now, keeping the log level");
        return;
    }
    sl_log_set_level(app->log, (enum sl_level)level);
    sl_info(app->log, "process.reloaded", "the log level was read again",
            sl_int("log_level", level));
}

static void look(void *arg, struct sl_health_state *out_state)
{
    const struct app *app = arg;
    bool has_tried = con_crew_has_tried(app->crew);
    out_state->is_degraded = !con_parker_is_well(app->parker) || !con_crew_is_well(app->crew);
    out_state->paused = con_crew_paused(app->crew);
    out_state->waiting = app->is_draining ? "draining"
                         : !has_tried
                             ? "the first attempts to reach broker and database are not over"
                             : NULL;
}
